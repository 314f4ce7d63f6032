"""The functions of the module: what CuPy 14.2 has of NumPy's, and what each costs.

A function is one launch, which is exact for ufuncs, reductions and copies and a lower bound for
some others (`pad`, `concatenate` of many). A view costs nothing. Keywords that CuPy's function does
not take are refused.
"""

import functools

import numpy as np

from . import operations, streams
from .arrays import ndarray
from .indexing import add_at
from .names import check_keywords, known, lacks

_MOVING = """reshape ravel transpose moveaxis rollaxis swapaxes squeeze expand_dims broadcast_to
broadcast_arrays atleast_1d atleast_2d atleast_3d split array_split flip fliplr flipud real imag
diagonal concatenate stack vstack hstack dstack column_stack pad tile repeat roll rot90 diag tril
triu take take_along_axis where clip nan_to_num isclose sort argsort searchsorted cumsum cumprod
diff outer copy"""
_REDUCING = """sum mean max min prod any all argmax argmin var std amax amin ptp count_nonzero
nansum nanmax nanmin nanmean allclose array_equal average"""
_BLAS = "matmul dot tensordot einsum vdot inner"  # refused in capture, all of them
_SYNCING = "nonzero unique argwhere flatnonzero bincount"
_ABOUT = """shape ndim size result_type can_cast promote_types may_share_memory shares_memory
issubdtype isscalar min_scalar_type broadcast_shapes"""


class Ufunc:
    """An elementwise function: no lists, no host arrays, no ``where=``."""

    def __init__(self, numpys):
        self._numpys = numpys
        self.__name__ = numpys.__name__
        self.nin, self.nout = numpys.nin, numpys.nout

    def __call__(self, *args, **options):
        name = self.__name__
        check_keywords("cupy", name, options)
        if len(args) == self._numpys.nin + 1:
            *args, options["out"] = args
        for a in args:
            if isinstance(a, list | tuple):
                raise TypeError(f"{name}: CuPy's ufuncs take no lists")
        return operations.apply(name, self._numpys, args, options)

    def at(self, x, index, value):
        if self.__name__ != "add":
            raise NotImplementedError(f"{self.__name__}.at: unknown to the device double")
        add_at(x, index, value)

    def reduce(self, x, **options):
        return operations.apply(f"{self.__name__}.reduce", self._numpys.reduce, (x,), options)

    def __getattr__(self, name):
        raise AttributeError(lacks("cupy.ufunc", name))


def _plain(name):
    numpys = getattr(np, name)

    @functools.wraps(numpys)
    def function(*args, **options):
        check_keywords("cupy", name, options)
        if name in _BLAS.split():
            streams.refuse_capture(f"{name} (cuBLAS)")
        if name in _SYNCING.split() or (name == "where" and len(args) + len(options) == 1):
            streams.refuse_capture(f"{name}, which waits for the device,")
            streams.sync(name)
        return operations.apply(name, numpys, args, options)

    return function


def _about(name):
    numpys = getattr(np, name)

    @functools.wraps(numpys)
    def function(*args, **options):
        bare = [a._a if isinstance(a, ndarray) else a for a in args]
        return numpys(*bare, **options)

    return function


def copyto(dst, src, casting="same_kind", where=None):
    """`src`, a device array or a number, written to `dst`."""
    options = {} if where is None else {"where": where}

    def copy(values, *given, out, **masks):
        np.copyto(out, values, casting=casting, **masks)

    source = src if isinstance(src, ndarray) else np.asarray(src)[()]
    operations.apply("copyto", copy, (source, dst), {"out": dst, **options})


def build():
    """Name -> function, for everything that CuPy has as well."""
    made = {"copyto": copyto}
    functions = f"{_MOVING} {_REDUCING} {_BLAS} {_SYNCING}".split()
    for name in dir(np):
        if name not in functions and isinstance(getattr(np, name), np.ufunc):
            made[name] = Ufunc(getattr(np, name))
    made |= {name: _plain(name) for name in functions}
    made |= {name: _about(name) for name in _ABOUT.split()}
    return {name: function for name, function in made.items() if known("cupy", name)}


FUNCTIONS = build()
