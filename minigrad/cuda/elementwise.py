"""Elementwise functions on the GPU, each in one launch (``kernels/elementwise.cu``).

What the kernels do not take (float64, operands that broadcast in other ways) goes to the reference.
"""

import functools

import numpy as np

from ..backend import array_module, is_array
from ..engine import override, registry
from .launch import aligned, blocks, fits, launch

VARIANTS = {"elementwise": [()]}


def _elementwise(name, kernel, weak=False):
    """Override primitive `name` by `kernel`. The operands must have one shape; with `weak` the
    first may be a single number, also one that is only spread out by `broadcast_to`."""
    reference = registry[name].forward

    @functools.wraps(reference)
    def forward(*operands):
        full = operands[1:] if weak else operands
        like = full[0]
        if not all(fits(x) and x.shape == like.shape for x in full):
            return reference(*operands)
        arguments = list(full)
        if weak:
            first = operands[0]
            one = _single(first, like)
            if not one and not (fits(first) and first.shape == like.shape):
                return reference(*operands)
            full = full if one else operands
            arguments = [_first_element(first) if one else first, one, *arguments]
        y = array_module(like).empty(like.shape, like.dtype)
        quads = y.size // 4 if aligned(y, *full) else 0
        grid = blocks(y.size - 3 * quads, 256)
        launch("elementwise", kernel, (grid,), (256,), *arguments, y, y.size, quads)
        return y

    override(name, "cuda")(forward)


def _single(x, like):
    """True if `x` holds one number, in one place or spread over the shape of `like`."""
    if not is_array(x) or x.dtype != np.float32:
        return False
    return x.ndim <= like.ndim if x.size == 1 else x.shape == like.shape and not any(x.strides)


def _first_element(x):
    return x[(slice(1),) * x.ndim] if x.ndim else x


_elementwise("gate", "gate", weak=True)
_elementwise("scaled_difference", "scaled_difference", weak=True)
_elementwise("bernoulli_nll_of_logits", "bernoulli_nll")
_elementwise("bernoulli_slope", "bernoulli_slope", weak=True)
