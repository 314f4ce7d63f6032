"""Proves that trained linear models reach their exact optima: PCA, the Wiener filter,
probabilistic PCA; and that the bounds on log p(x) are bounds, beside the exact log p(x)."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

import autoencoder as ae
from autoencoder import inference

D, K = 10, 3


@pytest.fixture(scope="module")
def X():
    """500 rows of a 3-dimensional signal with distinct variances, plus noise of variance 0.1."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(D, D)))[0]
    signal = rng.normal(size=(500, K)) * [2.0, 1.5, 1.0]
    return 0.5 + signal @ axes[:K] + np.sqrt(0.1) * rng.normal(size=(500, D))


def train(kind, X, n_components=K, **params):
    """Full batches, a rate that falls to zero: the optimum, not its neighbourhood."""
    settings = dict(code="linear", batch_size=len(X), learning_rate=0.05, schedule="cosine")
    settings["scale"] = None  # standardised columns have other principal components
    return kind(n_components, **{**settings, "random_state": 0, **params}).fit(X)


def test_a_linear_autoencoder_is_pca(X):
    model, pca = train(ae.Autoencoder, X, max_epochs=800), PCA(K).fit(X)
    new = X[::-1] + np.random.default_rng(1).normal(size=X.shape)  # error on data not trained on
    for rows in (X, new):
        best = np.square(rows - pca.inverse_transform(pca.transform(rows))).mean()
        assert np.square(rows - model.reconstruct(rows)).mean() == pytest.approx(best, rel=1e-6)
    decoder = model.inverse_transform(np.eye(K)) - model.inverse_transform(np.zeros((1, K)))
    assert subspace_angles(decoder.T, pca.components_.T).max() < 1e-3


def test_a_linear_denoising_autoencoder_is_the_wiener_filter(X):
    """The optimum of the expected loss is known exactly: with all D code units it is
    mu + S (S + s^2 I)^-1 (x - mu). The noise drawn while training leaves its elements random errors
    of 0.001, the largest of them 0.004, hence the tolerance; the identity is 0.8 away."""
    std = 0.7
    model = train(
        ae.DenoisingAutoencoder,
        X,
        n_components=D,
        noise=ae.GaussianNoise(std),
        max_epochs=1500,
        learning_rate=0.02,
    )
    mean, S = X.mean(axis=0), np.cov(X.T, bias=True)
    wiener = S @ np.linalg.inv(S + std**2 * np.eye(D))
    offset = model.reconstruct(mean[None])[0]
    learnt = (model.reconstruct(mean + np.eye(D)) - offset).T
    np.testing.assert_allclose(learnt, wiener, atol=0.012)
    np.testing.assert_allclose(offset, mean, atol=0.012)
    assert abs(np.eye(D) - wiener).max() > 0.5


@pytest.fixture(scope="module")
def vae(X):
    likelihood = ae.GaussianLikelihood("optimal")
    return train(
        ae.VariationalAutoencoder,
        X,
        code="gaussian",
        likelihood=likelihood,
        max_epochs=1500,
        learning_rate=0.02,
    )


def test_a_linear_variational_autoencoder_reaches_probabilistic_pca(X, vae):
    """What remains are the draws of the codes while training: 3e-4 of the score, measured. (PCA
    divides by n - 1 and the likelihood's maximum by n, which is worth D / (4 n^2), nothing.)"""
    score = PCA(K).fit(X).score(X)
    bound = inference.log_weights(vae._model, X, 50).mean()
    assert bound == pytest.approx(score, rel=1e-3)
    assert vae.elbo(X, 200).mean() == pytest.approx(score, abs=0.02)
    assert vae.noise_variance_ == pytest.approx(PCA(K).fit(X).noise_variance_, rel=0.01)
    independent = multivariate_normal(X.mean(axis=0), np.diag(X.var(axis=0))).logpdf(X).mean()
    assert independent < score - 1  # what a collapsed code would reach


def optimum(model, X):
    """Give the linear VAE `model` the weights of probabilistic PCA of `X`, its exact optimum.

    M. Tipping and C. Bishop, 1999, for maximum likelihood, which divides by n.
    """
    mean = X.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))
    values, vectors = values[::-1], vectors[:, ::-1]
    variance = values[K:].mean()
    W = vectors[:, :K] * np.sqrt(values[:K] - variance)  # (D, K)
    encoder = W / values[:K]  # posterior mean: M^-1 W^T (x - mean), M = W^T W + variance = values
    spread = np.log(variance / values[:K])  # posterior log-variances
    set_weights(
        model,
        {
            "encoder.layers.0.weight": np.hstack([encoder, np.zeros((D, K))]),
            "encoder.layers.0.bias": np.concatenate([np.zeros(K), spread]),  # of centred rows
            "decoder.layers.0.weight": W.T,
            "decoder.layers.0.bias": np.zeros(D),  # the decoder begins at the mean
        },
    )
    model.noise_variance_ = variance
    return mean, W @ W.T + variance * np.eye(D)


def set_weights(model, state):
    network = model.network_  # a copy
    network.load_state_dict(network.state_dict() | state)
    model.network_ = network


@pytest.fixture(scope="module")
def exact(X):
    model = train(ae.VariationalAutoencoder, X, code="gaussian", max_epochs=0)
    mean, covariance = optimum(model, X)
    return model, multivariate_normal(mean, covariance).logpdf(X)


def test_at_the_optimum_the_bound_is_the_likelihood_of_every_row(X, exact):
    """There q(z|x) is the exact posterior, so every importance weight is p(x), with any draws."""
    model, log_p = exact
    weights = inference.log_weights(model._model, X, 5)  # (5, N)
    np.testing.assert_allclose(weights, np.broadcast_to(log_p, weights.shape), atol=1e-9)
    np.testing.assert_allclose(model.log_likelihood(X, 7), log_p, atol=1e-9)


def test_the_mean_of_the_bound_at_the_optimum_is_pcas_score(X, exact):
    """PCA's covariance is n / (n - 1) times ours: fitted to data scaled by that, it is the same.
    The lower bound is the mean of the weights; `elbo` has its divergence exact, and so only the
    other half of two errors of the draws that would cancel each other."""
    model, log_p = exact
    centred = (X - X.mean(axis=0)) * np.sqrt(499 / 500)
    pca = PCA(K).fit(X.mean(axis=0) + centred)
    assert log_p.mean() == pytest.approx(pca.score(X), abs=1e-9)
    bound = inference.log_weights(model._model, X, 3).mean()
    assert bound == pytest.approx(pca.score(X), abs=1e-9)
    assert model.log_likelihood(X, 3).mean() == pytest.approx(pca.score(X), abs=1e-9)
    assert model.elbo(X, 2000).mean() == pytest.approx(pca.score(X), abs=0.02)


def test_the_importance_weighted_bound_never_falls_and_stays_below_log_p(X):
    """Averages over groups of 1, 2, 4, ... of the same 1,024 draws: by Jensen's inequality each
    mean is at least the one before, for every single row."""
    vae = wide_posteriors(X)
    weights = inference.log_weights(vae._model, X[:50], 1024)  # (1024, 50)
    bounds = []
    for size in 2 ** np.arange(11):
        groups = weights.reshape(-1, size, 50)
        bounds.append((logsumexp(groups, axis=1) - np.log(size)).mean(axis=0))
    rises = np.diff(bounds, axis=0)
    assert rises.min() >= -1e-12
    assert np.mean(rises[0]) > 0.01
    state = vae.network_.state_dict()
    W, mean = state["decoder.layers.0.weight"].T, state["offset"]
    log_p = multivariate_normal(mean, W @ W.T + vae.noise_variance_ * np.eye(D)).logpdf(X[:50])
    assert (bounds[0] < log_p - 0.02).all()
    assert np.mean(bounds[-1]) == pytest.approx(log_p.mean(), abs=0.01)
    np.testing.assert_allclose(vae.log_likelihood(X[:50], 1024), bounds[-1])
    np.testing.assert_allclose(vae.log_likelihood(X[:50], 1), weights[0])
    estimate, standard_error = vae.elbo(X[:50], 1024).mean(), np.std(weights.mean(axis=1)) / 32
    assert estimate == pytest.approx(bounds[0].mean(), abs=6 * standard_error)


def wide_posteriors(X):
    """The exact model with posteriors that are too wide: the bounds are then strictly apart."""
    model = train(ae.VariationalAutoencoder, X, code="gaussian", max_epochs=0)
    optimum(model, X)
    state = model.network_.state_dict()
    state["encoder.layers.0.bias"][K:] += 0.7
    set_weights(model, state)
    return model
