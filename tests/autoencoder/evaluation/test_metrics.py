"""Every metric equals its closed form and an independent, slower computation of the same thing."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from autoencoder.evaluation import (
    active_units,
    anomaly_metrics,
    excess_bce,
    few_shot_accuracy,
    kl_per_unit,
    knn_accuracy,
    linear_probe,
    metrics,
    mse,
    probes,
    psnr,
    ssim,
    trustworthiness,
)
from minigrad import tensor
from minigrad.losses import binary_cross_entropy


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Reconstructions


def test_mse_is_the_mean_over_all_pixels(rng):
    x, y = rng.random((2, 5, 4, 3, 2))
    squares = [(a - b) ** 2 for a, b in zip(x.flat, y.flat, strict=True)]
    assert mse(x, y) == pytest.approx(sum(squares) / 120)
    each = [mse(x[i : i + 1], y[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(mse(x, y, reduction="none"), each)
    assert mse(x, x) == 0


def test_single_precision_images_are_measured_in_double():
    x = np.ones((1, 1000), np.float32)
    y = x + np.float32(1e-4)
    difference = float(y[0, 0]) - 1.0
    assert mse(x, y) == pytest.approx(difference**2, rel=1e-12)


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_psnr_is_the_mean_of_the_images_ratios(rng, data_range):
    x, y = rng.random((2, 6, 8, 8, 1))
    ratios = [
        10 * np.log10(data_range**2 / ((a - b) ** 2).mean()) for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(psnr(x, y, data_range=data_range, reduction="none"), ratios)
    assert psnr(x, y, data_range=data_range) == pytest.approx(np.mean(ratios), rel=1e-12)
    # and not the ratio of the mean error, which is smaller
    assert psnr(x, y, data_range=data_range) > 10 * np.log10(data_range**2 / mse(x, y)) + 1e-3


def test_psnr_of_known_errors():
    x = np.zeros((3, 10))
    y = np.array([[0.1] * 10, [0.01] * 10, [1.0] * 10])
    np.testing.assert_allclose(psnr(x, y, reduction="none"), [20, 40, 0], atol=1e-12)
    assert psnr(x, x) == np.inf  # without a warning
    # ten times the range and ten times the error are the same ratio
    assert psnr(10 * x, 10 * y, data_range=10) == pytest.approx(20)


def ssim_by_loops(x, y, window=11, data_range=1.0):
    """Wang et al. 2004, equations 14 to 16 and 13, one window after the other; x, y (H, W)."""
    offsets = np.arange(window) - window // 2
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for i, j in itertools.product(range(x.shape[0] - window + 1), range(x.shape[1] - window + 1)):
        a, b = x[i : i + window, j : j + window], y[i : i + window, j : j + window]
        ma, mb = (weights * a).sum(), (weights * b).sum()
        va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
        covariance = (weights * (a - ma) * (b - mb)).sum()
        values.append(
            (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        )
    return np.mean(values)


@pytest.mark.parametrize(
    ("height", "width", "window"),
    [(16, 13, 11), (11, 11, 11), (8, 8, 7), (20, 9, 9), (6, 9, 5), (3, 4, 3)],
)
def test_ssim_agrees_with_a_plain_loop(rng, height, width, window):
    x, noise = rng.random((2, 3, height, width))
    y = 0.7 * x + 0.3 * noise
    expected = [ssim_by_loops(a, b, window) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y, reduction="none"), expected, rtol=1e-10)
    assert ssim(x, y) == pytest.approx(np.mean(expected), rel=1e-10)
    assert 0.2 < ssim(x, y) < 0.98


def test_ssim_agrees_with_pytorch_convolutions(rng):
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    x = rng.random((2, 24, 20, 3))
    y = np.clip(x + rng.normal(0, 0.2, x.shape), 0, 1)
    weights = torch.signal.windows.gaussian(11, std=1.5, dtype=torch.float64)
    weights = torch.outer(weights, weights) / weights.sum() ** 2
    filters = weights.expand(3, 1, 11, 11)

    def local(image):
        return torch.nn.functional.conv2d(image, filters, groups=3)

    a, b = (torch.from_numpy(image).permute(0, 3, 1, 2) for image in (x, y))
    ma, mb = local(a), local(b)
    va, vb, c = local(a * a) - ma**2, local(b * b) - mb**2, local(a * b) - ma * mb
    maps = (2 * ma * mb + 1e-4) / (ma**2 + mb**2 + 1e-4) * (2 * c + 9e-4) / (va + vb + 9e-4)
    np.testing.assert_allclose(ssim(x, y, reduction="none"), maps.mean((1, 2, 3)), rtol=1e-10)


def test_ssim_of_known_pairs(rng):
    x, y = rng.random((2, 2, 15, 15, 1))
    assert ssim(x, x) == 1
    assert ssim(x, y) == pytest.approx(ssim(y, x), rel=1e-12)  # symmetric
    # grey levels a and b without structure leave the luminance term alone
    a, b = 0.3, 0.8
    luminance = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
    flat = np.ones((1, 12, 12))
    assert ssim(a * flat, b * flat) == pytest.approx(luminance, rel=1e-9)
    # multiplying images and range changes nothing
    assert ssim(255 * x, 255 * y, data_range=255) == pytest.approx(ssim(x, y), rel=1e-9)
    assert ssim(255 * x, 255 * y) != pytest.approx(ssim(x, y), rel=1e-3)
    # channels are averaged
    colour = ssim(np.concatenate([x, y], axis=3), np.concatenate([x, x], axis=3))
    assert colour == pytest.approx((1 + ssim(y, x)) / 2, rel=1e-9)


def test_excess_bce_is_cross_entropy_less_entropy(rng):
    x, p = rng.random((2, 4, 6))
    entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x)).sum() / 4
    assert excess_bce(x, p) == pytest.approx(
        binary_cross_entropy(tensor(p), tensor(x)).item() - entropy, rel=1e-9
    )
    assert excess_bce(x, x) == pytest.approx(0, abs=1e-15)
    assert excess_bce(x, np.clip(x + 1e-3, 0, 1)) > 0
    # black and white images have no entropy: it is the cross-entropy itself
    bits = (x > 0.5).astype(float)
    assert excess_bce(bits, p) == pytest.approx(-np.log(np.where(bits == 1, p, 1 - p)).sum() / 4)
    assert excess_bce(bits, bits) == 0
    assert excess_bce(np.ones((1, 3)), np.zeros((1, 3))) == 300  # as binary_cross_entropy
    assert excess_bce(np.zeros((1, 3)), np.ones((1, 3))) == 300
    per_image = excess_bce(x, p, reduction="none")
    assert per_image.shape == (4,)
    assert per_image.mean() == pytest.approx(excess_bce(x, p))


# Codes


def clusters(rng, n, k=3, spread=0.1):
    labels = np.arange(n) % k
    return np.eye(k)[labels] + rng.normal(0, spread, (n, k)), labels


def test_the_linear_probe_is_a_standardised_logistic_regression(rng):
    codes, labels = clusters(rng, 90, spread=0.7)
    test, answers = clusters(rng, 60, spread=0.7)
    mean, scale = codes.mean(axis=0), codes.std(axis=0)
    by_hand = LogisticRegression(max_iter=5000).fit((codes - mean) / scale, labels)
    expected = (by_hand.predict((test - mean) / scale) == answers).mean()
    assert 0.5 < expected < 0.95
    assert linear_probe(codes, labels, test, answers) == expected
    # standardising makes it blind to scale and shift of every unit
    stretch, shift = np.array([1e3, 1e-3, -1]), np.array([5.0, -7, 0])
    assert (
        linear_probe(stretch * codes + shift, labels, stretch * test + shift, answers) == expected
    )
    assert linear_probe(codes, labels, test, (answers + 1) % 3) < expected


def test_wide_codes_are_rotated_and_the_classifier_is_the_same(rng):
    """The optimum of a regression with an L2 penalty, in 40 columns instead of 500."""
    codes, labels = rng.normal(size=(40, 500)), np.arange(40) % 3
    codes[:, 0] += labels
    rotated = probes._probe(codes)
    rotated[-1].set_params(tol=1e-10)
    rotated.fit(codes, labels)
    assert rotated[-1].coef_.shape == (3, 40)
    scaler = StandardScaler().fit(codes)
    whole = LogisticRegression(tol=1e-10, max_iter=5000).fit(scaler.transform(codes), labels)
    new = rng.normal(size=(30, 500))
    np.testing.assert_allclose(
        rotated.decision_function(new), whole.decision_function(scaler.transform(new)), atol=1e-6
    )
    assert len(probes._probe(codes[:, :40])) == 2  # nothing to gain


def test_a_probe_is_linear(rng):
    codes = rng.choice([-1.0, 1.0], (200, 2))
    xor = (codes[:, 0] * codes[:, 1] > 0).astype(int)
    assert linear_probe(codes, codes[:, 0] > 0, codes, codes[:, 0] > 0) == 1
    assert linear_probe(codes, xor, codes, xor) < 0.7
    assert knn_accuracy(codes, xor, codes, xor) == 1


@pytest.mark.parametrize("k", [1, 3, 5])
def test_knn_is_a_vote_of_the_nearest(rng, k):
    codes, labels = clusters(rng, 60, k=2, spread=0.8)
    test, answers = clusters(rng, 41, k=2, spread=0.8)
    nearest = np.argsort(cdist(test, codes), axis=1)[:, :k]
    votes = (labels[nearest].mean(axis=1) > 0.5).astype(int)
    expected = (votes == answers).mean()
    assert 0.5 < expected < 1
    assert knn_accuracy(codes, labels, test, answers, n_neighbors=k) == expected


def test_few_shot_accuracy_rises_with_labels_and_repeats_with_its_seed(rng):
    codes, labels = clusters(rng, 150, k=3, spread=0.6)

    def accuracy(per_class, seed=1, codes=codes):
        return few_shot_accuracy(codes, labels, per_class, np.random.default_rng(seed))

    one, many = accuracy(1), accuracy(20)
    assert many.mean > one.mean + 0.1
    assert one.std > many.std > 0
    assert accuracy(1) == one
    assert accuracy(1, seed=2) != one
    chance = accuracy(20, codes=rng.normal(size=codes.shape))
    assert abs(chance.mean - 1 / 3) < 0.1


def test_few_shot_accuracy_is_the_mean_and_spread_of_its_draws(rng, monkeypatch):
    codes, labels = clusters(rng, 30)
    scores = iter([0.5, 0.75, 1.0])
    seen = []

    class Probe:
        def __init__(self, codes):
            pass

        def fit(self, x, y):
            seen.append((len(x), np.bincount(y).tolist()))
            self.trained_on = x
            return self

        def score(self, x, y):
            assert not (x[:, None] == self.trained_on).all(axis=2).any()  # never the same example
            assert len(x) == 30 - len(self.trained_on)
            return next(scores)

    monkeypatch.setattr("autoencoder.evaluation.probes._probe", Probe)
    mean, std = few_shot_accuracy(codes, labels, 2, rng, repeats=3)
    assert (mean, std) == (0.75, 0.25)  # ddof = 1
    assert seen == [(6, [2, 2, 2])] * 3


def trustworthiness_by_loops(X, codes, k):
    """Venna & Kaski 2001, equation 1."""
    n = len(X)
    rank = np.argsort(np.argsort(cdist(X, X), axis=1), axis=1)  # 0 is the example itself
    penalty = 0
    for i in range(n):
        for j in np.argsort(cdist(codes[i : i + 1], codes)[0])[1 : k + 1]:
            penalty += max(0, rank[i, j] - k)
    return 1 - penalty * 2 / (n * k * (2 * n - 3 * k - 1))


@pytest.mark.parametrize("k", [1, 5])
def test_trustworthiness_agrees_with_a_plain_loop(rng, k):
    X = rng.normal(size=(30, 6))
    codes = X[:, :2]
    expected = trustworthiness_by_loops(X, codes, k)
    assert 0.6 < expected < 0.95
    assert trustworthiness(X.reshape(30, 2, 3), codes, n_neighbors=k) == pytest.approx(expected)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert trustworthiness(X, X @ rotation * 3, n_neighbors=k) == 1


# Anomalies


@pytest.mark.parametrize("ties", [False, True])
def test_anomaly_metrics_are_counts(rng, ties):
    normal, anomalous = rng.normal(1, 1, 60), rng.normal(0, 1, 40)
    if ties:
        normal, anomalous = normal.round(), anomalous.round()
    found = anomaly_metrics(normal, anomalous)
    # the area is the share of pairs in the right order
    pairs = [(n > a) + 0.5 * (n == a) for n in normal for a in anomalous]
    assert found["roc_auc"] == pytest.approx(np.mean(pairs), rel=1e-12)
    # every threshold "flag scores of at most t"
    thresholds = np.unique(np.concatenate([normal, anomalous]))
    tpr = np.array([(anomalous <= t).mean() for t in thresholds])
    fpr = np.array([(normal <= t).mean() for t in thresholds])
    assert found["fpr_at_95_tpr"] == pytest.approx(fpr[tpr >= 0.95].min(), rel=1e-12)
    precision = 40 * tpr / (40 * tpr + 60 * fpr)
    steps = np.diff(tpr, prepend=0)
    assert found["average_precision"] == pytest.approx((precision * steps).sum(), rel=1e-12)
    assert all(type(value) is float for value in found.values())


def test_precision_at_n_is_the_mean_over_orders_of_ties():
    # n = 3 lowest of 1 | 2 2 2 2 | 5: one anomaly below, two of the four tied are taken
    normal, anomalous = [2, 2, 5], [1, 2, 2]
    expected = np.mean(
        [(1 + sum(pair)) / 3 for pair in itertools.combinations([True, True, False, False], 2)]
    )
    assert anomaly_metrics(normal, anomalous)["precision_at_n"] == pytest.approx(expected)
    assert anomaly_metrics([4, 5, 6], [1, 4.5])["precision_at_n"] == 0.5


def test_higher_scores_are_more_normal():
    perfect = {"roc_auc": 1, "average_precision": 1, "precision_at_n": 1, "fpr_at_95_tpr": 0}
    assert anomaly_metrics([5, 6, 7], [1, 2]) == perfect
    wrong = anomaly_metrics([1, 2], [5, 6, 7])
    assert wrong["roc_auc"] == 0
    assert wrong["fpr_at_95_tpr"] == 1
    nothing_known = anomaly_metrics(np.ones(30), np.ones(10))
    assert nothing_known == {
        "roc_auc": 0.5, "average_precision": 0.25, "precision_at_n": 0.25, "fpr_at_95_tpr": 1.0
    }  # fmt: skip


# Latent units


def test_active_units_are_those_whose_means_vary(rng):
    means = rng.normal(size=(5000, 4)) * np.sqrt([1.0, 0.02, 0.005, 0])
    assert active_units(means) == 2
    assert active_units(means, threshold=0.001) == 3
    assert active_units(means + 100) == 2  # a constant says nothing
    assert type(active_units(means)) is int


def test_kl_per_unit_agrees_with_pytorch_and_vanishes_at_the_prior(rng):
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    means, log_variances = rng.normal(size=(2, 50, 4))
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(torch.tensor(means), torch.tensor(log_variances / 2).exp()),
        torch.distributions.Normal(0.0, 1.0),
    ).mean(0)
    np.testing.assert_allclose(kl_per_unit(means, log_variances), expected, rtol=1e-10)
    assert (kl_per_unit(np.zeros((3, 2)), np.zeros((3, 2))) == 0).all()
    # near the prior it is v^2 / 4, which 'variance - 1 - log variance' would round away
    tiny = np.full((1, 1), 1e-9)
    assert kl_per_unit(0 * tiny, tiny)[0] == pytest.approx(1e-18 / 4, rel=1e-6)


# Refusals

IMAGES, CODES, LABELS = np.ones((4, 12, 12)), np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: mse(IMAGES, IMAGES[:3]), r"mse: two arrays of one shape.*\(3, 12, 12\)"),
        (lambda: mse(IMAGES[:0], IMAGES[:0]), r"mse: .*\(0, 12, 12\)"),
        (lambda: psnr(IMAGES, IMAGES, reduction="sum"), "reduction is 'mean' or 'none', not 'sum'"),
        (lambda: psnr(IMAGES, IMAGES, data_range=0), "data_range must be above zero, got 0"),
        (lambda: ssim(IMAGES, IMAGES, data_range=-1), "data_range must be above zero, got -1"),
        (lambda: ssim(CODES, CODES), r"ssim: images of at least 3x3.*got \(4, 2\).*reshape"),
        (lambda: ssim(IMAGES[:, :2], IMAGES[:, :2]), r"ssim: .*\(4, 2, 12\)"),
        (lambda: excess_bce(IMAGES, 1.5 * IMAGES), "probabilities must lie in .* 1.5 to 1.5"),
        (lambda: excess_bce(IMAGES * np.nan, IMAGES), "images must lie in .* nan to nan"),
        (lambda: linear_probe(CODES, LABELS[:3], CODES, LABELS), r"one label each.*\(3,\)"),
        (lambda: linear_probe(CODES, 0 * LABELS, CODES, LABELS), "at least two classes"),
        (lambda: knn_accuracy(CODES, LABELS, CODES, LABELS), "5 neighbours .* among 4 codes"),
        (
            lambda: few_shot_accuracy(CODES, LABELS, 2, np.random.default_rng(0)),
            "2 of each group cannot be held out, because group 0 has 2 samples",
        ),
        (
            lambda: few_shot_accuracy(CODES, LABELS, 1, np.random.default_rng(0), repeats=1),
            "a spread needs at least 2 repeats, got 1",
        ),
        (lambda: trustworthiness(IMAGES, CODES), "4 samples, 4 codes, 5 neighbours"),
        (lambda: trustworthiness(IMAGES, CODES[:3], n_neighbors=1), "4 samples, 3 codes"),
        (lambda: anomaly_metrics([], [1.0]), "0 normal and 1 anomalous"),
        (lambda: anomaly_metrics([1, np.nan], [1.0]), "2 of them finite"),
        (lambda: active_units(np.ones(3)), r"active_units: \(samples, units\).*\(3,\)"),
        (lambda: kl_per_unit(CODES, CODES[:, :1]), r"kl_per_unit: .*\(4, 2\) and \(4, 1\)"),
    ],
)
def test_impossible_requests_are_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_numbers_of_neighbours_up_to_their_limits(rng):
    X, labels = rng.random((10, 3)), np.arange(10) % 2
    assert 0 <= trustworthiness(X, X[:, :1], n_neighbors=4) <= 1
    with pytest.raises(ValueError, match="got 10 samples, 10 codes, 5 neighbours"):
        trustworthiness(X, X, n_neighbors=5)
    assert knn_accuracy(X, labels, X[:3], labels[:3], n_neighbors=10) >= 0
    with pytest.raises(ValueError, match="11 neighbours cannot be had among 10 codes"):
        knn_accuracy(X, labels, X[:3], labels[:3], n_neighbors=11)


def test_everything_public_is_listed():
    assert all(hasattr(metrics, name) for name in metrics.__all__)
