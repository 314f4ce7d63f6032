"""Total correlation: the divergence in three parts, whose sum is exact, 0 for independent units,
and the minibatch-weighted estimate of R. Chen et al. (2018) but for its constant."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone

import autoencoder as ae
from autoencoder.parts import TotalCorrelation
from autoencoder.parts.total_correlation import divergence_in_parts
from minigrad import grad, tensor
from minigrad.testing import gradcheck

N, K = 6, 3


def codes():
    """Draws, means and log-variances, (N, K) each."""
    rng = np.random.default_rng(0)
    mean, log_variance = rng.standard_normal((N, K)), 0.5 * rng.standard_normal((N, K))
    return mean + np.exp(log_variance / 2) * rng.standard_normal((N, K)), mean, log_variance


def test_the_parts_are_those_of_two_loops():
    z, mean, log_variance = codes()
    parts = divergence_in_parts(z, mean, log_variance)
    for i in range(N):
        joint, alone = 0.0, np.zeros(K)
        for j in range(N):
            density = norm(mean[j], np.exp(log_variance[j] / 2)).pdf(z[i])  # (K,)
            joint += density.prod() / N
            alone += density / N
        own = norm(mean[i], np.exp(log_variance[i] / 2)).logpdf(z[i]).sum()
        expected = [
            own - np.log(joint),
            np.log(joint) - np.log(alone).sum(),
            np.log(alone).sum() - norm().logpdf(z[i]).sum(),
        ]
        np.testing.assert_allclose([part[i] for part in parts], expected, rtol=1e-11, atol=1e-12)


def test_their_sum_is_the_divergence_of_every_draw():
    z, mean, log_variance = codes()
    q = norm(mean, np.exp(log_variance / 2)).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(
        sum(divergence_in_parts(z, mean, log_variance)),
        q - norm().logpdf(z).sum(axis=1),
        rtol=1e-12,
    )


def test_it_is_0_where_the_units_are_independent_and_log_2_where_one_says_the_other():
    """Means on a grid make q(z) a product, exactly, whatever is drawn. On the diagonal of a far
    grid of two by two, one unit says the other: one bit."""
    grid = np.stack(np.meshgrid([-1.0, 0.5, 2.0], [0.0, 3.0]), axis=-1).reshape(-1, 2)  # (6, 2)
    z = np.random.default_rng(0).standard_normal(grid.shape)
    _, correlation, _ = divergence_in_parts(z, grid, np.full(grid.shape, -0.7))
    np.testing.assert_allclose(correlation, 0, atol=1e-14)
    diagonal = np.array([[-30.0, -30.0], [30.0, 30.0]])
    _, correlation, _ = divergence_in_parts(diagonal, diagonal, np.zeros((2, 2)))
    np.testing.assert_allclose(correlation, math.log(2), rtol=1e-13)


def test_a_row_of_weight_2_is_two_rows():
    arrays = codes()
    weight = np.array([2.0, 1, 1, 1, 1, 0.0])
    rows = [0, 0, 1, 2, 3, 4]
    twice = divergence_in_parts(*(a[rows] for a in arrays))
    once = divergence_in_parts(*arrays, weight)
    for a, b in zip(twice, once, strict=True):
        np.testing.assert_allclose(a, b[rows], rtol=1e-12, atol=1e-13)
    gradcheck(lambda *a: divergence_in_parts(*a, weight)[1].sum(), [a.copy() for a in arrays])


def test_it_is_the_minibatch_weighted_estimate_but_for_a_constant():
    """Equation S6 of the paper in PyTorch, for 1,000 rows of data; the gradients are the same."""
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    rows = 1000
    leaves = [torch.tensor(a, requires_grad=True) for a in codes()]
    z, mean, log_variance = leaves
    logs = torch.distributions.Normal(mean[None], torch.exp(log_variance / 2)[None]).log_prob(
        z[:, None]
    )
    joint = torch.logsumexp(logs.sum(2), 1) - math.log(N * rows)
    alone = (torch.logsumexp(logs, 1) - math.log(N * rows)).sum(1)
    theirs = (joint - alone).mean()
    own = [tensor(a, requires_grad=True) for a in codes()]
    mine = divergence_in_parts(*own)[1].mean()
    assert mine.item() + (K - 1) * math.log(rows) == pytest.approx(theirs.item(), rel=1e-12)
    for g, other in zip(grad(mine, own), torch.autograd.grad(theirs, leaves), strict=True):
        np.testing.assert_allclose(g.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


def test_units_that_the_penalty_makes_independent(tmp_path):
    """A rotated square: a uniform square has independent axes, which the usual price leaves
    rotated or not, and which are never as independent as with the penalty."""
    rng = np.random.default_rng(0)
    U = rng.uniform(-1, 1, (256, 2)) * [1.0, 0.9]
    X = U @ rng.standard_normal((2, 6))
    params = dict(max_epochs=40, batch_size=64, learning_rate=0.01, random_state=0)
    model = ae.VariationalAutoencoder(2, **params)
    found = []
    for penalty in (None, TotalCorrelation(weight=10.0)):
        model = clone(model).set_params(penalty=penalty).fit(X)
        mean, log_variance = model.posterior(X)
        z = mean + np.exp(log_variance / 2) * np.random.default_rng(1).standard_normal(mean.shape)
        found.append(divergence_in_parts(z, mean, log_variance)[1].mean())
    assert found[1] < found[0] / 2
    model.save(tmp_path / "model.npz")
    assert ae.load(tmp_path / "model.npz").penalty.weight == 10
    assert model.set_params(max_epochs=1).fit(X, sample_weight=U[:, 0] + 1).n_iter_ == 1


def test_it_needs_a_distribution():
    with pytest.raises(ValueError, match="TotalCorrelation: it is that of distributions, got Poin"):
        ae.Autoencoder(2, penalty="total_correlation").fit(codes()[0])
