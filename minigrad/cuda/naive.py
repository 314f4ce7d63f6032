"""The first rung: convolutions by kernels that say no more than their formulas.

``kernels/naive.cu`` has one thread for each number of the result, and ``docs/first_kernel.md``
leads from there to the kernels in use. These stand beside them, for reading, changing and timing:
they run where one asks for them, by `instead`.
"""

import contextlib

from ..backend import array_module
from ..engine import override, registry
from .launch import blocks, contiguous, launch
from .tile import sizes_of, struct, window

VARIANTS = {"naive": [()]}
THREADS = 256  # of a block


def conv_y(x, w, geometry):
    """(N, H, W, C), (kh, kw, C, F) -> (N, P, Q, F)."""
    if (sizes := sizes_of(geometry, x=x, w=w)) is None:
        return registry["conv_y"].forward(x, w, geometry)
    n, _, f = sizes
    return _run("naive_y", x, w, (n, *geometry.out, f), geometry, sizes)


def conv_x(y, w, geometry):
    """(N, P, Q, F), (kh, kw, C, F) -> (N, H, W, C)."""
    if (sizes := sizes_of(geometry, y=y, w=w)) is None:
        return registry["conv_x"].forward(y, w, geometry)
    n, c, _ = sizes
    return _run("naive_x", y, w, (n, *geometry.size, c), geometry, sizes)


def conv_w(x, y, geometry):
    """(N, H, W, C), (N, P, Q, F) -> (kh, kw, C, F)."""
    if (sizes := sizes_of(geometry, x=x, y=y)) is None:
        return registry["conv_w"].forward(x, y, geometry)
    _, c, f = sizes
    return _run("naive_w", x, y, (*geometry.kernel, c, f), geometry, sizes)


def _run(kernel, a, b, shape, geometry, sizes):
    """Launch `kernel` on the arrays `a` and `b`: one thread for each number of the result."""
    n, c, f = sizes
    a, b = contiguous(a), contiguous(b)
    result = array_module(a).empty(shape, a.dtype)
    told = struct((n, *geometry.size, c, *geometry.out, f, *window(geometry)))
    launch("naive", kernel, (blocks(result.size, THREADS),), (THREADS,), a, b, result, told)
    return result


@contextlib.contextmanager
def instead():
    """Within it, convolutions on the GPU are computed by the naive kernels, in all threads.

    Bias and activation are then operations of their own, and what has one channel is nothing
    special. A step that was captured before keeps its kernels.

    Examples
    --------
    >>> from minigrad.cuda import naive
    >>> with naive.instead():
    ...     pass  # a step of a network on device "cuda"
    """
    naive = {"conv_y": conv_y, "conv_x": conv_x, "conv_w": conv_w}
    for layer in ("conv_layer", "conv_transpose_layer"):
        naive[layer] = registry[layer].forward  # of the operations above, bias and activation
    before = {name: registry[name].cuda for name in naive}
    for name, function in naive.items():
        override(name, "cuda")(function)
    try:
        yield
    finally:
        for name, function in before.items():
            override(name, "cuda")(function)
