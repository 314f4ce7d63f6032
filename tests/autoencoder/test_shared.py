"""Proves that several ranks train what one process trains of the whole batches, kind by kind, and
that they end together; the ranks are threads, those of `test_mpi.py` processes."""

import contextlib
import io
import warnings

import numpy as np
import pytest
import ranks
from ranks import on_ranks
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import autoencoder as ae
from autoencoder import estimator, parts
from autoencoder.progress import progress_bar
from minigrad import nn, optim
from minigrad.distributed import AllReduce

rng = np.random.default_rng(0)
X = rng.random((22, 16))  # in batches of 7: shares of 3 and 4, and the last batch has 1 row
WEIGHT = rng.uniform(0.1, 2.0, 22)
HOLES = np.where(rng.random(X.shape) < 0.2, np.nan, X)


def normed(sizes, code, rng, dtype):
    """A network with batch norm and with dropout."""
    make = dict(rng=rng, dtype=dtype)
    drop = nn.Dropout(0.3, rng=np.random.default_rng(4))
    encoder = nn.Sequential(
        nn.Dense(sizes.n_features, 6, **make),
        nn.BatchNorm1D(6, dtype=dtype),
        drop,
        nn.Dense(6, code.width(sizes.n_components), **make),
    )
    return encoder, nn.Sequential(nn.Dense(sizes.n_components, sizes.n_features, **make))


def adamw(parameters, lr):
    return optim.AdamW(parameters, lr=lr)


VAE = dict(kind=ae.VariationalAutoencoder)
KINDS = {
    "plain": dict(hidden=(6,)),
    "convolutional": dict(hidden=(2,), image_shape=(4, 4, 1), tied=True, dropout=0.3),
    "noise": dict(noise="gaussian"),
    "patches": dict(noise=ae.PatchMasking(scored="hidden"), likelihood="optimal_gaussian"),
    "sparse": dict(code="sigmoid", penalty="kl_sparsity"),
    "contractive": dict(code="sigmoid", penalty=(ae.ContractivePenalty(), ae.WeightDecay())),
    "hutchinson": dict(
        code="tanh", hidden=(5,), penalty=ae.ContractivePenalty(method="hutchinson")
    ),
    "l1": dict(code="relu", penalty="l1", solver=adamw),
    "variational": VAE,
    "warm up": VAE | dict(code=ae.GaussianCode(warm_up=0.5)),
    "free bits": VAE | dict(code=ae.GaussianCode(free_bits=0.075)),
    "importance": VAE | dict(code=ae.GaussianCode(n_draws=3)),
    "total correlation": VAE | dict(penalty="total_correlation", likelihood="bernoulli"),
    "mmd": dict(penalty="mmd"),
    "quantised": dict(code=ae.VectorQuantisedCode(n_vectors=5, length=2)),
    "continuous": VAE | dict(likelihood="continuous_bernoulli"),
    # one row has no variance; Adam would make steps of the rounding in a gradient that is 0
    "batch norm": dict(network=normed, batch_size=11, solver="sgd"),
    "validation": dict(
        validation_fraction=0.2, patience=1, max_epochs=3, hidden=(6,), solver="sgd"
    ),
    "pretrained": dict(hidden=(6, 5), pretrain_epochs=1),
    "skip": dict(skip_last_batch=True, scale="standard"),
}
LABELS = np.arange(22) % 3
DATA = {
    "weighted": (dict(code="sigmoid", penalty="kl_sparsity"), X, WEIGHT),
    "weighted mmd": (VAE | dict(penalty=("mmd", "total_correlation")), X, WEIGHT),
    "weighted free bits": (VAE | dict(code=ae.GaussianCode(free_bits=0.075)), X, WEIGHT),
    "missing": (VAE | dict(missing="mask", noise="masking"), HOLES, WEIGHT),
    "sparse": (dict(noise="gaussian"), sparse.csr_array(np.where(X > 0.5, X, 0)), None),
}


def made(comm=None, kind=ae.Autoencoder, solver="adam", **params):
    """An estimator; with a `comm` one whose optimizer is shared."""
    if comm is not None:
        make = solver if callable(solver) else _named(solver)
        inner = make

        def solver(parameters, **options):
            return AllReduce(inner(parameters, **options), comm, check_every=2)

    usual = dict(batch_size=7, max_epochs=2, random_state=0, learning_rate=0.01)
    return kind(4, solver=solver, **usual | params)


def _named(name):
    kinds = {"adam": optim.Adam, "sgd": optim.SGD}
    more = dict(momentum=0.9, nesterov=True) if name == "sgd" else {}
    return lambda parameters, **options: kinds[name](parameters, **options | more)


def trained(settings, data, weight, comm=None):
    return made(comm, **settings).fit(data, sample_weight=weight)


def numbers(model):
    """All numbers of a training: the weights, then the history."""
    return {**model.network_.state_dict(), **model.history_}


def compare(settings, size, data=X, weight=None):
    alone = numbers(trained(settings, data, weight))
    models = on_ranks(size, lambda comm: trained(settings, data, weight, comm))
    first = numbers(models[0])
    assert list(first) == list(alone)
    for name, value in alone.items():
        np.testing.assert_allclose(first[name], value, rtol=1e-10, atol=1e-12, err_msg=name)
    for model in models[1:]:
        for name, value in numbers(model).items():
            np.testing.assert_array_equal(value, first[name], err_msg=name)
    return models


@pytest.mark.parametrize("name", KINDS)
def test_two_ranks_train_what_one_does(name):
    compare(KINDS[name], 2)


@pytest.mark.parametrize("name", DATA)
def test_of_other_data(name):
    settings, data, weight = DATA[name]
    compare(settings, 3, data, weight)


@pytest.mark.parametrize("name", ["variational", "importance", "mmd", "quantised", "sparse"])
def test_more_ranks_than_rows(name):
    compare(KINDS[name] | dict(batch_size=3, max_epochs=2), 4)  # and 1 in the last


def test_labels_go_with_their_rows():
    settings = VAE | dict(conditional=True, noise="masking")
    alone = made(**settings).fit(X, LABELS)
    for model in on_ranks(3, lambda comm: made(comm, **settings).fit(X, LABELS)):
        expected = alone.transform(X, LABELS)
        np.testing.assert_allclose(model.transform(X, LABELS), expected, rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------------- files
def test_the_first_rank_writes_and_one_process_reads(tmp_path):
    path = tmp_path / "model.npz"

    def train(comm):
        model = trained(KINDS["variational"], X, None, comm)
        model.save(tmp_path / f"{comm.rank}.npz" if comm.rank else path)
        return model

    first, _ = on_ranks(2, train)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    read = ae.load(path)
    assert read.solver == "adam" and read.solver_options["betas"] == (0.9, 0.999)
    np.testing.assert_array_equal(read.transform(X), first.transform(X))


def test_a_training_goes_on_alone_and_shared_again(tmp_path):
    """Each time to what one process would have made of it, with the moments of Adam."""
    path = tmp_path / "model.npz"
    settings = KINDS["plain"] | dict(schedule=None)
    whole = trained(settings | dict(max_epochs=6), X, None)
    on_ranks(2, lambda comm: trained(settings, X, None, comm).save(path))
    ae.load(path).set_params(warm_start=True).fit(X).save(path)

    def go_on(comm):
        shared = made(comm, **settings).solver
        return ae.load(path).set_params(solver=shared, warm_start=True).fit(X)

    for model in on_ranks(3, go_on):
        np.testing.assert_allclose(model.transform(X), whole.transform(X), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(model.history_["loss"], whole.history_["loss"], rtol=1e-10)


def test_another_formula_begins_anew():
    model = made(max_epochs=1).fit(X)
    model.set_params(warm_start=True, solver="adam", solver_options={"betas": (0.5, 0.9)}).fit(X)
    assert model._training.optimizer.t == 4


def test_an_optimizer_of_ones_own_is_not_written(tmp_path):
    class Signs(optim.SGD):
        def update(self, w, g, *, t, lr, **others):
            w -= lr * np.sign(g)

    model = made(solver=lambda parameters, lr: Signs(parameters, lr=lr)).fit(X)
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    with pytest.raises(ValueError, match="save: solver is a Signs, and files hold no code"):
        model.save(tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("solver", "error", "match"),
    [
        (lambda parameters, lr: None, TypeError, "must return an optimizer of minigrad.optim"),
        (lambda parameters: None, TypeError, "unexpected keyword argument 'lr'"),
        (3, ValueError, "unknown solver 3: use 'adam', .*, or a function of .parameters, lr."),
    ],
)
def test_other_solvers_are_refused(solver, error, match):
    with pytest.raises(error, match=match):
        made(solver=solver).fit(X)


# ---------------------------------------------------------------------- one for all
def test_partial_fit_is_shared_too():
    alone = made(noise="gaussian", schedule=None)
    for _ in range(3):
        alone.partial_fit(X)

    def train(comm):
        model = made(comm, noise="gaussian", schedule=None)
        for _ in range(3):
            model.partial_fit(X)
        return model

    for model in on_ranks(2, train):
        np.testing.assert_allclose(model.transform(X), alone.transform(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda rank: (X[: 22 - rank], dict()), "data"),
        (lambda rank: (X, dict(batch_size=7 - rank)), "settings"),
        (lambda rank: (X, dict(random_state=rank)), "weights"),
    ],
)
def test_ranks_that_do_not_begin_alike_all_hear_of_it(change, what):
    def train(comm):
        data, params = change(comm.rank)
        with pytest.raises((ValueError, RuntimeError), match=f"rank 1 has other {what} than"):
            made(comm, **params).fit(data)
        return True

    with contextlib.redirect_stderr(io.StringIO()):
        assert all(on_ranks(2, train))


CLASSES = np.arange(100) % 2
LONG = np.random.default_rng(1).random((100, 16))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (dict(y=np.where(np.arange(100) < 64, CLASSES, 0)), "data"),
        (dict(sample_weight=np.where(np.arange(100) < 99, 1.0, 2.0)), "data"),
        (dict(X=np.where(np.arange(100)[:, None] < 99, LONG, 0)), "data"),
    ],
)
def test_ranks_with_other_rows_at_the_end_all_hear_of_it(change, what):
    given = dict(X=LONG, y=CLASSES, sample_weight=np.ones(100))

    def train(comm):
        with pytest.raises((ValueError, RuntimeError), match=f"rank 1 has other {what} than"):
            made(comm, conditional=True, scale=None).fit(**given | (change if comm.rank else {}))
        return True

    with contextlib.redirect_stderr(io.StringIO()):
        assert all(on_ranks(2, train))


@pytest.mark.parametrize("other", [X[:4] + 1, X[:3], None])
def test_ranks_that_validate_on_other_rows_all_hear_of_it(other):
    def train(comm):
        with pytest.raises((ValueError, RuntimeError), match="rank 1 has other validation data"):
            made(comm).fit(X, X_val=other if comm.rank else X[:4])
        return True

    with contextlib.redirect_stderr(io.StringIO()):
        assert all(on_ranks(2, train))


def _detector(comm, data):
    ae.AutoencoderAnomalyDetector(made(comm)).fit(data)


@pytest.mark.parametrize(
    "train",
    [
        lambda comm, data: made(comm).fit(data),
        lambda comm, data: made(comm).fit(X, X_val=data),
        lambda comm, data: made(comm).partial_fit(X).partial_fit(data),
        _detector,
    ],
)
def test_a_rank_that_fails_before_the_training_ends_all(train, capsys, monkeypatch):
    monkeypatch.setattr(ranks, "PATIENCE", 5)  # that the others wait is what must not be
    with pytest.raises(ValueError, match="NaN"):
        on_ranks(2, lambda comm: train(comm, HOLES if comm.rank == 1 else X))
    assert "rank 1 of 2 ended all ranks, it had ValueError: " in capsys.readouterr().err


def test_an_error_of_one_process_is_its_own(capsys):
    for solver in (lambda parameters, lr: optim.SGD(parameters, lr=lr), lambda: None, "sgd"):
        with pytest.raises(ValueError, match="contains NaN"):
            made(solver=solver).fit(HOLES)
    assert not capsys.readouterr().err


def test_an_error_on_one_rank_ends_all(capsys):
    def stumble(model, record):
        raise OSError("no room")

    def train(comm):
        made(comm, callbacks=stumble if comm.rank == 1 else None, max_epochs=10).fit(X)

    with pytest.raises(OSError, match="no room"):
        on_ranks(3, train)
    said = capsys.readouterr().err
    assert "rank 1 of 3 ended all ranks, it had OSError: no room" in said


def test_one_rank_that_says_stop_stops_all():
    def train(comm):
        stop = lambda model, record: comm.rank == 1 and record["epoch"] == 2  # noqa: E731
        return made(comm, callbacks=stop, max_epochs=9).fit(X).n_iter_

    assert on_ranks(2, train) == [2, 2]


def test_only_the_first_rank_speaks(monkeypatch):
    shown = []

    def recorded(name, done, goal, is_shown):
        shown.append(is_shown)
        return progress_bar(name, done, goal, False)

    monkeypatch.setattr(estimator, "progress_bar", recorded)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        on_ranks(3, lambda comm: made(comm, learning_rate=1e200, verbose=1).fit(X))
    assert [w.category for w in heard].count(ConvergenceWarning) == 1
    assert sorted(shown) == [False, False, True]


def test_a_penalty_of_ones_own_says_that_it_can_be_shared():
    class Wide(parts.L1Penalty):
        name = "wide"

    class Mean(Wide):
        by_row = True

    with (
        contextlib.redirect_stderr(io.StringIO()),
        pytest.raises(ValueError, match=r"Wide cannot be trained on several ranks, .* by_row = "),
    ):
        on_ranks(2, lambda comm: made(comm, penalty=Wide()).fit(X))
    compare(dict(penalty=Mean()), 2)


def test_draws_that_no_share_can_be_taken_of_are_refused():
    class Odd(ae.GaussianCode):
        by_row = True

        def sample(self, h, rng):
            rng.integers(3)
            return super().sample(h, rng)

    with (
        contextlib.redirect_stderr(io.StringIO()),
        pytest.raises(ValueError, match=r"rng.integers: in a training on several ranks only"),
    ):
        on_ranks(2, lambda comm: made(comm, code=Odd()).fit(X))
