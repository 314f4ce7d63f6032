"""Proves that an autoencoder works in units of its own where the data ask for it, and that nobody
notices: results do not depend on the data's units, and densities are those of the data."""

import numpy as np
import pytest
from scipy import sparse

import autoencoder as ae
from autoencoder import rows, scaling
from autoencoder.scaling import Scaling

RNG = np.random.default_rng(0)
SCALES = np.array([1e-3, 1.0, 50.0, 1e6, 3.0])
SHIFTS = np.array([0.0, -4.0, 1e3, 2e6, 0.1])


def data(n=60):
    return np.random.default_rng(1).normal(size=(n, 2)) @ RNG_MATRIX + 0.1 * RNG_NOISE[:n]


RNG_MATRIX, RNG_NOISE = RNG.normal(size=(2, 5)), RNG.normal(size=(60, 5))


def quick(kind=ae.Autoencoder, **params):
    return kind(2, **{"max_epochs": 5, "batch_size": 16, "random_state": 0} | params)


# ---------------------------------------------------------------------- when
def test_data_in_the_unit_interval_stay_as_they_are_and_others_are_standardised():
    inside = RNG.random((40, 5))
    assert quick().fit(inside)._scaling is None
    assert quick().fit(inside * (1 + 2e-16))._scaling is None  # as MinMaxScaler leaves them
    model = quick().fit(inside + 0.1)
    np.testing.assert_allclose(model._scaling.mean, (inside + 0.1).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model._scaling.std, inside.std(axis=0), rtol=1e-12)
    assert quick().fit(0.4 * inside)._scaling is not None
    assert quick(scale="standard").fit(inside)._scaling is not None
    assert quick(scale=None).fit(inside + 9)._scaling is None
    assert quick(likelihood="bernoulli").fit(inside)._scaling is None


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(ValueError, match=r"scale='standard' does not go with BernoulliLikelihood"):
        quick(likelihood="bernoulli", scale="standard").fit(RNG.random((9, 5)))
    with pytest.raises(ValueError, match="unknown scale 'robust': use 'auto', 'standard' or None"):
        quick(scale="robust").fit(data())


# ---------------------------------------------------------------------- what it does
@pytest.mark.parametrize("kind", [ae.Autoencoder, ae.VariationalAutoencoder, ae.SparseAutoencoder])
def test_results_do_not_depend_on_the_units_of_the_data(kind):
    """The change of variables: x -> s x + m takes the sum of log s from every log-density."""
    X, other = data(), data() * SCALES + SHIFTS
    model, same = quick(kind).fit(X), quick(kind).fit(other)
    np.testing.assert_allclose(same.transform(other), model.transform(X), rtol=1e-6, atol=1e-8)
    there = model.reconstruct(X) * SCALES + SHIFTS
    np.testing.assert_allclose((same.reconstruct(other) - there) / SCALES, 0, atol=1e-6)
    moved = model.score_samples(X) - np.log(SCALES).sum()
    np.testing.assert_allclose(same.score_samples(other), moved, rtol=1e-6)
    np.testing.assert_allclose(
        same.inverse_transform(np.ones((1, 2))),
        model.inverse_transform(np.ones((1, 2))) * SCALES + SHIFTS,
        rtol=1e-6,
    )


def test_the_density_of_a_variational_one_is_that_of_the_data():
    X = data() * SCALES + SHIFTS
    model = quick(ae.VariationalAutoencoder).fit(X)
    plain = quick(ae.VariationalAutoencoder, scale=None).fit((X - X.mean(axis=0)) / X.std(axis=0))
    volume = np.log(X.std(axis=0)).sum()
    for method in ("elbo", "log_likelihood", "score_samples"):
        own, there = (
            getattr(m, method)(x)
            for m, x in ((model, X), (plain, (X - X.mean(axis=0)) / X.std(axis=0)))
        )
        np.testing.assert_allclose(own, there - volume, rtol=1e-6)


def test_a_constant_column_is_only_centred():
    X = np.concatenate([data(), np.full((60, 1), 0.1 + 1e6)], axis=1)
    model = quick().fit(X)
    assert model._scaling.std[-1] == 1.0
    np.testing.assert_allclose(model.reconstruct(X)[:, -1], 1e6 + 0.1, rtol=1e-5)


def test_units_are_those_of_the_first_call_and_survive_a_file(tmp_path):
    X = data() * SCALES
    model = quick().partial_fit(X[:30])
    before = model._scaling.std.copy()
    model.partial_fit(X[30:] * 10)
    np.testing.assert_array_equal(model._scaling.std, before)
    model.save(tmp_path / "m.npz")
    loaded = ae.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(loaded.reconstruct(X), model.reconstruct(X))
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))


# ---------------------------------------------------------------------- rows of all kinds
def test_sparse_columns_are_scaled_but_not_centred():
    dense = np.where(RNG.random((80, 5)) < 0.4, RNG.normal(3, 2, (80, 5)), 0.0)
    rows = sparse.csr_array(dense)
    model = quick().fit(rows)
    assert not model._scaling.mean.any()
    np.testing.assert_allclose(model._scaling.std, dense.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.reconstruct(rows), model.reconstruct(dense), atol=1e-10)
    scaled = model._scaling.apply(ae.rows.Rows(rows)).X
    np.testing.assert_allclose(scaled.toarray(), dense / dense.std(axis=0), rtol=1e-12)


def test_missing_numbers_and_weights_have_their_part_in_the_units():
    X = data() * SCALES + SHIFTS
    holes = X.copy()
    holes[RNG.random(X.shape) < 0.2] = np.nan
    weight = RNG.integers(0, 3, len(X)).astype(float)
    model = quick(missing="mask").fit(holes, sample_weight=weight)
    repeated = np.repeat(holes, weight.astype(int), axis=0)
    np.testing.assert_allclose(model._scaling.mean, np.nanmean(repeated, axis=0), rtol=1e-9)
    np.testing.assert_allclose(model._scaling.std, np.nanstd(repeated, axis=0), rtol=1e-7)
    # a row of which two numbers are known has a density of two numbers
    row = np.array([[X[0, 0], np.nan, np.nan, X[0, 3], np.nan]])
    plain = model._likelihood.elements(
        model._scaling.apply(model.reconstruct(row)), model._scaling.apply(np.nan_to_num(row))
    )
    expected = plain[0, [0, 3]].sum() - np.log(model._scaling.std[[0, 3]]).sum()
    assert model.score_samples(row) == pytest.approx(expected, rel=1e-9)


def test_blocks_change_nothing(monkeypatch):
    X = data() * SCALES
    whole = Scaling.of(X)
    monkeypatch.setattr("autoencoder.rows._NUMBERS", 5 * 7)  # seven rows at a time
    parts = Scaling.of(X)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-12)
    np.testing.assert_array_equal(whole.undo(X), X * whole.std + whole.mean)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_validation_rows_are_in_the_same_units(dtype):
    X, new = (data() * SCALES + SHIFTS).astype(dtype), data()[:20] * SCALES + SHIFTS
    units = Scaling.of(X)
    inside = quick().fit(X, X_val=new).history_["validation_loss"]
    before = quick(scale=None).fit(units.apply(X), X_val=units.apply(new))
    np.testing.assert_allclose(inside, before.history_["validation_loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "stays"),
    [
        (0.0, 1.0, True), (0.0, 0.5, True), (0.2, 0.9, True), (0.0, 0.499, False),
        (0.0, 1.001, False), (-0.001, 1.0, False), (0.0, 1 + 2e-16, True), (-4e-16, 0.7, True),
        (0.0, 1 + 4e-15, False), (-4e-15, 0.7, False),
    ],
)  # fmt: skip
def test_what_fills_the_unit_interval_is_not_scaled(low, high, stays):
    X = np.array([[low, 0.3], [high, 0.3]])
    gaussian = ae.GaussianLikelihood()
    assert (scaling.choose("auto", X, gaussian) is None) == stays
    assert scaling.choose(None, X, gaussian) is None
    assert scaling.choose("standard", X, gaussian) is not None
    assert scaling.choose("auto", X, ae.BernoulliLikelihood()) is None
    with pytest.raises(ValueError, match="which is not for any numbers: use scale=None, or"):
        scaling.choose("standard", X, ae.BernoulliLikelihood())


def test_a_column_that_varies_by_its_rounding_alone_is_constant():
    noise = np.array([1.0, -1.0] * 4)
    for size, constant in ((1.0, True), (30.0, False)):
        X = np.stack([1000 + size * noise * 1000 * np.finfo(float).eps, noise], axis=1)
        std = scaling.Scaling.of(X).std
        assert (std[0] == 1.0) == constant and std[1] == 1.0
    assert scaling.Scaling.of(np.zeros((3, 1))).std == [1.0]


def test_the_volume_counts_what_is_known_of_each_row():
    units = scaling.Scaling(np.zeros(2), np.array([np.e, np.e**2]))
    assert units.log_volume(np.zeros((5, 2))) == pytest.approx(3.0)
    observed = np.ones((2500, 2), bool)
    observed[1100, 1] = observed[2400, 0] = False
    found = units.log_volume(rows.Rows(np.zeros((2500, 2)), None, observed))
    assert found.shape == (2500,)
    assert [found[k] for k in (0, 1099, 1100, 2400, 2499)] == pytest.approx([3, 3, 1, 2, 3])
