"""Hidden patches: how many and where, that the loss is of them alone where it should be, and that
what can be known of a hidden patch from the others is learnt exactly."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression

import autoencoder as ae
from autoencoder.networks import Sizes, build
from autoencoder.objective import loss_terms
from autoencoder.parts import PatchMasking, assemble
from autoencoder.parts.patches import _ranks, _ranks_by_pairs
from minigrad import grad, tensor


def rng(seed=0):
    return np.random.default_rng(seed)


# ---------------------------------------------------------------------- what is hidden
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.75, 1.0])
@pytest.mark.parametrize(
    ("shape", "patch"), [((8, 8, 1), 2), ((6, 4, 3), 2), ((9, 9, 1), 3), ((4, 4, 1), 1)], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_image_loses_the_same_number_of_whole_patches(shape, patch, rate, dtype):
    height, width, channels = shape
    x = rng(1).uniform(1, 2, (50, height * width * channels)).astype(dtype)
    noise = PatchMasking(patch, rate, None if channels == 1 else shape, fill=0.5)
    before, y = x.copy(), noise.corrupt(x, rng())
    assert y.dtype == dtype and y.shape == x.shape
    np.testing.assert_array_equal(x, before)
    hidden = y == 0.5
    np.testing.assert_array_equal(y[~hidden], x[~hidden])
    rows, columns = height // patch, width // patch
    blocks = hidden.reshape(50, rows, patch, columns, patch, channels)
    per_patch = blocks.sum(axis=(2, 4, 5))  # (50, rows, columns)
    assert set(np.unique(per_patch)) <= {0, patch * patch * channels}
    expected = round(rate * rows * columns)
    np.testing.assert_array_equal((per_patch > 0).sum(axis=(1, 2)), expected)
    np.testing.assert_array_equal(y, noise.corrupt(x, rng()))
    if 0 < expected < rows * columns:
        assert (y != noise.corrupt(x, rng(2))).any()
    share = PatchMasking(patch, rate, shape, scored="hidden").share_scored(x.shape[1])
    assert share == pytest.approx(hidden.mean())


def test_every_patch_is_hidden_equally_often_and_all_pairs_of_them():
    x = np.ones((20_000, 16))
    hidden = PatchMasking(2, 0.5).corrupt(x, rng())[:, [0, 2, 8, 10]] == 0  # one pixel of each
    pairs = hidden.T.astype(float) @ hidden / len(x)
    expected = np.full((4, 4), 1 / 6)  # two of four: one of six pairs
    np.fill_diagonal(expected, 1 / 2)
    np.testing.assert_allclose(pairs, expected, atol=4 * 0.5 / np.sqrt(len(x)))


def test_ranks_on_the_gpu_are_those_on_the_cpu_ties_too():
    u = rng().integers(0, 5, (30, 9)) / 4
    np.testing.assert_array_equal(_ranks_by_pairs(u), _ranks(u))
    np.testing.assert_array_equal(np.sort(_ranks(u)), np.tile(np.arange(9), (30, 1)))


# ---------------------------------------------------------------------- what is scored
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "optimal_gaussian"])
def test_visible_patches_do_not_count(likelihood):
    """Neither in the loss nor in its gradient, whatever the data are there, black patches too."""
    noise = PatchMasking(2, 0.5, scored="hidden")
    parts = assemble(noise, likelihood=likelihood)
    network = build(Sizes(16, 3), parts.code, rng(), np.float64)
    x = rng(1).random((5, 16))
    x[0] = 0.0  # as what is put into the holes
    marked = noise.marked(x, rng(2))
    hidden = np.isnan(marked)
    assert hidden.sum() == 5 * 8
    seen, scored = noise.found(tensor(marked))
    np.testing.assert_array_equal(scored.numpy(), hidden)
    np.testing.assert_array_equal(seen.numpy(), noise.corrupt(x, rng(2)))

    target = tensor(x, requires_grad=True)
    loss = loss_terms(network, parts, marked, target, None, {})[0]["reconstruction"]
    slope = grad([loss], [target])[0].numpy()
    assert not slope[~hidden].any() and slope[1:][hidden[1:]].all()
    t = network.decode(network.encode(seen.numpy())).numpy()
    elements = -parts.likelihood.elements(t, x)
    if likelihood == "optimal_gaussian":
        expected = 8 / 2 * np.log(np.square(x - t)[hidden].mean())
    else:
        constant = parts.likelihood.constant(8)
        expected = elements[hidden].sum() / 5 - constant
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_the_history_counts_what_is_scored_constants_included():
    X = rng().random((40, 16))
    noise = PatchMasking(2, 0.5, scored="hidden")
    params = dict(noise=noise, scale=None, batch_size=40, max_epochs=1, random_state=0)
    model = ae.Autoencoder(3, learning_rate=1e-12, validation_fraction=0.0, **params).fit(X)
    loss, halves = model.history_["loss"][0], model.history_["l2_loss"][0]
    assert loss == pytest.approx(halves + 8 / 2 * np.log(2 * np.pi), rel=1e-12)
    held = ae.Autoencoder(3, learning_rate=1e-12, validation_fraction=0.5, **params).fit(X)
    assert held.history_["validation_loss"][0] == pytest.approx(loss, rel=0.2)


def test_a_hidden_patch_is_the_least_squares_guess_from_the_others():
    """Four patches of 2x2 pixels, of which three tell all that can be told of the fourth: with a
    linear network each hidden patch must become the linear regression on the others."""
    random = rng()
    common = random.standard_normal((1500, 3))
    X = common @ random.standard_normal((3, 16)) + 0.5 * random.standard_normal((1500, 16))
    noise = PatchMasking(2, 0.25, scored="hidden")
    model = ae.Autoencoder(
        16, noise=noise, scale=None, batch_size=500, max_epochs=400, learning_rate=0.03,
        schedule="cosine", random_state=0,
    ).fit(X)  # fmt: skip
    patches = np.arange(16).reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4)
    for patch in patches:
        rest = np.setdiff1d(np.arange(16), patch)
        best = LinearRegression().fit(X[:, rest], X[:, patch]).predict(X[:, rest])
        holed = X.copy()
        holed[:, patch] = 0
        found = model.reconstruct(holed)[:, patch]
        least = np.square(X[:, patch] - best).mean()
        assert np.square(X[:, patch] - found).mean() < 1.02 * least
        assert least < 0.3 * X[:, patch].var()
    assert "worse" not in str(model.diagnosis_)  # it is asked about what is hidden


# ---------------------------------------------------------------------- in an estimator
@pytest.mark.parametrize("scored", ["all", "hidden"])
def test_it_trains_saves_and_counts_weights(scored, tmp_path):
    X = load_digits().data[:300].astype(np.float32) / 16
    noise = PatchMasking(rate=0.5, scored=scored)
    model = ae.DenoisingAutoencoder(16, noise=noise, hidden=(32,), max_epochs=20, random_state=0)
    fitted = clone(model).fit(X, sample_weight=np.ones(300))
    holed = noise.corrupt(X, rng())
    hidden = np.isnan(PatchMasking(rate=0.5, scored="hidden").marked(X, rng()))
    guesses = fitted.reconstruct(holed), np.broadcast_to(X.mean(axis=0), X.shape)
    error, mean = (np.square(guess - X)[hidden].mean() for guess in guesses)
    assert error < 0.8 * mean
    # scored on what is hidden, it is asked about that, and not compared with PCA of what is seen
    worse = {f.name for f in fitted.diagnosis_ if f.name.startswith("worse")}
    assert worse == (set() if scored == "hidden" else {"worse than PCA"})
    fitted.save(tmp_path / "model.npz")
    again = ae.load(tmp_path / "model.npz")
    assert again.noise.scored == scored
    np.testing.assert_array_equal(again.reconstruct(holed), fitted.reconstruct(holed))
    assert clone(model).set_params(noise="patches", max_epochs=1).fit(X).n_iter_ == 1
    X[0, 0] = np.nan
    assert clone(model).set_params(missing="mask", max_epochs=1).fit(X).n_iter_ == 1


def test_mistakes_get_a_sentence():
    X = rng().random((10, 15))
    for noise, sentence in (
        (PatchMasking(), "rows of 15 numbers are no square images of one channel: say PatchMask"),
        (PatchMasking(image_shape=(4, 4, 1)), r"with a product of the 15 features, got \(4, 4, 1"),
        (PatchMasking(image_shape=(3, 5, 1)), "images of 3 x 5 pixels are not made of patches of"),
        (PatchMasking(0), "patch must be a whole number of at least 1, got 0"),
        (PatchMasking(rate=2), "rate must be a number from 0 to 1, got 2"),
        (PatchMasking(scored="seen"), "scored must be 'all' or 'hidden', got 'seen'"),
        (PatchMasking(fill=np.nan), "fill must be a number that is finite, got nan"),
    ):
        with pytest.raises(ValueError, match=sentence):
            ae.Autoencoder(2, noise=noise, max_epochs=1).fit(X)
    model = ae.Autoencoder(2, noise="patches", hidden=(3,), pretrain_epochs=1)
    with pytest.raises(ValueError, match="what inner layers read has no patches to hide"):
        model.fit(rng().random((10, 16)))
