"""The importance-weighted objective: PyTorch's transcription, with one draw the lower bound, never
falling with more, and log p(x) where that is known, for probabilistic PCA."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, sem
from sklearn.base import clone

import autoencoder as ae
from autoencoder import objective
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode, GaussianLikelihood, assemble
from minigrad import grad

D, K, N, S2 = 5, 2, 6, 0.3  # features, units, rows, the decoder's variance


def linear(n_draws, widening=0.0):
    """A linear decoder x = W z + noise, the exact posterior (of log-variances too large by
    `widening`), rows and their exact log p(x)."""
    rng = np.random.default_rng(0)
    W = np.linalg.qr(rng.standard_normal((D, D)))[0][:, :K] * [1.5, 0.8]  # orthogonal columns
    precision = 1 + (W**2).sum(axis=0) / S2  # of the posterior, diagonal then
    parts = assemble(code=GaussianCode(n_draws=n_draws), likelihood=GaussianLikelihood(S2))
    network = build(Sizes(D, K), parts.code, rng, np.float64)
    encoder = W / S2 / precision  # (D, K)
    network.load_state_dict(
        {
            "encoder.layers.0.weight": np.hstack([encoder, np.zeros((D, K))]),
            "encoder.layers.0.bias": np.concatenate([np.zeros(K), widening - np.log(precision)]),
            "decoder.layers.0.weight": W.T,
            "decoder.layers.0.bias": np.zeros(D),
        }
    )
    X = rng.standard_normal((N, D))
    return network, parts, X, multivariate_normal(np.zeros(D), W @ W.T + S2 * np.eye(D)).logpdf(X)


def bound(network, parts, X, seed=0, **more):
    """The bound on log p(x), the mean over rows."""
    terms, _ = objective.loss_terms(network, parts, X, X, np.random.default_rng(seed), {}, **more)
    assert sorted(terms) == ["divergence", "reconstruction"]
    return -sum(t.item() for t in terms.values()) - objective.constant(parts, D)


@pytest.mark.parametrize("n_draws", [2, 5, 50])
def test_with_the_exact_posterior_every_draw_says_log_p(n_draws):
    network, parts, X, log_p = linear(n_draws)
    assert bound(network, parts, X) == pytest.approx(log_p.mean(), abs=1e-12)


def test_it_rises_with_the_draws_from_the_lower_bound_to_log_p():
    """Means over 200 draws of everything, of posteriors that are too wide."""
    found, errors = [], []
    for n_draws in (1, 2, 8, 64):
        network, parts, X, log_p = linear(n_draws, widening=0.7)
        values = [bound(network, parts, X, seed) for seed in range(200)]
        found.append(np.mean(values))
        errors.append(sem(values))
    assert (np.diff(found) > 4 * np.array(errors[1:])).all()
    mean, (variance,) = 0.7, {np.exp(0.7)}
    gap = K * (variance - 1 - mean) / 2  # KL(q || exact posterior): both units are too wide alike
    assert abs(found[0] - (log_p.mean() - gap)) < 4 * errors[0]  # one draw: the lower bound
    assert log_p.mean() - 0.02 < found[-1] < log_p.mean() + 4 * errors[-1]


def test_one_weight_is_the_lower_bound_of_that_draw():
    """log p(x | z) + log p(z) - log q(z | x) with scipy's densities."""
    network, parts, X, _ = linear(1, widening=0.7)
    h = network.encode(X)
    z, terms = objective._importance_weighted(
        network, parts, h, None, X, np.random.default_rng(0), None, None
    )
    h, z = h.numpy(), z.numpy()
    q = norm(h[:, :K], np.exp(h[:, K:] / 2)).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(
        parts.code.log_ratio(h, z), norm().logpdf(z).sum(axis=1) - q, rtol=1e-12
    )
    p = norm(network.decode(z).numpy(), S2**0.5).logpdf(X).sum(axis=1)
    value = -sum(t.item() for t in terms.values()) - objective.constant(parts, D)
    assert value == pytest.approx((p + norm().logpdf(z).sum(axis=1) - q).mean(), rel=1e-12)


@pytest.mark.parametrize("likelihood", ["bernoulli", GaussianLikelihood(S2), "optimal_gaussian"])
def test_it_is_pytorchs_with_all_gradients(likelihood):
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    rng, draws = np.random.default_rng(0), 4
    parts = assemble(code=GaussianCode(n_draws=draws), likelihood=likelihood)
    network = build(Sizes(D, K, hidden=(4,), activation="tanh"), parts.code, rng, np.float64)
    X = rng.random((N, D))
    terms, _ = objective.loss_terms(network, parts, X, X, np.random.default_rng(7), {})
    mine = sum(terms.values())

    w = {name: torch.tensor(v, requires_grad=True) for name, v in network.state_dict().items()}

    def layers(half, y):
        y = torch.tanh(y @ w[f"{half}.layers.0.weight"] + w[f"{half}.layers.0.bias"])
        return y @ w[f"{half}.layers.1.weight"] + w[f"{half}.layers.1.bias"]

    x = torch.tensor(X)
    h = layers("encoder", x)
    q = torch.distributions.Normal(h[:, :K], torch.exp(h[:, K:] / 2))
    same = np.random.default_rng(7)
    noise = torch.tensor(np.stack([same.standard_normal((N, K)) for _ in range(draws)]))
    z = q.mean + q.stddev * noise  # (draws, N, K)
    t = layers("decoder", z)
    if likelihood == "bernoulli":
        p = torch.distributions.Bernoulli(logits=t, validate_args=False)
        log_p = p.log_prob(x.expand_as(t)).sum(dim=2)
    else:
        own = ((x - t) ** 2).mean()
        variance = own if likelihood == "optimal_gaussian" else torch.tensor(S2, dtype=x.dtype)
        log_p = torch.distributions.Normal(t, variance.sqrt()).log_prob(x).sum(dim=2)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=2)
    log_w = log_p + prior - q.log_prob(z).sum(dim=2)  # (draws, N)
    theirs = -(torch.logsumexp(log_w, dim=0) - np.log(draws)).mean()

    assert mine.item() + objective.constant(parts, D) == pytest.approx(theirs.item(), rel=1e-12)
    assert terms["reconstruction"].item() + objective.constant(parts, D) == pytest.approx(
        -log_p.mean().item(), rel=1e-12
    )
    other = torch.autograd.grad(theirs, list(w.values()))
    for g, expected in zip(grad(mine, network.parameters()), other, strict=True):
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-9, atol=1e-12)


def test_rows_count_by_their_weight():
    network, parts, X, _ = linear(5, widening=0.7)
    constant, weight = objective.constant(parts, D), np.arange(1.0, N + 1)
    each = [bound(network, parts, X, weight=row) + constant for row in np.eye(N)]
    whole = bound(network, parts, X, weight=weight) + constant
    assert whole == pytest.approx(weight @ each, rel=1e-12)


def test_missing_numbers_do_not_count():
    """The bound is that of the model of the other columns alone: its exact log p(x)."""
    network, parts, X, _ = linear(5)
    state = network.state_dict()
    W = state["decoder.layers.0.weight"].T.copy()
    W[[0, 3]] = 0  # so that the posterior that is exact knows nothing of these columns
    precision = np.eye(K) + W.T @ W / S2
    rotation = np.linalg.eigh(precision)[1]
    W, precision = W @ rotation, np.linalg.eigvalsh(precision)
    state["decoder.layers.0.weight"] = W.T
    state["encoder.layers.0.weight"][:, :K] = W / S2 / precision
    state["encoder.layers.0.bias"][K:] = -np.log(precision)
    network.load_state_dict(state)
    observed = np.ones((N, D))
    observed[:, [0, 3]] = 0
    rest = [1, 2, 4]
    exact = multivariate_normal(np.zeros(3), (W @ W.T)[np.ix_(rest, rest)] + S2 * np.eye(3))
    found = bound(network, parts, X, observed=observed) + objective.constant(parts, D)
    found -= objective.constant(parts, 3)
    assert found == pytest.approx(exact.logpdf(X[:, rest]).mean(), abs=1e-12)


def test_an_estimator_trains_with_it(tmp_path):
    X = np.random.default_rng(0).random((60, D))
    model = ae.VariationalAutoencoder(K, max_epochs=3, random_state=0)
    model = clone(model.set_params(code__n_draws=3)).fit(X, sample_weight=np.arange(60))
    assert set(model.history_) >= {"loss", "reconstruction", "divergence"}
    model.save(tmp_path / "model.npz")
    again = ae.load(tmp_path / "model.npz")
    assert again.code.n_draws == 3
    np.testing.assert_array_equal(again.elbo(X), model.elbo(X))


def test_what_does_not_go_with_it_is_refused():
    X = np.random.default_rng(0).random((10, D))
    for params in ({"beta": 2}, {"warm_up": 0.5}, {"free_bits": 0.1}):
        model = ae.VariationalAutoencoder(K, code=GaussianCode(n_draws=2, **params))
        with pytest.raises(ValueError, match="with n_draws above 1 the divergence has no price"):
            model.fit(X)
    with pytest.raises(ValueError, match="n_draws must be a whole number of at least 1, got 0"):
        ae.VariationalAutoencoder(K, code=GaussianCode(n_draws=0)).fit(X)
    X[0, 0] = np.nan
    model = ae.VariationalAutoencoder(K, code=GaussianCode(n_draws=2), missing="mask")
    with pytest.raises(ValueError, match=r"no optimal variance .*Likelihood\(variance\), or"):
        model.fit(X)
