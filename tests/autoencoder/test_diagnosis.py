"""Proves that each thing that can be wrong with a fit is found, named and said with its cure, and
that a good fit is told nothing."""

import types
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import autoencoder as ae
from autoencoder import diagnosis, inference
from autoencoder.diagnosis import DiagnosisWarning
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode, PointCode
from autoencoder.parts.likelihood import BernoulliLikelihood, GaussianLikelihood


def digits(n=300):
    return load_digits().data[:n].astype(np.float32) / 16


def names(model):
    return [finding.name for finding in model.diagnosis_]


def fitted(kind=ae.Autoencoder, X=None, **params):
    """The model, and what its fit warned of."""
    model = kind(**{"n_components": 8, "random_state": 0} | params)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", DiagnosisWarning)
        model.fit(digits() if X is None else X)
    return model, [str(w.message) for w in seen if w.category is DiagnosisWarning]


def test_a_good_fit_is_told_nothing():
    model, said = fitted()
    assert (names(model), said) == ([], [])


@pytest.mark.parametrize(
    ("name", "sentence", "params"),
    [
        ("worse than the mean", "is not below that of the mean", dict(max_epochs=1)),
        ("worse than PCA", "of a principal component analysis of 8", dict(max_epochs=20)),
        ("loss still falling", "the loss was still falling", dict(max_epochs=10, schedule=None)),
        ("more code than data", "for 6 rows", dict(X=digits(6), max_epochs=5)),
        (
            "dead units",
            "hidden relu units are 0 for all rows",
            dict(hidden=(64,), learning_rate=1.0, max_epochs=3),
        ),
        (
            "codes all equal",
            "all rows have the same code",
            dict(penalty=ae.L1Penalty(1e6), code="relu", max_epochs=40, learning_rate=0.1),
        ),
        (
            "silent code units",
            "8 of the 8 code units carry less than 0.01 nats",
            dict(kind=ae.VariationalAutoencoder, code=ae.GaussianCode(beta=1e4), max_epochs=60),
        ),
        (
            "saturated outputs",
            "of the outputs are 0 or 1 where the data are not",
            dict(likelihood="bernoulli", learning_rate=30.0, max_epochs=2),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 22 else "",
)
def test_what_is_wrong_is_found_and_warned_of(name, sentence, params):
    model, said = fitted(**params)
    assert name in names(model)
    assert [s for s in said if sentence in s], said
    assert len(said) == sum(finding.is_warning for finding in model.diagnosis_)
    order = [finding.is_warning for finding in model.diagnosis_]
    assert order == sorted(order, reverse=True)  # the worst first


def test_a_rising_validation_loss_is_found_and_no_reason_to_warn():
    X = np.random.default_rng(0).normal(size=(60, 30)).astype(np.float32)
    more = dict(X=X, n_components=20, validation_fraction=0.3, hidden=(64,), max_epochs=200)
    model, said = fitted(**more)
    assert "validation loss rising" in names(model)
    assert not [s for s in said if "validation" in s]
    sentence = next(f.sentence for f in model.diagnosis_ if f.name == "validation loss rising")
    assert f"lowest after epoch {model.best_epoch_} of 200" in sentence


def error_of_pca(X):
    pca = PCA(8, svd_solver="full").fit(X)
    return np.square(X - pca.inverse_transform(pca.transform(X))).mean()


def test_the_yardstick_is_the_error_of_principal_components():
    X = digits()
    least, tolerance = diagnosis.principal_error(X, X, 8)
    assert least == pytest.approx(error_of_pca(X), rel=1e-4) and tolerance == 1.1
    wide = np.random.default_rng(0).normal(size=(50, 2000))  # by the other product of the two
    assert diagnosis.principal_error(wide, wide, 8)[0] == pytest.approx(error_of_pca(wide))


def test_it_looks_at_rows_of_all_kinds():
    X = digits()
    for rows in (
        sparse.csr_array(X),
        np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X),
    ):
        model, _ = fitted(X=rows, missing="mask", max_epochs=1, learning_rate=1e-6)
        assert names(model)[0] == "worse than the mean"


class OfTheirOwn:
    """A likelihood with nothing but what is asked for: no base, no inverse mean."""

    def get_params(self, deep=False):
        return {}

    def check(self, X):
        pass

    def loss(self, t, x):
        return ((t - x) ** 2).sum() / len(t)

    def constant(self, n_features):
        return 0.0

    def mean(self, t):
        return t.numpy() if hasattr(t, "numpy") else t


def test_outputs_of_a_likelihood_of_ones_own_are_not_taken_for_logits():
    X = 100 * digits()
    model, _ = fitted(X=X, likelihood=OfTheirOwn(), max_epochs=3)
    assert model._scaling is None and np.abs(model.reconstruct(X)).max() > 15
    assert "saturated outputs" not in names(model)


def test_equal_rows_have_equal_codes_and_nothing_is_wrong_with_that():
    _, said = fitted(X=np.ones((30, 4)), n_components=1)
    assert said == []


def test_an_interrupted_fit_has_no_verdict_of_an_earlier_one():
    model, _ = fitted(max_epochs=1)

    def stop(model, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=stop).fit(digits())
    assert not hasattr(model, "diagnosis_")


def test_partial_fit_and_untrained_ones_are_not_judged_and_files_keep_the_verdict(tmp_path):
    X = digits()
    model = ae.Autoencoder(8, max_epochs=0).fit(X)
    assert model.diagnosis_ == []
    assert not hasattr(ae.Autoencoder(8).partial_fit(X), "diagnosis_")
    model, _ = fitted(max_epochs=1)
    model.save(tmp_path / "m.npz")
    assert ae.load(tmp_path / "m.npz").diagnosis_ == model.diagnosis_


# ---------------------------------------------------------------------- one by one, at their limits
SOME = np.arange(12.0).reshape(4, 3)  # rows that are not equal


def history(losses, rates=None):
    return {"loss": losses, "learning_rate": rates or [0.1] * len(losses)}


@pytest.mark.parametrize(
    ("losses", "rates", "falls"),
    [
        ([5.0, 3.0], None, False),  # too few to say
        ([5.0, 3.0, 2.0], None, True),
        ([5.0, 3.0, 3.0], None, False),
        ([5.0, 2.0, 3.0], None, False),
        ([3.0, 2.0, 4.0], None, False),  # it rose
        ([12.0] + [2.021] * 18 + [2.0] * 2, None, False),  # 0.021 of a fall of 10
        ([12.0] + [2.5] * 17 + [2.3] * 2, None, True),  # a single epoch is a tenth of 19, too
        ([12.0] + [2.0] * 18 + [2.0, 1.5], None, True),  # 0.25 over two epochs
        ([12.0, 4.0, 3.0, 2.0, 1.0], [0.1, 0.1, 0.05, 0.01, 0.001], False),  # of two only
        ([12.0, 9.0, 6.0, 6.0, 1.0], [0.1, 0.1, 0.1, 0.1, 0.01], False),
        ([12.0, 9.0, 6.0, 6.0, 1.0], [0.1, 0.1, 0.1, 0.01, 0.01], True),
    ],
)
def test_a_loss_still_falls_by_a_fiftieth_of_its_fall_in_a_tenth_of_the_epochs(
    losses, rates, falls
):
    found = diagnosis._still_falling(history(losses, rates))
    assert (found is not None) == falls
    if losses == [12.0] + [2.0] * 18 + [2.0, 1.5]:
        assert found.sentence.startswith(
            "after 21 epochs the loss was still falling, from 2 to 1.75 over 2 of them: use a"
        )


@pytest.mark.parametrize(
    ("losses", "best", "rose"),
    [
        ([5.0, 4.0, 3.0, 4.0, 5.0], 3, True),
        ([5.0, 4.0, 3.0, 5.0], 3, False),  # of fewer than five nothing is said
        ([5.0, 4.0, 4.0, 3.0, 5.0], 4, True),
        ([5.0, 4.0, 4.0, 3.0, 5.0], 5, False),
        ([5.0, 4.0, 3.0, 3.0, 3.03], 3, False),  # by less than a fiftieth of the fall
        ([5.0, 4.0, 3.0, 3.0, 3.05], 3, True),
        ([5.0, 4.0, np.inf, 3.0, 5.0], 3, False),
        ([5.0, 4.0, np.nan, 3.0, 3.0, 4.0], 3, True),
    ],
)
def test_a_validation_loss_rises_where_the_best_is_long_ago(losses, best, rose):
    training = types.SimpleNamespace(history={"validation_loss": losses}, best_epoch=best, epoch=5)
    found = diagnosis._validation(training)
    assert (found is not None) == rose
    assert found is None or (f"epoch {best} of 5" in found.sentence and not found.is_warning)
    assert diagnosis._validation(types.SimpleNamespace(history={})) is None


@pytest.mark.parametrize(("k", "found"), [(3, False), (4, True), (5, True)])
def test_a_code_as_long_as_there_are_rows_is_too_long(k, found):
    finding = diagnosis._large_code(SOME, k, 6)
    assert (finding is not None) == found
    assert finding is None or finding.sentence.startswith(f"a code of {k} numbers for 4 rows can")
    assert diagnosis._large_code(SOME, k, k) is None  # it is not meant to describe them


def test_units_that_never_change_are_counted():
    model = types.SimpleNamespace(code=PointCode("linear"))
    codes = np.random.default_rng(0).normal(size=(4, 20))
    assert diagnosis._silent_units(model, SOME, None, codes) is None
    codes[:, :2] = 7.0
    found = diagnosis._silent_units(model, SOME, None, codes)
    assert found.sentence.startswith(
        "2 of the 20 code units are the same for all rows, so the code"
    )
    assert not found.is_warning  # a tenth of them is no reason to act
    codes[:, 2] = 7.0 + 5e-5 * codes[:, 2] / codes.std(axis=0).max()
    found = diagnosis._silent_units(model, SOME, None, codes)
    assert found.sentence.startswith("3 of the 20") and found.is_warning
    assert found.sentence.endswith(": use code='linear', a smaller learning_rate or another "
                                   "random_state")  # fmt: skip
    assert diagnosis._silent_units(model, np.ones((4, 3)), None, codes) is None


def test_units_of_gaussian_codes_are_counted_by_their_nats():
    model = types.SimpleNamespace(code=GaussianCode())
    means = np.array([[0.2, 0.0], [-0.2, 0.0], [0.2, 0.1], [-0.2, -0.1]])
    h = np.concatenate([means, np.zeros((4, 2))], axis=1)  # of variance 1: mean**2 / 2 nats
    found = diagnosis._silent_units(model, SOME, h, means)  # 0.02 and 0.0025
    assert found.sentence.startswith("1 of the 2 code units carry less than 0.01 nats, so")
    assert not found.is_warning
    found = diagnosis._silent_units(model, SOME, 0.5 * h, 0.5 * means)
    assert found.sentence.startswith("2 of the 2 code units") and found.is_warning
    h[:, 2:] = 1.0  # (e - 1 - 1) / 2 nats more
    assert diagnosis._silent_units(model, SOME, h, means) is None
    h[:, 2:] = -0.15
    found = diagnosis._silent_units(model, SOME, h, means)
    assert found.sentence.startswith("1 of the 2")  # 0.0053 nats more: 0.0078
    h[:, 2:] = -0.18
    assert diagnosis._silent_units(model, SOME, h, means) is None  # 0.0076 more: 0.0101


def test_a_sparse_code_that_is_not_is_told_of():
    X = load_digits().data.astype(np.float32)[::4] / 16
    for weight, told in ((0.01, True), (5, False)):
        penalty = ae.KLSparsity(target=0.05, weight=weight)
        model = ae.SparseAutoencoder(16, penalty=penalty, max_epochs=100, random_state=0).fit(X)
        mean = model.transform(X).mean()
        assert (mean > 0.15) == told
        sentences = [f.sentence for f in model.diagnosis_ if f.name == "code not sparse"]
        assert len(sentences) == told
        assert not told or f"is {mean:.2g} where the penalty asks for 0.05" in sentences[0]


def test_whether_a_code_is_sparse_is_asked_of_all_targets_and_of_rows_that_count():
    class Other(ae.KLSparsity):
        name = "other"

    X = load_digits().data.astype(np.float32)[::4] / 16
    for targets in ((0.5, 0.05), (0.05, 0.5)):
        kinds = (ae.KLSparsity, Other)
        penalty = tuple(k(target=t, weight=0.01) for k, t in zip(kinds, targets, strict=True))
        model = ae.SparseAutoencoder(16, penalty=penalty, max_epochs=100, random_state=0).fit(X)
        names = [f.sentence for f in model.diagnosis_ if f.name == "code not sparse"]
        assert len(names) == 1 and "where the penalty asks for 0.05" in names[0]
    codes = np.array([[0.9, 0.8], [0.1, 0.0]])
    for weight, told in ((None, True), ([0, 2], False), ([2, 0], True), ([0, 0], True)):
        weight = None if weight is None else np.array(weight, float)
        assert bool(diagnosis._not_sparse((ae.KLSparsity(0.1),), codes, weight)) == told


def test_hidden_units_that_are_dead_are_counted():
    network = build(Sizes(3, 2, hidden=(8,)), PointCode("linear"), np.random.default_rng(0), float)
    model = inference.Model(network, PointCode("linear"), GaussianLikelihood(), None, 1024)
    codes = np.random.default_rng(1).normal(size=(4, 2))

    def dead(n_encoder, n_decoder):
        first, second = (m for m in network.modules() if getattr(m, "activation", None) == "relu")
        for layer, n in ((first, n_encoder), (second, n_decoder)):
            bias = np.full(8, 0.25)
            bias[:n] = -0.25
            layer.weight.data[...] = 0.0
            layer.bias.data[...] = bias
        return diagnosis._dead_units(model, SOME, codes)

    assert dead(0, 0) is None
    found = dead(1, 3)
    assert found.sentence == "4 of the 16 hidden relu units are 0 for all rows: they learn no more"
    assert not found.is_warning  # a quarter
    found = dead(2, 3)
    assert found.is_warning and found.sentence.startswith("5 of the 16")
    assert found.sentence.endswith(": use a smaller learning_rate, or activation='softplus' or "
                                   "'tanh'")  # fmt: skip


def test_outputs_that_are_0_or_1_where_the_data_are_not():
    model = types.SimpleNamespace(likelihood=BernoulliLikelihood())
    t, x = np.full((10, 10), 16.0), np.ones((10, 10))
    assert diagnosis._saturated(model, t, x) is None  # as the data are
    x[0, 0] = 0.5
    assert diagnosis._saturated(model, t, x) is None  # a hundredth
    x[0, 1] = 0.5
    assert diagnosis._saturated(model, t, x).sentence.startswith("2% of the outputs are 0 or 1")
    assert diagnosis._saturated(model, -t, 1 - x).sentence.startswith("2% of the outputs")
    assert diagnosis._saturated(model, t - 1.5, x) is None
    model.likelihood = GaussianLikelihood()
    assert diagnosis._saturated(model, t, x) is None


def test_principal_components_of_few_of_many_wide_rows_may_be_exceeded_by_more():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1100)) + 5
    least, tolerance = diagnosis.principal_error(X, X[::2], 4)
    assert tolerance == pytest.approx(1.1 + 2 * 4 / 40)
    pca = PCA(4, svd_solver="full").fit(X[::2])
    expected = np.square(X[::2] - pca.inverse_transform(pca.transform(X[::2]))).mean()
    assert least == pytest.approx(expected)
    assert diagnosis.principal_error(X, X, 4)[1] == 1.1
    narrow = rng.normal(size=(30, 6)) + 3
    pca = PCA(2, svd_solver="full").fit(narrow)
    expected = np.square(narrow - pca.inverse_transform(pca.transform(narrow))).mean()
    assert diagnosis.principal_error(narrow, narrow[:3], 2) == (pytest.approx(expected), 1.1)
    assert diagnosis.principal_error(narrow, narrow, 9)[0] == 0.0
