"""At extreme values, NaN and infinity operations and their gradients are PyTorch's."""

import numpy as np
import pytest
from second_opinion import TOLERANCE, compare

import minigrad as mg
from minigrad import tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional
EXTREME = [-1000.0, -100.0, -80.0, -37.5, -1e-4, 0.0, 1e-20, 1e-4, 16.0, 37.5, 80.0, 100.0, 1000.0]
ROWS = [
    [1000.0, 1000.0, -1000.0],
    [-1000.0, -1000.0, -1000.0],
    [100.0, -100.0, 0.0],
    [-100.0, -100.0, 100.0],
    [1e-20, 0.0, -1e-20],
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param(mg.sigmoid, torch.sigmoid, id="sigmoid"),
        # F.softplus itself becomes linear beyond 20, where it is wrong by 2e-9
        pytest.param(mg.softplus, lambda x: -F.logsigmoid(-x), id="softplus"),
        pytest.param(mg.tanh, torch.tanh, id="tanh"),
        pytest.param(mg.relu, torch.relu, id="relu"),
    ],
)
def test_extreme_values_one_by_one(mine, theirs, dtype):
    for value in EXTREME:  # each alone, so that each is compared relative to itself
        array = np.array(value, dtype)
        y, t = mine(tensor(array)), theirs(torch.tensor(array))
        smallest = 1.0 if dtype == np.float32 and value == -100 else 1e-300
        if abs(t.item()) < smallest:  # PyTorch's float32 sigmoid(-100) is 0, ours is 3.8e-44
            assert abs(y.item() - t.item()) < 1e-43
        else:
            assert_close_to_torch(y, t, tolerance=TOLERANCE[dtype], what=f"at {value}")
    compare(mine, theirs, [np.array(EXTREME, dtype)], tolerance=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_extreme_rows(name, row, dtype):
    compare(
        lambda x: getattr(mg, name)(x, axis=-1),
        lambda x: getattr(torch, name)(x, dim=-1),
        [np.array(row, dtype)],
        tolerance=TOLERANCE[dtype],
    )


ODD = np.array([np.nan, np.inf, -np.inf, 0.0, 1.5, -2.0])


@pytest.mark.parametrize(
    ("mine", "theirs", "array"),
    [
        pytest.param(mg.exp, torch.exp, ODD, id="exp"),
        pytest.param(mg.log, torch.log, ODD, id="log"),
        pytest.param(mg.sqrt, torch.sqrt, ODD, id="sqrt"),
        pytest.param(mg.tanh, torch.tanh, ODD, id="tanh"),
        pytest.param(mg.sigmoid, torch.sigmoid, ODD, id="sigmoid"),
        pytest.param(mg.softplus, lambda x: -F.logsigmoid(-x), ODD, id="softplus"),
        pytest.param(mg.relu, torch.relu, ODD[1:], id="relu"),
        pytest.param(mg.abs, torch.abs, ODD[1:], id="abs"),
        pytest.param(lambda x: mg.clip(x, -1, 1), lambda x: x.clamp(-1, 1), ODD, id="clip"),
        pytest.param(lambda x: 1 / x, lambda x: 1 / x, ODD, id="divide"),
        pytest.param(lambda x: x * x, lambda x: x * x, ODD, id="multiply"),
        pytest.param(lambda x: x**2, lambda x: x**2, ODD, id="power"),
        pytest.param(
            lambda x: mg.where(np.isnan(ODD), 0.0, x),
            lambda x: torch.where(torch.tensor(np.isnan(ODD)), 0.0, x),
            ODD,
            id="where",
        ),
        pytest.param(mg.max, torch.amax, ODD, id="max of NaN"),
        pytest.param(mg.max, torch.amax, ODD[1:], id="max of inf"),
        pytest.param(mg.min, torch.amin, ODD[1:], id="min of -inf"),
        pytest.param(mg.sum, torch.sum, ODD, id="sum"),
        pytest.param(
            lambda x: mg.logsumexp(x, axis=0), lambda x: x.logsumexp(0), ODD[2:], id="logsumexp"
        ),
        pytest.param(mg.softmax, lambda x: x.softmax(-1), ODD[2:], id="softmax, one -inf"),
        pytest.param(mg.softmax, lambda x: x.softmax(-1), ODD, id="softmax"),
        pytest.param(mg.log_softmax, lambda x: x.log_softmax(-1), ODD[2:], id="log_softmax, -inf"),
        pytest.param(mg.log_softmax, lambda x: x.log_softmax(-1), ODD, id="log_softmax"),
    ],
)
def test_nan_and_infinity_pass_through(mine, theirs, array):
    with np.errstate(all="ignore"):
        compare(mine, theirs, [array], order=1)


@pytest.mark.parametrize(
    ("mine", "theirs", "arrays"),
    [
        pytest.param(mg.relu, torch.relu, [ODD], id="relu"),
        pytest.param(mg.maximum, torch.maximum, [ODD, ODD[::-1].copy()], id="maximum"),
        pytest.param(mg.minimum, torch.minimum, [ODD, ODD[::-1].copy()], id="minimum"),
    ],
)
def test_gradients_at_nan_are_not_hidden(mine, theirs, arrays):
    with np.errstate(all="ignore"):
        compare(mine, theirs, arrays, order=1)


@pytest.mark.parametrize("row", [[-np.inf, -np.inf], [np.inf, 1.0], [-np.inf, np.inf]], ids=str)
def test_logsumexp_of_infinities(row):
    array = np.array(row)
    assert_close_to_torch(mg.logsumexp(tensor(array)), torch.tensor(array).logsumexp(0))
