"""Penalties and their gradients equal their formulas (the contractive one: test_contractive.py)."""

import numpy as np
import pytest
from scipy import stats

from autoencoder import SparseAutoencoder
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode, PointCode
from autoencoder.parts.penalty import Batch, ContractivePenalty, KLSparsity, L1Penalty, WeightDecay
from minigrad import grad, nn, tensor


def batch(code="sigmoid", d=6, k=3, n=4, *, dtype=np.float64, memory=None, **settings):
    """A batch of a small network with random biases as well."""
    rng = np.random.default_rng(0)
    code = PointCode(code) if isinstance(code, str) else code
    network = build(Sizes(d, k, **settings), code, rng, dtype)
    for p in network.parameters():
        p.data = (0.8 * rng.standard_normal(p.shape)).astype(dtype)
    x = rng.random((n, d)).astype(dtype)
    h = network.encode(x)
    z = code.sample(h, rng)
    return Batch(network, code, x, h, z, rng, {} if memory is None else memory)


def codes(values):
    """A batch with given codes (N, k) in (0, 1), and the leaf that makes them."""
    h = tensor(np.log(values) - np.log1p(-values), requires_grad=True)
    network = build(Sizes(2, 1), PointCode(), np.random.default_rng(0), np.float64)
    return Batch(network, PointCode("sigmoid"), None, h, None, None, {}), h


# ---------------------------------------------------------------------- L1
def test_l1_is_the_sum_of_code_sizes_for_each_example():
    b = batch("tanh")
    expected = 0.3 * np.abs(b.code.mean(b.h).numpy()).sum() / 4
    assert L1Penalty(0.3)(b).item() == pytest.approx(expected, rel=1e-14)
    (slope,) = grad([L1Penalty(0.3)(b)], [b.h])
    code = np.tanh(b.h.numpy())
    np.testing.assert_allclose(slope.numpy(), 0.3 / 4 * np.sign(code) * (1 - code**2), rtol=1e-13)


def test_l1_of_a_gaussian_code_is_that_of_its_mean():
    b = batch(GaussianCode())
    expected = np.abs(b.h.numpy()[:, :3]).sum() / 4
    assert L1Penalty(1.0)(b).item() == pytest.approx(expected, rel=1e-14)


# ---------------------------------------------------------------------- KL sparsity
def kl(p, q):
    return stats.entropy([p, 1 - p], [q, 1 - q])


def test_the_first_value_is_the_divergence_of_the_batch_mean():
    activations = np.random.default_rng(0).uniform(0.01, 0.6, (50, 3))
    b, h = codes(activations)
    value = KLSparsity(target=0.05, weight=2.0)(b)
    r = activations.mean(axis=0)
    assert value.item() == pytest.approx(2 * sum(kl(0.05, q) for q in r), rel=1e-12)
    slope = grad(value, h).numpy()
    chain = activations * (1 - activations) / 50  # from the mean to each h
    np.testing.assert_allclose(slope, 2 * (-0.05 / r + 0.95 / (1 - r)) * chain, rtol=1e-10)


def test_the_value_is_that_of_the_running_mean_and_the_gradient_passes_the_batch_mean():
    rng, penalty, memory = np.random.default_rng(1), KLSparsity(0.1, weight=1.0, momentum=0.8), {}
    running = None
    for _ in range(5):
        activations = rng.uniform(0.01, 0.9, (20, 3))
        b, h = codes(activations)
        value = penalty(b._replace(memory=memory))
        now = activations.mean(axis=0)
        running = now if running is None else 0.8 * running + 0.2 * now
        assert value.item() == pytest.approx(sum(kl(0.1, q) for q in running), rel=1e-12)
        chain = activations * (1 - activations) / 20
        expected = (-0.1 / running + 0.9 / (1 - running)) * chain
        np.testing.assert_allclose(grad(value, h).numpy(), expected, rtol=1e-9)
    assert type(memory["kl_sparsity"]) is np.ndarray  # so that it can be saved
    np.testing.assert_allclose(memory["kl_sparsity"], running, rtol=1e-14)


def test_a_running_mean_is_less_biased_than_that_of_one_small_batch():
    """The divergence is convex: at the target itself, small batches are charged on average."""
    rng, target = np.random.default_rng(2), 0.2

    def average(momentum):
        penalty, memory, values = KLSparsity(target, weight=1.0, momentum=momentum), {}, []
        for _ in range(300):
            b, _ = codes(rng.beta(1, 4, (8, 3)).clip(1e-9))  # of mean 1 / 5
            values.append(penalty(b._replace(memory=memory)).item())
        return np.mean(values[50:])

    assert 0 < average(0.9) < average(0.0) / 5


def test_evaluation_takes_the_mean_of_its_batch_and_remembers_nothing():
    penalty = KLSparsity(0.1, weight=1.0)
    b, _ = codes(np.full((4, 2), 0.3))
    memory = {"kl_sparsity": np.array([0.9, 0.9])}
    b.network.eval()
    value = penalty(b._replace(memory=memory)).item()
    assert value == pytest.approx(2 * kl(0.1, 0.3), rel=1e-12)
    np.testing.assert_array_equal(memory["kl_sparsity"], [0.9, 0.9])


@pytest.mark.parametrize("target", [0.0, 0.05, 0.5])
def test_units_begin_at_the_target(target):
    """The mean of the data is subtracted first, so that the biases alone decide."""
    X = np.random.default_rng(0).normal(7.0, 1.0, (200, 6))
    penalty = KLSparsity(target, weight=1.0)
    model = SparseAutoencoder(4, hidden=(5,), penalty=penalty, scale=None, max_epochs=1)
    model.set_params(learning_rate=1e-12, random_state=0).fit(X)
    assert abs(np.median(model.transform(X)) - target) < 0.2 * target + 1e-5


@pytest.mark.parametrize(("bias", "expected"), [(-1.25, -1.25), (0.0, np.log(0.05 / 0.95))])
def test_a_last_bias_of_ones_own_stays(bias, expected):
    def own(sizes, code, rng, dtype):
        encoder = nn.Dense(sizes.n_features, sizes.n_components, rng=rng, dtype=dtype)
        encoder.bias.data[...] = bias
        return encoder, nn.Dense(sizes.n_components, sizes.n_features, rng=rng, dtype=dtype)

    model = SparseAutoencoder(3, network=own, max_epochs=0, random_state=0)
    encoder = model.fit(np.random.default_rng(0).random((20, 6))).network_.encoder
    np.testing.assert_allclose(encoder.bias.data, expected, rtol=1e-12)


def test_it_is_zero_at_the_target_and_nowhere_else():
    values = [
        KLSparsity(0.2, weight=1.0)(codes(np.full((3, 1), q))[0]).item() for q in (0.1, 0.2, 0.3)
    ]
    assert values[1] == pytest.approx(0, abs=1e-15) and min(values[0], values[2]) > 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [-1, 1])
def test_dead_and_saturated_units_cost_a_finite_amount_and_are_pushed_back(sign, dtype):
    for size in (10.0, 15.0, 800.0):  # the last rounds to 0 or 1 exactly
        h = tensor(np.full((4, 2), size * sign, dtype), requires_grad=True)
        value = KLSparsity(0.05, weight=1.0)(codes(np.full((1, 1), 0.5))[0]._replace(h=h))
        slope = grad(value, h)
        assert np.isfinite(value.item()) and value.dtype == slope.dtype == dtype
        assert np.isfinite(slope.numpy()).all()
        if size < 800:  # a step down the slope leads away from the end
            assert (np.sign(slope.numpy()) == sign).all()


@pytest.mark.parametrize(
    ("code", "name"),
    [(PointCode("relu"), "a relu code"), (PointCode("tanh"), "a tanh code")]
    + [(GaussianCode(), "a GaussianCode")],
)
def test_codes_outside_of_0_to_1_are_refused(code, name):
    with pytest.raises(ValueError, match=f"between 0 and 1, got {name}: use code='sigmoid'"):
        KLSparsity()(batch(code))


# ---------------------------------------------------------------------- weight decay
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("settings", [{"d": 6}, {"d": 20, "image_shape": (5, 4, 1)}], ids=str)
def test_weight_decay_is_of_kernels_and_matrices_each_once(settings, tied):
    b = batch(hidden=(4,), tied=tied, **settings)
    weights = [p.numpy() for p in b.network.parameters() if p.ndim > 1]
    assert len(weights) == (2 if tied else 4)
    squares, sizes = sum((w**2).sum() for w in weights), sum(np.abs(w).sum() for w in weights)
    assert WeightDecay(0.3)(b).item() == pytest.approx(0.15 * squares, rel=1e-13)
    assert WeightDecay(0.3, norm="l1")(b).item() == pytest.approx(0.3 * sizes, rel=1e-13)
    slopes = grad(WeightDecay(0.3)(b), b.network.parameters(), allow_unused=True)
    for p, g in zip(b.network.parameters(), slopes, strict=True):
        if p.ndim == 1:
            assert g is None
        else:
            np.testing.assert_allclose(g.numpy(), 0.3 * p.numpy(), rtol=1e-13)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm must be 'l1' or 'l2', got 'max'"):
        WeightDecay(norm="max")(batch())


# ---------------------------------------------------------------------- all
@pytest.mark.parametrize(
    "penalty",
    [
        L1Penalty(np.float64(0.1)),
        KLSparsity(np.float64(0.1), np.float64(1), np.float64(0.5)),
        ContractivePenalty(np.float64(0.1)),
        ContractivePenalty(np.float64(0.1), "hutchinson"),
        WeightDecay(np.float64(0.1)),
        WeightDecay(np.float64(0.1), "l1"),
    ],
    ids=repr,
)
def test_float32_stays_float32_and_the_weight_scales(penalty):
    b = batch(dtype=np.float32, memory={"kl_sparsity": np.full(3, 0.5, np.float32)})
    value = penalty(b._replace(rng=np.random.default_rng(0)))
    assert value.dtype == np.float32 and value.shape == ()
    assert all(m.dtype == np.float32 for m in b.memory.values())
    b.memory["kl_sparsity"] = np.full(3, 0.5, np.float32)
    double = type(penalty)(**{**penalty.get_params(), "weight": 2 * penalty.weight})
    twice = double(b._replace(rng=np.random.default_rng(0)))
    assert twice.item() == pytest.approx(2 * value.item(), rel=1e-6)
