"""A step of Adam for all parameters together: one launch, as each is short beside its overhead."""

import itertools
import math

import numpy as np

from ..backend import array_module
from .launch import LIMIT, address, blocks, fits, launch, launcher

VARIANTS = {"adam": [()]}
TENSORS = 96  # in one launch: what fits into the 4 KB of a kernel's arguments
_PER_BLOCK = 4096
TABLE = np.dtype(
    [
        *((name, np.uint64, TENSORS) for name in ("w", "g", "m", "v")),
        ("size", np.int32, TENSORS),
        ("first", np.int32, TENSORS + 1),
        ("count", np.int32),
        *((name, np.float64) for name in ("beta1", "beta2", "epsilon", "decay")),
    ],
    align=True,
)


class Counts:
    """Adam's step count, powers and learning rate, kept on the device.

    The kernel counts its own steps, so that a replayed graph does. The host only steps in where its
    own count says something else, after a checkpoint was loaded for instance, or the rate has
    changed. `array` (4,), float64, on the device of the array `like`, is t, beta1**t, beta2**t, lr.
    """

    def __init__(self, like, betas):
        self.betas = betas
        self.array = array_module(like).empty(4, np.float64)
        self._t = self._lr = None  # what the device has, so far as the host knows

    def before_step(self, t, lr):
        """See to it that the kernel's next step is number `t` (from 1), with the rate `lr`."""
        if self._t != t - 1:
            # multiplied one by one, as the kernel does: a power could differ in its last bit, and
            # a training that was saved and read back would not go on exactly
            powers = [math.prod(itertools.repeat(beta, t - 1)) for beta in self.betas]
            values = np.array([t - 1, *powers, lr], np.float64)
            self.array[...] = array_module(self.array).asarray(values)
        elif self._lr != lr:
            self.array[3:].fill(lr)
        self._t, self._lr = t, lr


def step(
    parameters,
    gradients,
    ms,
    vs,
    state,
    *,
    betas,
    epsilon,
    epsilon_hat=False,
    weight_decay=0.0,
    decoupled=False,
):
    """Change `parameters`, and their moments `ms` and `vs`, in place by one step of `Adam`.

    All are lists of float32 arrays on one device; `state` there is a float64 array ``[t, beta1**t,
    beta2**t, lr]``, of which the kernel advances the first three. `decoupled` is AdamW's decay. The
    numbers are those of `minigrad.optim.Adam` on the CPU, bit for bit, if its powers of beta are
    and none is subnormal (CuPy has all kernels compiled with ``-ftz=true``, which makes those 0).
    """
    gradients = [_contiguous(g) for g in gradients]
    tensors = list(zip(parameters, gradients, ms, vs, strict=True))
    _check(tensors, state)
    tensors = [four for four in tensors if four[0].size]
    for begin in range(0, len(tensors), TENSORS):
        part = tensors[begin : begin + TENSORS]
        table = _table(part)
        table["beta1"], table["beta2"] = betas
        table["epsilon"], table["decay"] = epsilon, weight_decay
        last = begin + TENSORS >= len(tensors)
        launch(
            "adam", "adam", (int(table["first"][0, len(part)]),), (256,),
            table, state, launcher.tickets(state, 1),
            bool(epsilon_hat), bool(decoupled and weight_decay), last,
        )  # fmt: skip


def _contiguous(g):
    # asked first: ascontiguousarray makes an array of shape (1,) of a single number
    return g if g.flags.c_contiguous else array_module(g).ascontiguousarray(g)


def _table(tensors):
    table = np.zeros(1, TABLE)
    for name, arrays in zip("wgmv", zip(*tensors, strict=True), strict=True):
        table[name][0, : len(arrays)] = [address(a) for a in arrays]
    sizes = [w.size for w, *_ in tensors]
    table["size"][0, : len(sizes)] = sizes
    ends = np.cumsum([blocks(size, _PER_BLOCK) for size in sizes])
    table["first"][0, 1 : len(sizes) + 1] = ends
    table["count"] = len(sizes)
    return table


def _check(tensors, state):
    if not tensors:
        raise ValueError("Adam's kernel: got no parameters to change")
    for four in tensors:
        shape = four[0].shape
        if not all(a.shape == shape and (fits(a) or not a.size) for a in four):
            raise ValueError(
                "Adam's kernel: expected a parameter, its gradient and two moments, contiguous "
                f"float32 arrays of one shape with fewer than {LIMIT} elements, got "
                f"{', '.join(f'{a.dtype} {tuple(a.shape)}' for a in four)}"
            )
    if tuple(state.shape) != (4,) or state.dtype != np.float64:
        raise ValueError(
            "Adam's kernel: expected a state [t, beta1**t, beta2**t, lr] of float64, got "
            f"{state.dtype} {tuple(state.shape)}"
        )
