"""Every public ufunc and array function of NumPy on a Tensor is minigrad's function of that
meaning, a constant that loses nothing, or refused in a sentence that names it: never NumPy's own
traceback, never a result whose gradient is lost without a word."""

import itertools
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import numpy_functions

A = np.array([[2.0, 0.5, 0.125], [0.5, 3.0, 0.25], [0.125, 0.25, 4.0]])
MODULES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft}
EVERY = {
    f"{place}.{name}": getattr(module, name)
    for place, module in MODULES.items()
    for name in dir(module)
    if name[0] != "_" and isinstance(getattr(module, name), np.ufunc | type(np.sum))
}
# what a call may look like, with x the Tensor: the first that NumPy can do with an array is tried
CALLS = {
    "x": lambda f, x: f(x),
    "x, x": lambda f, x: f(x, x),
    "x, 1": lambda f, x: f(x, 1),
    "x, 3": lambda f, x: f(x, 3),
    "x, (3, 3)": lambda f, x: f(x, (3, 3)),
    "[x, x]": lambda f, x: f([x, x]),
    "x, 0, 1": lambda f, x: f(x, 0, 1),
    "x[0]": lambda f, x: f(x[0]),
    "x[0], x[0]": lambda f, x: f(x[0], x[0]),
    "x[0], x[0], x[0]": lambda f, x: f(x[0], x[0], x[0]),
    "x[0], 1, x[0]": lambda f, x: f(x[0], 1, x[0]),
    "x, places, x": lambda f, x: f(x, np.array([[0], [1], [2]]), x[:, :1]),
    "x, places, axis": lambda f, x: f(x, np.array([[0], [1], [2]]), 1),
    "x, mask, x": lambda f, x: f(x, A > 1, x[0]),
    "x, dtype": lambda f, x: f(x, np.float32),
    "mask, x": lambda f, x: f(A > 1, x),
    "array, x": lambda f, x: f(A.copy(), x),
    "function, 0, x": lambda f, x: f(np.sum, 0, x),
    "function, x, axes": lambda f, x: f(np.sum, x, [0]),
    "x, conditions": lambda f, x: f(x, [A > 1, A <= 1], [lambda v: v, lambda v: 2 * v]),
    "conditions, xs": lambda f, x: f([A > 1, A <= 1], [x, x]),
    "places, xs": lambda f, x: f(np.zeros((3, 3), int), [x, x]),
    "(x, x), order": lambda f, x: f((x, x), 0),
}
OWN = {  # what the first call that works would not ask
    "np.einsum": lambda f, x: f("ij->i", x),
    "np.pad": lambda f, x: f(x, ((1, 1), (0, 2))),
    "np.where": lambda f, x: f(A > 1, x, 0.0),
    "np.dsplit": lambda f, x: f(x[:, :, None], 1),
    "np.polyfit": lambda f, x: f(x[0], x[0], 1),
    "np.put_along_axis": lambda f, x: f(x, np.array([[0], [1], [2]]), 2.0, 1),
}
# these take integers, texts or dates, where no gradient can be, or write files
OTHERS = [
    "np.bitwise_and",
    "np.bitwise_count",
    "np.bitwise_invert",
    "np.bitwise_left_shift",
    "np.bitwise_not",
    "np.bitwise_or",
    "np.bitwise_right_shift",
    "np.bitwise_xor",
    "np.busday_count",
    "np.busday_offset",
    "np.datetime_as_string",
    "np.gcd",
    "np.invert",
    "np.is_busday",
    "np.isnat",
    "np.ix_",
    "np.lcm",
    "np.ldexp",
    "np.left_shift",
    "np.packbits",
    "np.ravel_multi_index",
    "np.right_shift",
    "np.save",
    "np.savetxt",
    "np.savez",
    "np.savez_compressed",
    "np.unpackbits",
    "np.unravel_index",
    "np.bincount",
    "np.linalg.tensorinv",
    "np.linalg.tensorsolve",
]


def outcome(f, call, x):
    """The result of a call, or its error."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(f, x)
        except Exception as error:
            return error


def first_call(name):
    """The first of the calls that NumPy can do, and its result."""
    for call in [OWN[name]] if name in OWN else CALLS.values():
        result = outcome(EVERY[name], call, A.copy())
        if not isinstance(result, Exception):
            return call, result
    raise AssertionError(f"{name}: NumPy can do none of these calls: add one")


def parts(result):
    """The arrays of a result, which may be a sequence of several."""
    several = isinstance(result, list | tuple)
    return list(itertools.chain.from_iterable(map(parts, result))) if several else [result]


def same(mine, theirs):
    if isinstance(theirs, str) or theirs is None:
        return mine == theirs
    mine = [v._data if isinstance(v, mg.Tensor) else v for v in parts(mine)]
    theirs = parts(theirs)
    return len(mine) == len(theirs) and all(
        np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-12, equal_nan=True)
        for a, b in zip(mine, theirs, strict=True)
        if isinstance(b, np.ndarray | np.generic | float | int)
    )


@pytest.mark.parametrize("name", sorted(set(EVERY) - set(OTHERS)))
def test_an_answer_or_a_sentence(name):
    f, (call, expected) = EVERY[name], first_call(name)
    if f in (np.empty_like, np.copyto, np.put, np.place, np.putmask, np.put_along_axis):
        expected = None  # a result without a meaning, or None
    got = outcome(f, call, mg.tensor(A, requires_grad=True))
    mine = numpy_functions.FUNCTIONS.get(f)
    if isinstance(got, Exception):
        assert isinstance(got, TypeError | ValueError | IndexError), repr(got)
        assert mine is None, repr(got)
        names = (name, f"np.{f.__name__}", f"{f.__module__}.{f.__name__}".replace("numpy", "np"))
        assert str(got).startswith(names) and len(str(got)) > 40, repr(got)
    elif any(isinstance(v, mg.Tensor) for v in parts(got)):
        assert mine and all(v.requires_grad or f is np.sign for v in parts(got))
        assert same(got, expected)
    else:
        assert f in numpy_functions.CONSTANT, f"{name} loses the gradient"
        assert expected is None or f is np.array_repr or same(got, expected)
    constant = outcome(f, call, mg.tensor(A))
    assert not isinstance(constant, Exception), repr(constant)
    assert expected is None or same(constant, expected)


@pytest.mark.parametrize(
    "f", sorted({f for f in EVERY.values() if isinstance(f, np.ufunc)}, key=str)
)
def test_the_methods_of_ufuncs_are_refused(f):
    x = mg.tensor(A, requires_grad=True)
    for method in ("reduce", "accumulate", "outer", "reduceat", "at"):

        def call(f, x, method=method):
            rest = {"outer": (x,), "reduceat": ([0, 1],), "at": (0, x[0])}.get(method, ())
            return getattr(f, method)(x, *rest[: f.nin if method == "at" else 1])

        if isinstance(outcome(f, call, A.copy()), Exception):
            continue  # NumPy has no such thing
        got = outcome(f, call, x)
        if isinstance(got, Exception):
            assert isinstance(got, TypeError) and f"np.{f.__name__}.{method} " in str(got)
        else:
            assert f in numpy_functions.CONSTANT and method != "at"
    np.testing.assert_array_equal(x.numpy(), A)  # `at` would write to it


def test_every_function_of_that_name_is_found():
    """Whatever minigrad and NumPy both have by one name is that function, or named here."""
    both = {name for name in mg.__all__ if f"np.{name}" in EVERY}
    missing = {name for name in both if EVERY[f"np.{name}"] not in numpy_functions.FUNCTIONS}
    assert missing == {"argmax", "argmin", "astype"} & both  # constants; a method of arrays


def test_a_function_without_a_word_would_be_noticed(monkeypatch):
    constant = numpy_functions.CONSTANT | {np.sinh}
    monkeypatch.setattr(numpy_functions, "_on_arrays", lambda f, g, *rest: np.zeros((3, 3)))
    with pytest.raises(AssertionError, match="loses the gradient"):
        test_an_answer_or_a_sentence("np.sinh")
    monkeypatch.setattr(numpy_functions, "CONSTANT", constant)
    with pytest.raises(AssertionError):
        test_an_answer_or_a_sentence("np.sinh")
