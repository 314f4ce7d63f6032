"""Proves that every public function, given anything, answers or raises an error of this library's
own: a sentence that begins with the operation, never a bare NumPy message."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from minigrad import losses

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
DTYPES = st.sampled_from(
    [
        np.float32,
        np.float64,
        np.float64,
        np.float64,
        np.int64,
        np.bool_,
        np.float16,
        np.complex128,
        "U2",
    ]
)
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32) | st.sampled_from([0.0, 1.0, 0.5])


@st.composite
def arrays(draw):
    """Arrays and Tensors of any shape, dtype, strides and content."""
    shape, dtype = draw(SHAPES), np.dtype(draw(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = np.asarray(rng.standard_normal(shape) * draw(st.sampled_from([1, 1, 1e30, 1e-30])))
    if dtype.kind == "f" and values.size and draw(st.booleans()):
        values = values.copy()
        values.flat[0] = draw(FLOATS)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = values.astype(dtype)
    if draw(st.booleans()) and x.ndim:
        x = x[::-1]
    if draw(st.booleans()):
        x = np.asfortranarray(x)
    if dtype in (np.float32, np.float64) and draw(st.booleans()):
        return mg.tensor(x, requires_grad=draw(st.booleans()))
    return x


ANYTHING = arrays() | FLOATS | st.integers(-3, 5) | st.sampled_from([None, "x", [1, 2], (), {}])
OPTIONS = {
    "axis": st.sampled_from([None, 0, 1, -1, 7, (0, 1), "x"]),
    "keepdims": st.booleans(),
    "reduction": st.sampled_from(["mean", "sum", "none", "all", None]),
    "activation": st.sampled_from([None, "relu", "tanh", "nothing", 3]),
    "stride": st.sampled_from([1, 2, 0, (1, 2), 1.5, "x"]),
    "padding": st.sampled_from(["same", "valid", 1, -1, ((0, 1), (2, 0)), "x", 2.5]),
}
UNARY = "exp log sqrt tanh sigmoid relu softplus abs sign negative logsumexp softmax log_softmax"
REDUCTIONS = "sum mean max min var"
BINARY = "add subtract multiply divide power maximum minimum matmul"
FUNCTIONS = {
    **{name: (getattr(mg, name), 1, []) for name in UNARY.split() if hasattr(mg, name)},
    **{name: (getattr(mg, name), 1, ["axis", "keepdims"]) for name in REDUCTIONS.split()},
    **{name: (getattr(mg, name), 2, []) for name in BINARY.split() if hasattr(mg, name)},
    "where": (mg.where, 3, []),
    "clip": (mg.clip, 3, []),
    "reshape": (mg.reshape, 2, []),
    "transpose": (mg.transpose, 2, []),
    "broadcast_to": (mg.broadcast_to, 2, []),
    "concatenate": (lambda a, b, **k: mg.concatenate([a, b], **k), 2, ["axis"]),
    "stack": (lambda a, b, **k: mg.stack([a, b], **k), 2, ["axis"]),
    "dense": (mg.dense, 3, ["activation"]),
    "conv2d": (mg.conv2d, 3, ["stride", "padding", "activation"]),
    "conv2d_transpose": (mg.conv2d_transpose, 3, ["stride", "padding", "activation"]),
    "resize_bicubic": (mg.resize_bicubic, 2, []),
    "tensor": (mg.tensor, 1, []),
    **{
        name: (getattr(losses, name), 2, ["reduction"])
        for name in ("l2_loss", "mse_loss", "binary_cross_entropy", "cross_entropy",
                     "binary_cross_entropy_with_logits", "kl_divergence", "gaussian_kl",
                     "bernoulli_kl", "l1_loss", "huber_loss")
    },
}  # fmt: skip
OURS = (ValueError, TypeError, IndexError)
# what the functions above are made of, so what their errors may begin with as well
KNOWN = {
    *("add", "subtract", "multiply", "divide", "sum", "mean", "exp", "log", "matmul", "where"),
    *("reshape", "getitem", "concatenate", "log_softmax", "bernoulli_nll"),
    *("bernoulli_nll_of_logits", "squared_distance", "scaled_difference"),
}
# of each function: the same ones in every run of the suite, others if a number is given
GIVEN = os.environ.get("MINIGRAD_FUZZ_EXAMPLES")


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(
    max_examples=int(GIVEN or 40),
    derandomize=GIVEN is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_an_answer_or_a_sentence(name, data):
    function, count, options = FUNCTIONS[name]
    arguments = [data.draw(arrays() if k == 0 else ANYTHING, label=f"{k}") for k in range(count)]
    chosen = {o: data.draw(OPTIONS[o], label=o) for o in options if data.draw(st.booleans())}
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            y = function(*arguments, **chosen)
    except OURS as error:
        message = str(error)
        assert ":" in message and len(message) > 20, message
        subject = message.split(":")[0]
        assert name.split("_")[0] in subject or subject in KNOWN, message
        return
    assert isinstance(y, mg.Tensor | np.ndarray | np.generic | float | int), type(y)
    if isinstance(y, mg.Tensor) and y.requires_grad:
        g = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            y.backward(g)
