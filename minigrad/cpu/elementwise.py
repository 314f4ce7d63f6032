"""Elementwise functions of large arrays: in place, in recycled memory, shared out over the pool.

An expression such as ``1 / (1 + exp(-x))`` makes four arrays, each of which the system has to clear
and the cache to take in. Here every function works in place on a block of its result.
"""

import functools
import math

import numpy as np

from ..activations import normal_cdf
from ..backend import FLOATS
from ..engine import override, registry
from ..fused import sigmoid_into
from ..memory import empty
from .pool import parallel, pieces, scratch

_LARGE = 1 << 14  # elements: for fewer the preparations cost more than they save
_ALONE = 1 << 15  # elements worked on at a time by one thread: they stay in its cache
# The same for several threads. After every operation they meet at the interpreter lock: with 2^15
# two threads are no faster than one.
_SHARED = 1 << 17
_PARALLEL = 4 * _SHARED  # elements: for fewer it takes longer to wake a thread than to do its share


# name -> function(what NumPy does, *operands, out=) that does a block faster, if it takes it
compiled = {}


def share(work, array):
    """Call ``work(rows)`` for slices of the first axis of `array`, cut to fit the cache."""
    if array.size <= _ALONE:
        work(slice(0, len(array)))
        return
    row = math.prod(array.shape[1:])
    if array.size < _PARALLEL:
        for rows in pieces(len(array), max(1, _ALONE // row)):
            work(rows)
    else:
        parallel(work, pieces(len(array), max(1, _SHARED // row)))


def _elementwise(name, small=None):
    """Override primitive `name` by ``function(*operands, out=)``, block by block, if any is large.

    Operands are numbers and contiguous arrays of one dtype (or boolean) and one shape, or that of
    its last axes, like a bias; or one number in all places, like the gradient of a sum. Everything
    else goes to the reference, and few numbers to `small`, if there is one.
    """
    reference = registry[name].forward
    small = small or reference

    def register(function):
        def forward(*operands):
            for x in operands:
                if getattr(x, "size", 0) >= _LARGE:
                    break
            else:
                return small(*operands)
            arrays = [x for x in operands if isinstance(x, np.ndarray)]
            full = [x for x in arrays if not (x.ndim and x.size and not any(x.strides))]
            shapes = sorted({x.shape for x in full}, key=math.prod, reverse=True) or [()]
            shape, tail = shapes[0], shapes[-1]
            floats = {x.dtype for x in arrays} - {np.dtype(bool)}
            if (
                {x.shape for x in arrays} - {shape, tail}
                or len(shapes) > 2
                or shape[len(shape) - len(tail) :] != tail
                or not all(x.flags.c_contiguous for x in full)
                or len(floats) != 1
                or not floats.issubset(FLOATS)
                or any(isinstance(x, np.generic) for x in operands)
            ):
                return reference(*operands)
            y = empty(shape, floats.pop())
            flat = y.reshape(-1, *(tail if tail != shape else ()))
            operands = [_prepared(x, shape, flat.shape) for x in operands]

            apply = functools.partial(compiled[name], function) if name in compiled else function

            def work(rows):
                blocks = (x[rows] if np.shape(x) == flat.shape else x for x in operands)
                apply(*blocks, out=flat[rows])

            share(work, flat)
            return y

        override(name, "cpu")(functools.update_wrapper(forward, reference))
        return function

    return register


def _prepared(x, shape, flat):
    if np.shape(x) != shape:
        return x
    return x.reshape(flat) if x.flags.c_contiguous else x[(0,) * x.ndim]


for _name, _function in {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply,
    "tanh": np.tanh, "exp": np.exp, "sigmoid": sigmoid_into,
}.items():  # fmt: skip
    _elementwise(_name)(_function)


@_elementwise("relu")
def _relu(x, out):
    np.maximum(x, 0, out=out)


def _small_gate(x, y):
    """`_gate` in fewer steps: of few numbers these take the time."""
    alike = type(x) is type(y) is np.ndarray and (x.shape, x.dtype) == (y.shape, y.dtype)
    if not alike or not x.flags.c_contiguous or x.dtype not in FLOATS or not x.ndim:
        return registry["gate"].forward(x, y)
    bits = f"i{x.itemsize}"
    out = np.less_equal(y, 0).astype(bits)
    out -= 1  # all bits or none
    out &= x.view(bits)
    return out.view(x.dtype)


@_elementwise("gate", small=_small_gate)
def _gate(x, y, out):
    """The bits of `x` times 0 or 1: 16 times as fast as ``where``, which branches for each element,
    and the signs of a relu cannot be predicted."""
    bits, shut = f"i{out.itemsize}", np.less_equal(y, 0)
    open_ = np.logical_not(shut, out=shut).view(np.int8)
    np.multiply(x.view(bits), open_, out=out.view(bits))


@_elementwise("where")
def _where(condition, a, b, out):
    """Bits of `a` and `b` chosen by a mask: three times as fast as ``np.where``, see `_gate`."""
    bits, condition = f"i{out.itemsize}", np.asarray(condition, bool)
    mask = np.negative(condition.view(np.int8)).astype(bits)  # all bits or none
    a, b = (np.asarray(v, out.dtype).view(bits) for v in (a, b))
    chosen = np.bitwise_xor(a, b, out=out.view(bits))
    chosen &= mask
    chosen ^= b


@_elementwise("leaky_relu")
def _leaky_relu(x, slope, out):
    np.multiply(x, slope, out=out)
    _where(x > 0, x, out.copy(), out)


@_elementwise("softplus")
def _softplus(x, out):
    _log_1p_exp_minus_abs(x, out)
    out += np.maximum(x, 0, out=_temporary(out))


@_elementwise("normal_cdf")
def _normal_cdf(x, out):
    out[...] = normal_cdf.forward(x)  # block by block: all its steps in the cache


@_elementwise("bernoulli_nll_of_logits")
def _bernoulli_nll_of_logits(x, t, out):
    product = np.multiply(t, x, out=_temporary(out))
    positive = np.maximum(x, 0, out=out)
    rest = np.subtract(positive, product, out=product)
    _log_1p_exp_minus_abs(x, out)
    out += rest


@_elementwise("bernoulli_slope")
def _bernoulli_slope(s, x, t, out):
    sigmoid_into(x, out)
    out -= t
    out *= s


@_elementwise("scaled_difference")
def _scaled_difference(s, p, t, out):
    np.subtract(p, t, out=out)
    out *= s


# log(1 + e) = 2 artanh(z) = 2 z + z^3 r(z^2) with z = e / (2 + e), which is at most 1/3 for e up to
# 1: these are the coefficients of the cubic r that meets (2 artanh(z) / z - 2) / z^2 at Chebyshev's
# points for z^2 from 0 to 1/9. The test computes them anew.
ARTANH = (0.6666664, 0.4000756, 0.2823662, 0.268515)


def _log_1p_exp_minus_abs(x, out):
    """``log(1 + exp(-abs(x)))``; in float32 within 2e-7 of it, because NumPy's log1p takes one
    number after the other: five times as long."""
    np.abs(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    if out.dtype != np.float32:
        np.log1p(out, out=out)
        return
    square = scratch("artanh's square", out.shape, out.dtype)
    rest = scratch("artanh's rest", out.shape, out.dtype)
    np.add(out, 2, out=square)
    z = np.divide(out, square, out=out)
    np.multiply(z, z, out=square)
    c0, c1, c2, c3 = ARTANH
    np.multiply(square, c3, out=rest)
    for c in (c2, c1, c0):
        rest += c
        rest *= square
    rest *= z
    z *= 2
    z += rest


def _temporary(out):
    return scratch("elementwise", out.shape, out.dtype)
