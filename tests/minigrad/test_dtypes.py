"""float32 stays float32 next to numbers, and integers and masks are constants."""

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def test_numbers_are_weak():
    x = vector(1, 2, dtype=np.float32)
    for number in (2, 2.5, np.float64(2.5), np.float32(2.5), np.int64(2), True, np.bool_(True)):
        for y in (x * number, number * x, x + number, number - x, x / 2, mg.maximum(x, number)):
            assert y.dtype == np.float32, number
            x.grad = None
            y.sum().backward()
            assert x.grad.dtype == np.float32
    for y in (x**2, x ** np.float64(2), mg.power(x, 0.5), mg.clip(x, 0, 1), x.clip(high=1.5)):
        assert y.dtype == np.float32


def test_the_bounds_of_clip_are_weak():
    x = vector(1, 2, dtype=np.float32)
    assert mg.clip(x, np.float64(0.0), np.float64(1.0)).dtype == np.float32


def test_a_number_to_the_power_of_a_float32_tensor():
    x = vector(1, 2, dtype=np.float32)
    y = 2.0**x
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_allclose(x.grad.data, np.log(2) * 2.0 ** np.arange(1, 3), rtol=1e-6)


def test_complex_numbers_are_refused():
    for number in (1j, np.complex128(1j)):
        with pytest.raises(TypeError, match="multiply"):
            vector(1) * number


def test_a_training_step_in_float32_makes_no_float64():
    def guard(p, where, phase, function, args):
        out = function(*args)
        arrays = [a._data if isinstance(a, mg.Tensor) else a for a in (*args, out)]
        for a in arrays:
            assert getattr(a, "dtype", None) != np.float64, f"{p.name} {phase}"
        return out

    rng = np.random.default_rng(0)
    model = mg.nn.Sequential(
        mg.nn.Conv2D(1, 2, stride=2, activation="relu", rng=rng),
        mg.nn.Conv2DTranspose(2, 1, stride=2, rng=rng),
        mg.nn.Dropout(0.2, rng=rng),
    )
    images = rng.random((2, 4, 4, 1)).astype(np.float32)
    optimizer = mg.optim.Adam(model.parameters())
    for loss in (
        lambda y: mg.losses.l2_loss(y, images),
        lambda y: mg.losses.binary_cross_entropy_with_logits(y, images),
        lambda y: mg.losses.binary_cross_entropy(mg.sigmoid(y), images),
        lambda y: mg.losses.bernoulli_kl(0.05, mg.sigmoid(y).mean(0)),
        lambda y: mg.losses.gaussian_kl(y, y) + mg.var(y) + mg.logsumexp(y) + y.max(),
        lambda y: (mg.resize_bicubic(y, 3) ** 2).mean(),
    ):
        with mg.hook(guard):
            optimizer.zero_grad()
            loss(model(images)).backward()
            optimizer.step()
        assert all(p.dtype == p.grad.dtype == np.float32 for p in model.parameters())
        assert all(a.dtype == np.float32 for state in optimizer.state for a in state)


def test_masks_are_welcome_as_constants():
    x = vector(1, 2)
    y = x * (x > 1.5)
    y.sum().backward()
    assert y.data.tolist() == [0, 2] and x.grad.data.tolist() == [0, 1]


def test_integers_travel_as_constants():
    """Reshaping or picking integers is no mathematics and works; arithmetic on them does not."""
    n = mg.tensor([[1, 2], [3, 4]])
    assert n.reshape(4)[1:].data.tolist() == [2, 3, 4]
    assert mg.concatenate([n, n]).shape == (4, 2) and n.T.dtype == n.dtype
    assert n.astype(np.float32).dtype == np.float32


@pytest.mark.parametrize("slope", [np.float64(0.5), np.float32(0.5), 1, 0.5])
def test_the_numbers_of_an_activation_are_weak(slope):
    x = mg.tensor(np.array([-1, 2], np.float32), requires_grad=True)
    for activation in (mg.leaky_relu, mg.elu, mg.hard_sigmoid):
        y = activation(x, slope)
        y.sum().backward()
        assert y.dtype == x.grad.dtype == activation(x.detach().numpy(), slope).dtype == np.float32
        with pytest.raises(TypeError, match=r"(slope|alpha) must be a number, got a \(1,\)"):
            activation(x, mg.tensor([0.5], requires_grad=True))  # its gradient would be lost


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16, np.bool_])
def test_one_argument_of_another_dtype_is_refused_as_well(dtype):
    x = mg.tensor(np.array([0, 1]).astype(dtype))
    for operation in (mg.exp, mg.tanh, lambda x: x * 2.0, lambda x: -x, mg.sum):
        with pytest.raises(
            TypeError, match=r"expected float32 or float64 arrays, all of one dtype"
        ):
            operation(x)
    assert mg.reshape(x, (2, 1)).dtype == x[:1].dtype == dtype  # what only moves numbers takes all


@pytest.mark.parametrize("operation", [mg.add, mg.multiply, mg.matmul, mg.maximum])
def test_two_float_dtypes_do_not_mix(operation):
    one, other = np.ones((2, 2), np.float32), np.ones((2, 2))
    for a, b in ((one, other), (other, one)):
        with pytest.raises(
            TypeError, match=r"expected float32 or float64 arrays, all of one dtype"
        ):
            operation(mg.tensor(a), mg.tensor(b))
