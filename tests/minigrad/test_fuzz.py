"""Proves that every public function, given anything, answers or raises an error of this library's
own: a sentence that begins with the operation, never a bare NumPy message."""

import inspect
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
FIRST = st.one_of(arrays(), arrays(), arrays(), ANYTHING)
OPTIONS = {
    "axis": st.sampled_from([None, 0, 1, -1, 7, (0, 1), "x"]),
    "keepdims": st.booleans(),
    "reduction": st.sampled_from(["mean", "sum", "none", "all", None]),
    "activation": st.sampled_from([None, "relu", "tanh", "nothing", 3]),
    "stride": st.sampled_from([1, 2, 0, (1, 2), 1.5, "x"]),
    "padding": st.sampled_from(["same", "valid", 1, -1, ((0, 1), (2, 0)), "x", 2.5]),
    "ddof": st.sampled_from([0, 1, 9, None, "x"]),
    "reverse": st.booleans(),
    "approximate": st.sampled_from(["none", "tanh", "x", None]),
    "interpolation": st.sampled_from(["nearest", "bilinear", "x", None]),
    "dtype": st.sampled_from([np.float32, np.float64, int, "x", None]),
    "dilation": st.sampled_from([1, 2, 0, "x"]),
    "groups": st.sampled_from([1, 2, 0, "x"]),
    "rng": st.sampled_from([np.random.default_rng(0), None, 1]),
}
CONVOLUTION = ["stride", "padding", "dilation", "groups", "activation"]
ALIKE = {  # names: (how many arguments of any kind they get, the options that they get by name)
    "exp log sqrt tanh sigmoid relu softplus abs sign negative sin cos log1p expm1": (1, []),
    "normal_cdf silu log_sigmoid global_avg_pool2d global_max_pool2d tensor": (1, []),
    "logsumexp sum mean max min norm prod argmax argmin": (1, ["axis", "keepdims"]),
    "var std": (1, ["axis", "keepdims", "ddof"]),
    "softmax log_softmax sort squeeze": (1, ["axis"]),
    "cumsum": (1, ["axis", "reverse"]),
    "gelu": (1, ["approximate"]),
    "astype": (1, ["dtype"]),
    "add subtract multiply divide power maximum minimum matmul remainder": (2, []),
    "reshape transpose broadcast_to sum_to unsqueeze getitem pad embedding": (2, []),
    "leaky_relu elu resize_bicubic resize_bilinear": (2, []),
    "split": (2, ["axis"]),
    "upsample2d": (2, ["interpolation"]),
    "dropout gaussian_noise": (2, ["rng"]),
    "max_pool2d": (2, ["stride", "padding", "dilation"]),
    "avg_pool2d": (2, ["stride", "padding"]),
    "where clip scatter hard_sigmoid flatten batch_norm": (3, []),
    "layer_norm": (3, ["axis"]),
    "group_norm": (4, []),
    "dense": (3, ["activation"]),
    "conv2d conv2d_transpose conv1d conv1d_transpose": (3, CONVOLUTION),
    "conv2d_weight": (3, CONVOLUTION[:-1]),
}
FUNCTIONS = {n: (getattr(mg, n), *how) for names, how in ALIKE.items() for n in names.split()} | {
    "concatenate": (lambda a, b, **k: mg.concatenate([a, b], **k), 2, ["axis"]),
    "stack": (lambda a, b, **k: mg.stack([a, b], **k), 2, ["axis"]),
    "einsum": (lambda a, b: mg.einsum("ij,j...->i...", a, b), 2, []),
}
LOSSES = {
    name: (function, 2, ["reduction"])
    for name, function in vars(losses).items()
    if inspect.isfunction(function) and "reduction" in inspect.signature(function).parameters
    and name[0] != "_"
}  # fmt: skip
FUNCTIONS |= LOSSES
# what is public and no function of arrays
OTHERS = "Tensor from_dlpack get_num_threads grad hook hvp jacobian jvp no_grad override primitive"
OTHERS += " registry set_num_threads show_config value_and_grad vjp"
OURS = (ValueError, TypeError, IndexError)
# what the functions above are made of, so what their errors may begin with as well
KNOWN = {
    *("add", "subtract", "multiply", "divide", "sum", "mean", "exp", "log", "matmul", "where"),
    *("reshape", "getitem", "concatenate", "log_softmax", "bernoulli_nll"),
    *("bernoulli_nll_of_logits", "squared_distance", "scaled_difference"),
    *("normal_cdf", "max", "resize_bilinear", "sum_to"),
}
# of each function: the same ones in every run of the suite, others if a number is given
GIVEN = os.environ.get("MINIGRAD_FUZZ_EXAMPLES")


def test_no_public_operation_is_missing():
    public = {name for name in mg.__all__ if not inspect.ismodule(getattr(mg, name))}
    assert public - set(OTHERS.split()) == set(FUNCTIONS) - set(LOSSES)
    assert len(LOSSES) == 11


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
    arguments = [data.draw(FIRST if k == 0 else ANYTHING, label=f"{k}") for k in range(count)]
    chosen = {o: data.draw(OPTIONS[o], label=o) for o in options if data.draw(st.booleans())}
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            y = function(*arguments, **chosen)
    except ArithmeticError:  # Python's own, of numbers
        assert not any(hasattr(a, "ndim") for a in arguments)
        return
    except OURS as error:
        message = str(error)
        assert ":" in message and len(message) > 20, message
        subject = message.split(":")[0]
        assert name.split("_")[0] in subject or subject in KNOWN, message
        return
    y = y[-1] if isinstance(y, list) else y
    assert isinstance(y, mg.Tensor | np.ndarray | np.generic | float | int), type(y)
    check_backward(y)


def check_backward(y):
    if isinstance(y, mg.Tensor) and y.requires_grad:
        g = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            y.backward(g)
