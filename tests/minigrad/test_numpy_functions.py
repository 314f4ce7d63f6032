"""NumPy's functions and operators on Tensors: minigrad's of the same meaning, or a sentence."""

import numpy as np
import pytest

import minigrad as mg

A = np.array([[0.5, 2.0, -1.0], [3.0, 0.25, -2.0]])
POSITIVE = np.abs(A)
CASES = {  # f(module, x): the same in NumPy and minigrad
    "exp": lambda x: np.exp(x),
    "log": lambda x: np.log(x * x + 1),
    "sqrt": lambda x: np.sqrt(x * x + 1),
    "tanh": lambda x: np.tanh(x),
    "abs": lambda x: np.abs(x),
    "negative": lambda x: np.negative(x),
    "add": lambda x: np.add(x, A),
    "subtract": lambda x: np.subtract(A, x),
    "multiply": lambda x: np.multiply(A, x),
    "divide": lambda x: np.divide(A, x),
    "power": lambda x: np.power(x, 2),
    "matmul": lambda x: np.matmul(x, A.T),
    "ndarray @": lambda x: A.T @ x,
    "ndarray -": lambda x: A - x,
    "scalar *": lambda x: np.float64(3) * x,
    "0-d /": lambda x: np.array(3.0) / x,
    "maximum": lambda x: np.maximum(x, 0.3),
    "minimum": lambda x: np.minimum(0.3, x),
    "sum": lambda x: np.sum(x),
    "sum axis": lambda x: np.sum(x, 1),
    "sum keepdims": lambda x: np.sum(x, axis=0, keepdims=True),
    "sum with defaults": lambda x: np.sum(x, 0, None, None),
    "mean": lambda x: np.mean(x),
    "mean axis": lambda x: np.mean(x, axis=(0, 1)),
    "var": lambda x: np.var(x, axis=1, ddof=1),
    "max": lambda x: np.max(x, axis=1),
    "amax": lambda x: np.amax(x),
    "min": lambda x: np.min(x, 0),
    "clip": lambda x: np.clip(x, -1.5, 1),
    "clip by name": lambda x: np.clip(x, a_min=-1.5, a_max=None),
    "where": lambda x: np.where(A > 0, x, 2 * A),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "transpose": lambda x: np.transpose(x, (1, 0)),
    "concatenate": lambda x: np.concatenate([x, A], axis=1),
    "stack": lambda x: np.stack((A, x)),
    "pad": lambda x: np.pad(x, ((1, 0), (0, 2))),
    "pad by name": lambda x: np.pad(x, pad_width=((1, 0), (0, 2)), constant_values=2.0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 2, 3)),
    "sin, cos": lambda x: np.sin(x) * np.cos(x),
    "log1p, expm1": lambda x: np.log1p(x * x) + np.expm1(x),
    "remainder": lambda x: np.remainder(x, 0.7),
    "prod": lambda x: np.prod(x, axis=1),
    "cumsum": lambda x: np.cumsum(x, 0),
    "std": lambda x: np.std(x, axis=1, ddof=1),
    "norm": lambda x: np.linalg.norm(x, axis=0, keepdims=True),
    "sort": lambda x: np.sort(x, axis=0),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 1), axis=1),
    "ravel": lambda x: np.ravel(x),
    "split": lambda x: np.split(x, 3, axis=1)[1],
    "einsum": lambda x: np.einsum("ij,kj->ik", x, A),
}


@pytest.mark.parametrize("f", CASES.values(), ids=CASES.keys())
def test_the_function_of_that_name(f):
    x = mg.tensor(A, requires_grad=True)
    y = f(x)
    assert isinstance(y, mg.Tensor) and y.requires_grad
    np.testing.assert_allclose(y.data, f(A), rtol=1e-14)
    mg.testing.gradcheck(f, [A + 0.01])


REFUSED = {  # a gradient would be lost, or a word of NumPy means nothing here
    "sinh": (lambda x: np.sinh(x), "np.sinh has no derivative here, and a .* leaf requires"),
    "ptp": (lambda x: np.ptp(x), r"np.ptp has no derivative here.*\(abs, add, .*var, where"),
    "norm of an order": (lambda x: np.linalg.norm(x, 1), "np.linalg.norm .*norm.* has no ord"),
    "einsum of lists": (lambda x: np.einsum(x, [0, 1], [0]), "einsum: expected subscripts"),
    "median": (lambda x: np.median(x), "np.median has no"),
    "dot": (lambda x: np.dot(x, A.T), "np.dot has no"),
    "dtype": (lambda x: np.sum(x, dtype=np.float32), "np.sum .* minigrad.sum.*has no dtype"),
    "dtype in place": (lambda x: np.mean(x, 0, np.float32), "minigrad.mean.*has no dtype"),
    "order": (lambda x: np.reshape(x, (3, 2), order="F"), "has no order"),
    "mode": (lambda x: np.pad(x, ((1, 1), (1, 1)), mode="edge"), "has no mode"),
    "out": (lambda x: np.exp(x, out=np.empty((2, 3))), "np.exp with out, .*would be lost"),
    "where": (lambda x: np.exp(x, where=A > 0), "np.exp with where"),
    "reduce": (lambda x: np.add.reduce(x), "np.add.reduce"),
    "accumulate": (lambda x: np.add.accumulate(x), "np.add.accumulate"),
    "no axis": (lambda x: np.concatenate([x, x], axis=None), "has no axis None"),
    "arguments": (lambda x: np.sum(), "missing"),
    "array": (lambda x: np.asarray(x), "requires a gradient; NumPy would lose it"),
}


@pytest.mark.parametrize("f, words", REFUSED.values(), ids=REFUSED.keys())
def test_what_would_lose_the_gradient_is_refused(f, words):
    with pytest.raises((TypeError, ValueError), match=words):
        f(mg.tensor(A, requires_grad=True))


def test_constants_may_go_everywhere():
    x = mg.tensor(A)
    np.testing.assert_array_equal(np.sin(x), np.sin(A))
    np.testing.assert_array_equal(np.median(x, axis=0), np.median(A, axis=0))
    np.testing.assert_array_equal(np.dot(A.T, x), A.T @ A)
    assert isinstance(np.exp(x), mg.Tensor) and not np.exp(x).requires_grad
    with pytest.raises(TypeError, match="out= cannot be a Tensor"):
        np.sin(A, out=x)


def test_questions_without_a_derivative_are_answered():
    x = mg.tensor(A, requires_grad=True)
    assert np.shape(x) == (2, 3) and np.size(x) == 6 and np.argmax(x) == 3
    assert np.isfinite(x).all() and np.allclose(x, A) and np.any(x)
    for mine, theirs in ((x > A, A < A), (x >= A, A >= A), (np.equal(A, x), A == A)):
        assert type(mine) is np.ndarray
        np.testing.assert_array_equal(mine, theirs)
    assert [v.tolist() for v in np.where(x)] == [v.tolist() for v in np.nonzero(A)]


# ---------------------------------------------------------------------- arrays that take Tensors
FILLED = {
    "one": lambda b, x: b.__setitem__(0, x[0, 0]),
    "one of two": lambda b, x: b.__setitem__((0,), x[0, 0]),
    "fill": lambda b, x: b.fill(x[0, 0]),
    "flat": lambda b, x: b.flat.__setitem__(0, x[0, 0]),
    "slice": lambda b, x: b.__setitem__(slice(0, 1), x[0, 0]),
    "row": lambda b, x: b.__setitem__(slice(0, 3), x[0]),
    "list": lambda b, x: b.__setitem__(slice(0, 2), [x[0, 0], x[0, 1]]),
    "mask": lambda b, x: b.__setitem__(b == 0, x[0, 0]),
    "copyto": lambda b, x: np.copyto(b, x[0]),
    "put": lambda b, x: np.put(b, 0, x[0, 0]),
    "+=": lambda b, x: b.__iadd__(x[0]),
    "array": lambda b, x: np.array([x[0, 0], x[0, 1]]),
    "full": lambda b, x: np.full(3, x[0, 0]),
    "float": lambda b, x: float(x[0, 0]),
    "int": lambda b, x: int(x[0, 0]),
}


@pytest.mark.parametrize("fill", FILLED.values(), ids=FILLED.keys())
def test_an_array_takes_no_tensor_without_a_word(fill):
    x, b = mg.tensor(A, requires_grad=True), np.zeros(3)
    as_numbers = [FILLED[name] for name in ("one", "one of two", "fill", "flat", "float", "int")]
    expected = pytest.warns(UserWarning, match="requires a gradient, and becomes a number")
    if fill not in as_numbers:  # NumPy asks these for an array
        expected = pytest.raises(TypeError, match="requires a gradient")
    with expected:
        fill(b, x)
    if fill not in (FILLED["array"], FILLED["full"]):
        with np.errstate(all="raise"):
            fill(b, mg.tensor(A))  # of a constant nothing is lost


def test_the_weights_update_that_everybody_writes():
    w, lr = mg.tensor([1.0, 2.0], requires_grad=True), 0.1
    (w * w).sum().backward()
    w.data -= lr * w.grad
    np.testing.assert_allclose(w.data, [0.8, 1.6])
    w.data -= lr * w.grad.data
    np.testing.assert_allclose(w.data, [0.6, 1.2])
    (w * w).sum().backward()  # the second graph saw the new values
    np.testing.assert_allclose(w.grad.data, [3.2, 6.4])


def test_numbers_in_texts():
    loss = mg.tensor([1.23456], requires_grad=True).sum()
    assert f"{loss:.2f}" == "1.23" and f"{loss:8.3e}" == "1.235e+00"
    assert f"{loss}" == str(loss) and "tensor(1.23456" in f"{loss}"
    with pytest.raises(TypeError, match=r"\(2,\) float64 array|Tensor cannot be written as '.2f'"):
        f"{mg.tensor([1.0, 2.0]):.2f}"
