"""Proves that the training loop is the one described: separate streams, exact continuation, the
schedules' rates, the best weights kept, and a divergence that ends in a sentence."""

import contextlib
import io
import pickle
import types

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

import autoencoder as ae
from autoencoder import budget, solvers, training
from autoencoder.parts import assemble
from minigrad import optim, tensor
from minigrad.cpu import blas


def data(n=60, d=8, dtype=np.float64):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) / 3).astype(dtype)


def quick(kind=ae.Autoencoder, n_components=3, **params):
    usual = {"max_epochs": 4, "batch_size": 16, "random_state": 0}
    plain = {"schedule": None, "scale": None, "learning_rate": 0.001}
    return kind(n_components, **{**usual, **plain, **params})


def weights(model):
    return np.concatenate([a.ravel() for a in model.network_.state_dict().values()])


EVERYTHING = dict(
    kind=ae.SparseAutoencoder,
    noise="gaussian",
    hidden=(6,),
    dropout=0.2,
    penalty=("kl_sparsity", "contractive", "weight_decay"),
    schedule="cosine",
)


@pytest.mark.parametrize("more", [EVERYTHING, dict(kind=ae.VariationalAutoencoder)])
def test_epochs_by_partial_fit_are_those_of_one_fit(more):
    X = data()
    whole = quick(**more).fit(X)
    model = quick(**more)
    for _ in range(4):
        model.partial_fit(X)
    np.testing.assert_array_equal(weights(model), weights(whole))
    assert model.history_ == whole.history_
    assert (model.n_iter_, model.best_epoch_) == (4, 4)


def test_a_warm_start_goes_on_where_the_last_fit_ended():
    X = data()
    whole = quick().fit(X)
    model = quick(max_epochs=2, warm_start=True).fit(X).fit(X)
    np.testing.assert_array_equal(weights(model), weights(whole))
    assert model.history_ == whole.history_
    cold = quick(max_epochs=2).fit(X).fit(X)
    assert cold.n_iter_ == 2
    with pytest.raises(ValueError, match="n_components was 3 and is now 4"):
        model.set_params(n_components=4).fit(X)


def test_an_epoch_is_the_sum_of_its_terms_over_shuffled_batches():
    """A step too small to change anything: each term is then its mean over the data."""
    X = data()
    params = dict(penalty=("l1", "weight_decay"), learning_rate=1e-300, max_epochs=1)
    model = quick(code="sigmoid", **params).fit(X)
    record = {name: values[0] for name, values in model.history_.items()}
    assert list(record) == [
        "epoch",
        "loss",
        "reconstruction",
        "l1",
        "weight_decay",
        "l2_loss",
        "learning_rate",
        "code_mean",
        "code_spread",
    ]
    assert record["reconstruction"] == pytest.approx(-model.score(X))
    assert record["l1"] == pytest.approx(1e-3 * model.transform(X).sum(axis=1).mean())
    assert record["loss"] == pytest.approx(
        record["reconstruction"] + record["l1"] + record["weight_decay"]
    )
    codes, squares = model.transform(X), np.square(X - model.reconstruct(X)).sum(axis=1)
    assert record["l2_loss"] == pytest.approx(squares.mean() / 2)
    assert record["code_mean"] == pytest.approx(codes.mean())
    whole = quick(code="sigmoid", batch_size=60, **params).fit(X)  # one batch of all rows
    assert whole.history_["code_spread"] == pytest.approx([codes.std(axis=0).mean()])


def test_l2_loss_is_half_the_squared_error_whatever_the_variance():
    params = dict(learning_rate=1e-300, max_epochs=1)
    one = quick(**params).fit(data())
    small = quick(likelihood=ae.GaussianLikelihood(0.01), **params).fit(data())
    assert one.history_["l2_loss"] == pytest.approx(small.history_["l2_loss"])
    assert small.history_["loss"] == pytest.approx([-small.score(data())])
    for likelihood in ("bernoulli", ae.GaussianLikelihood("optimal")):
        assert "l2_loss" not in quick(likelihood=likelihood).fit(abs(data()).clip(0, 1)).history_


def test_every_row_is_read_once_in_an_epoch_in_a_new_order(monkeypatch):
    seen = []

    def spy(network, parts, x, target, rng, memory, *more):
        if network.training:
            seen.append((x.numpy().copy(), target.numpy().copy()))  # the next batch takes its place
        return original(network, parts, x, target, rng, memory, *more)

    original = training.loss_terms
    monkeypatch.setattr(training, "loss_terms", spy)
    X = data()
    quick(ae.DenoisingAutoencoder, max_epochs=2).fit(X)
    assert [len(x) for x, _ in seen] == [16, 16, 16, 12] * 2
    first, second = (np.concatenate([t for _, t in seen[k : k + 4]]) for k in (0, 4))
    for targets in (first, second):
        np.testing.assert_array_equal(np.sort(targets, axis=0), np.sort(X, axis=0))
    assert (first != second).any()
    noise = np.concatenate([x - t for x, t in seen])
    assert noise.std() == pytest.approx(0.2, rel=0.1)  # read noisy, scored clean


def test_an_epoch_holds_blas_to_one_thread_once(monkeypatch):
    """Of 60 products, large enough to be held each by itself."""
    held, lower = [], blas._Shared.lower
    monkeypatch.setattr(blas._Shared, "lower", lambda *both: held.append(1) or lower(*both))
    counts = []
    for epochs in (1, 4):
        held.clear()
        quick(max_epochs=epochs, hidden=(64,), batch_size=8).fit(data(d=32))
        counts.append(len(held))
    assert counts[1] - counts[0] == 3


def test_streams_are_separate():
    """Noise and dropout change neither the weights at the start nor the order of the rows."""
    X = data()
    plain = quick(max_epochs=0, hidden=(5,)).fit(X)
    other = quick(max_epochs=0, hidden=(5,), noise="gaussian", dropout=0.5).fit(X)
    np.testing.assert_array_equal(weights(plain), weights(other))
    for model in (plain, other):
        model.partial_fit(X)
    states = [m._training.streams["order"].bit_generator.state for m in (plain, other)]
    assert states[0] == states[1]
    for name, moved in [("noise", True), ("dropout", True), ("split", False)]:
        states = [m._training.streams[name].bit_generator.state for m in (plain, other)]
        assert (states[0] != states[1]) is moved, name


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (None, [0.01] * 6),
        ("step", [0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001]),
        ("exponential", [0.01 * 0.01 ** (k / 6) for k in range(6)]),
        ("cosine", [0.005 * (1 + np.cos(np.pi * k / 6)) for k in range(6)]),
        (optim.StepDecay(0.1, every=12, factor=0.5), [0.1, 0.1, 0.1, 0.05, 0.05, 0.05]),
        (lambda optimizer: 0.02 / (optimizer.t + 1), [0.02 / (4 * k + 1) for k in range(6)]),
    ],
)
def test_schedules(schedule, rates):
    """Six epochs of four steps; the history has the rate of each epoch's first step."""
    model = quick(schedule=schedule, learning_rate=0.01, max_epochs=6, solver="sgd").fit(data())
    np.testing.assert_allclose(model.history_["learning_rate"], rates)


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "rmsprop"])
def test_solvers_lower_the_loss(solver):
    losses = quick(solver=solver, max_epochs=15).fit(data()).history_["loss"]
    assert losses[-1] < losses[0]
    kind = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}[solver]
    assert type(quick(solver=solver).fit(data())._training.optimizer).__name__ == kind


def test_the_best_weights_are_kept_and_patience_ends_the_training():
    """A rate that grows until it does harm: the best epoch is before the last."""
    X, seen = data(), {}
    model = quick(
        schedule=optim.ExponentialDecay(1e-3, 1.2),
        validation_fraction=0.3,
        patience=3,
        max_epochs=100,
        callbacks=lambda m, record: seen.update({record["epoch"]: weights(m)}),
    ).fit(X)
    losses = model.history_["validation_loss"]
    assert model.best_epoch_ == np.argmin(losses) + 1
    assert model.n_iter_ == model.best_epoch_ + 3 < 100
    np.testing.assert_array_equal(weights(model), seen[model.best_epoch_])
    assert (weights(model) != seen[model.n_iter_]).any()


def test_of_equal_losses_the_first_is_the_best():
    """A step too small to change anything: the weights kept are those that it began with."""
    model = quick(learning_rate=1e-300, patience=2, max_epochs=9, validation_fraction=0.2)
    model.fit(data())
    assert (model.n_iter_, model.best_epoch_) == (2, 0)


def test_validation_rows_are_not_trained_on_and_always_the_same():
    X = np.arange(40.0)[:, None] * np.ones((1, 4))
    rng = training.random_streams(0)["split"]
    rows, held_out = training.split(X, 0.25, rng)
    assert (len(rows), len(held_out)) == (30, 10)
    assert set(rows[:, 0]) | set(held_out[:, 0]) == set(X[:, 0])
    np.testing.assert_array_equal(held_out, training.split(X, 0.25, rng)[1])
    for few, fraction in [(X[:1], 0.5), (X[:2], 0.2), (X[:2], 0.9), (X, 0.0)]:
        assert training.split(few, fraction, rng)[1] is None
    model = quick(validation_fraction=0.2, max_epochs=1).fit(data(1, 8))
    assert "validation_loss" not in model.history_


@pytest.mark.parametrize("kind", [ae.VariationalAutoencoder, ae.DenoisingAutoencoder])
def test_the_validation_loss_differs_only_by_the_weights(kind):
    X = data()
    model = quick(kind, hidden=(4,), dropout=0.5, penalty="weight_decay").fit(X)
    parts = assemble(model.noise, model.code, model.likelihood, model.penalty)
    settings = training.Settings(*(getattr(model, name) for name in training.PARAMETERS))
    first = training.evaluate(model._training, parts, X, settings)
    before = pickle.dumps(model._training.streams)
    assert training.evaluate(model._training, parts, X, settings) == first
    assert pickle.dumps(model._training.streams) == before
    model.partial_fit(X)
    assert training.evaluate(model._training, parts, X, settings) != first


def test_a_validation_leaves_the_memory_of_penalties_as_it_was():
    """Also of one's own, which here counts the rows that it was shown."""

    class Counting(BaseEstimator):
        name = "counting"

        def check(self, code):
            pass

        def __call__(self, batch):
            seen = batch.memory.setdefault(self.name, np.zeros(1))
            seen += len(batch.z.data)
            return (batch.z * batch.z).mean() * float(seen[0])

    X, other = data(), 3 * data()[:20]
    alone, watched = quick(penalty=Counting()).fit(X), quick(penalty=Counting()).fit(X, X_val=other)
    assert watched._training.memory["counting"] == 4 * len(X)
    assert watched.history_["counting"] == alone.history_["counting"]


def test_patience_without_validation_watches_the_training_loss():
    rising = optim.ExponentialDecay(1e-3, 1.2)
    model = quick(schedule=rising, patience=2, max_epochs=100).fit(data())
    assert 1 < model.best_epoch_ == np.argmin(model.history_["loss"]) + 1
    assert model.n_iter_ == model.best_epoch_ + 2 < 100


def test_callbacks_see_a_usable_estimator_and_can_stop_it():
    X, seen = data(), []

    def watch(model, record):
        seen.append((record["epoch"], model.n_iter_, model.score(X), len(model.history_["loss"])))

    def stop(model, record):
        return record["epoch"] == 3

    model = quick(
        callbacks=(stop, watch), max_epochs=10, likelihood=ae.GaussianLikelihood("optimal")
    ).fit(X)
    assert model.n_iter_ == 3
    assert [s[0] for s in seen] == [s[1] for s in seen] == [s[3] for s in seen] == [1, 2, 3]
    assert seen[-1][2] == model.score(X)


def test_the_progress_bar_is_shown_only_on_request():
    with contextlib.redirect_stderr(io.StringIO()) as shown:
        quick(verbose=0).fit(data())
        assert shown.getvalue() == ""
        quick(verbose=1).fit(data())
    assert "Autoencoder: 100%" in shown.getvalue()
    assert "4/4" in shown.getvalue()
    assert "loss=" in shown.getvalue()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_training_that_diverges_goes_back_to_the_best_weights(dtype):
    X = data(dtype=dtype)
    model = quick(solver="sgd", learning_rate=50.0, code="linear", max_epochs=200)
    untrained = quick(max_epochs=0, code="linear").fit(X)
    with pytest.warns(
        ConvergenceWarning, match=r"epoch \d+: after \d+ steps .* no longer finite"
    ) as w:
        model.fit(X)
    assert "learning_rate below 50" in str(w[0].message)
    assert model.n_iter_ < 200
    assert len(model.history_["loss"]) == model.n_iter_
    assert np.isfinite(model.history_["loss"]).all()
    assert model.best_epoch_ == 0  # every step made it worse
    np.testing.assert_array_equal(weights(model), weights(untrained))
    assert w[0].filename == __file__
    model.set_params(learning_rate=1e-3).partial_fit(X).partial_fit(X)  # it can go on
    assert model.score(X) > untrained.score(X)


def test_weights_that_overflow_in_the_last_step_are_noticed():
    """The loss of every batch was finite, and no batch comes after it."""
    X = data(dtype=np.float32)
    model = quick(solver="sgd", learning_rate=1e39, max_epochs=1, batch_size=len(X))
    with pytest.warns(ConvergenceWarning, match="after 1 steps the weights are no longer finite"):
        model.fit(X)
    assert model.n_iter_ == 0 and np.isfinite(weights(model)).all()
    np.testing.assert_array_equal(weights(model), weights(quick(max_epochs=0).fit(X)))


def test_a_partial_fit_that_diverges_changes_nothing():
    X = data()
    model = quick(code="linear").fit(X)
    good = weights(model)
    with pytest.warns(ConvergenceWarning), np.errstate(over="ignore"):
        model.partial_fit(X * 1e160)
    np.testing.assert_array_equal(weights(model), good)
    assert (model.n_iter_, len(model.history_["loss"])) == (4, 4)


def test_a_divergence_goes_back_to_the_best_weights_where_they_are_kept():
    X = data()
    with pytest.warns(ConvergenceWarning):
        model = quick(
            solver="sgd",
            schedule=lambda optimizer: 1e-3 if optimizer.t < 12 else 1e6,
            code="linear",
            max_epochs=50,
            validation_fraction=0.2,
        ).fit(X)
    assert model.best_epoch_ == np.argmin(model.history_["validation_loss"]) + 1
    assert model.score(X) > quick(max_epochs=0, code="linear").fit(X).score(X)


def test_a_fit_that_was_interrupted_is_finished_by_a_warm_start():
    X = data()
    params = dict(max_epochs=6, validation_fraction=0.2, patience=4, schedule="cosine")
    whole = quick(**params).fit(X)

    def interrupt(model, record):
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    model = quick(**params, callbacks=interrupt, warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    model.set_params(callbacks=None).fit(X)
    assert model.history_ == whole.history_
    np.testing.assert_array_equal(weights(model), weights(whole))


@pytest.mark.parametrize("kind", [ae.Autoencoder, ae.VariationalAutoencoder])
@pytest.mark.parametrize("where", ["callback", "first epoch", "partial_fit"])
def test_an_estimator_whose_first_fit_was_interrupted_answers(kind, where, monkeypatch, tmp_path):
    X = data()

    def interrupt(*_):
        raise KeyboardInterrupt

    model = quick(kind, likelihood=ae.GaussianLikelihood("optimal"))
    if where == "callback":
        model.set_params(callbacks=interrupt)
    else:
        monkeypatch.setattr(training, "epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        (model.partial_fit if where == "partial_fit" else model.fit)(X)
    assert model.n_iter_ == (where == "callback")
    assert np.isfinite(model.score_samples(X)).all()
    assert model.transform(X).shape == (60, 3)
    assert model.sample(2, prior="gaussian").shape == (2, 8)
    model.set_params(callbacks=None).save(tmp_path / "model.npz")
    np.testing.assert_array_equal(ae.load(tmp_path / "model.npz").transform(X), model.transform(X))


def test_the_network_is_a_copy_that_can_be_given_back():
    X = data()
    model = quick().fit(X)
    codes, network = model.transform(X), model.network_
    rows = tensor(X)
    optimizer = optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):  # fine-tuning outside
        optimizer.zero_grad()
        (network.encode(rows) ** 2).sum().backward()
        optimizer.step()
    np.testing.assert_array_equal(model.transform(X), codes)
    model.network_ = network
    assert np.abs(model.transform(X) - codes).max() > 0.01
    assert hasattr(model.partial_fit(X), "network_")
    assert not hasattr(quick(), "network_")


def test_terms_that_come_later_leave_gaps_in_the_history():
    X = data()
    model = quick(max_epochs=1).fit(X)
    model.set_params(penalty="l1").partial_fit(X)
    assert np.isnan(model.history_["l1"][0])
    assert model.history_["l1"][1] > 0
    assert {len(values) for values in model.history_.values()} == {2}


def test_other_options_of_the_solver_begin_a_new_optimizer():
    X = np.random.default_rng(0).random((20, 4))
    model = ae.Autoencoder(2, max_epochs=1, warm_start=True, random_state=0).fit(X)
    assert model.fit(X)._training.optimizer.t == 2
    model.set_params(solver_options={"betas": (0.5, 0.9)}).fit(X)
    assert (model._training.optimizer.t, model._training.optimizer.betas) == (1, (0.5, 0.9))
    with pytest.raises(ValueError, match="are not those of solver='adam'"):
        model.set_params(solver_options={"momentum": 1}).fit(X)


# ---------------------------------------------------------------------- "auto"
def test_the_cooldown_falls_to_nothing_over_the_last_quarter():
    rates = []
    quick(
        schedule="cooldown",
        max_epochs=8,
        callbacks=lambda model, record: rates.append(record["learning_rate"]),
    ).fit(data())
    np.testing.assert_allclose(np.array(rates) / 0.001, [1, 1, 1, 1, 1, 1, 1, 0.5])
    model = quick(schedule="cooldown")
    for _ in range(3):  # which has no end
        model.partial_fit(data())
    assert model.history_["learning_rate"] == [0.001] * 3


def test_auto_makes_4000_steps_and_ends_early_on_a_plateau():
    X = data(640)
    model = quick(batch_size="auto", max_epochs="auto", learning_rate=1e-6, schedule="cooldown")
    model.fit(X)
    assert model._training.optimizer.t == 4000 and model.n_iter_ == 200
    quickly = quick(batch_size="auto", max_epochs="auto", learning_rate=0.01, schedule="cooldown")
    quickly.fit(X)
    assert quickly.n_iter_ < 150
    rates = np.array(quickly.history_["learning_rate"])
    falls = np.flatnonzero(rates < 0.01)  # the last quarter of what it has become
    assert 0.2 < len(falls) / len(rates) <= 0.26 and (np.diff(rates[falls]) < 0).all()
    assert rates[-1] < 0.001


def test_another_schedule_comes_to_its_end():
    X, lengths = data(640), dict(batch_size="auto", max_epochs="auto")
    model = quick(schedule="cosine", learning_rate=0.01, **lengths).fit(X)
    assert model.n_iter_ == 200 and model.history_["learning_rate"][-1] < 1e-5


def test_a_fit_that_levels_off_goes_on_from_a_file_to_the_same_bits(tmp_path):
    """It is cut short before and after the plateau is found."""
    X, params = data(640), dict(batch_size="auto", max_epochs="auto", learning_rate=0.01)
    whole = quick(schedule="cooldown", **params).fit(X)
    for epoch in (10, whole.n_iter_ - 5):

        def save(model, record, epoch=epoch):
            if record["epoch"] == epoch:
                model.save(tmp_path / "m.npz")
                return True
            return False

        cut = quick(schedule="cooldown", callbacks=save, **params)
        with pytest.warns(UserWarning, match="callbacks is code"):
            cut.fit(X)
        went_on = ae.load(tmp_path / "m.npz").set_params(warm_start=True).fit(X)
        np.testing.assert_array_equal(weights(went_on), weights(whole))
        assert went_on.history_ == whole.history_


def test_the_network_reads_centred_data_and_begins_at_the_mean():
    X = np.random.default_rng(0).random((50, 6)) * [0.1, 1, 0.5, 0.2, 0.9, 0]
    for likelihood in ("gaussian", "bernoulli", "continuous_bernoulli"):
        model = quick(max_epochs=0, likelihood=likelihood).fit(X)
        center = model.network_.state_dict()["center"]
        np.testing.assert_allclose(center, X.mean(axis=0), rtol=1e-12)
        at_mean = model.inverse_transform(np.zeros((1, 3)))[0]
        np.testing.assert_allclose(at_mean[:5], X.mean(axis=0)[:5], rtol=1e-6)
        assert at_mean[5] == pytest.approx(0, abs=1.1e-3)


def test_a_schedule_begins_anew_with_each_fit_and_knows_its_length():
    settings = types.SimpleNamespace(schedule="cosine", learning_rate=0.5)
    optimizer = types.SimpleNamespace(t=17)
    found = solvers.learning_rate(settings, optimizer, 15, 8)
    assert found == solvers.SCHEDULES["cosine"](0.5, 8)(2)
    assert solvers.SCHEDULES["step"](1.0, 9)(3) == pytest.approx(0.1)
    assert solvers.SCHEDULES["step"](1.0, 9)(2) == 1.0
    assert solvers.SCHEDULES["exponential"](1.0, 10)(10) == pytest.approx(0.01)
    assert [solvers.SCHEDULES["cooldown"](2.0, 8)(step) for step in (0, 6, 7, 8)] == [2, 2, 1, 0]


@pytest.mark.parametrize(("epochs", "length"), [(0, 4), (1, 4), (2, 8)])
def test_the_length_of_a_fit_is_that_of_its_epochs(epochs, length, monkeypatch):
    asked = []
    found = solvers.learning_rate

    def watched(settings, optimizer, first_step, steps):
        asked.append(steps)
        return found(settings, optimizer, first_step, steps)

    monkeypatch.setattr(training, "learning_rate", watched)
    model = quick(schedule="cosine", max_epochs=epochs).fit(data())
    assert asked == [length] * (4 * epochs)
    model.partial_fit(data())
    assert asked[-1] == length


def test_a_fit_that_has_levelled_off_ends_with_the_quarter_that_is_to_come():
    plan = training.Plan(goal=100, start=10)
    plan.shorten(40)  # 30 epochs are three quarters
    assert (plan.goal, plan.is_level) == (50, True)
    plan = training.Plan(goal=45)
    plan.shorten(41)
    assert plan.goal == 45
    plan = training.Plan(goal=100)
    plan.shorten(4)
    assert plan.goal == 6


@pytest.mark.parametrize(
    ("losses", "steps", "level"),
    [
        ([9.0, 5, 3, 2, 1, 0.5], 200, False),
        ([9.0, 1, 1, 1, 1], 200, True),
        ([9.0, 1, 1, 1], 200, False),  # too few epochs to say
        ([9.0, 1, 1, 1, 1], 150, False),  # three of them are 400 steps
        ([9.0, 1, 1, 1, 1, 1, 1], 150, True),
        ([11.0, 1.015, 1.015, 1, 1], 200, True),  # by less than a five-hundredth of the fall
        ([11.0, 1.025, 1.025, 1, 1], 200, False),
        ([1.0, 2, 2, 2, 2], 200, True),  # it has risen
        ([1.0, 4, 4, 2, 2], 200, False),  # and falls again
        ([9.0, 1, 1, 1, 1], 5000, True),  # two epochs at the least
    ],
)
def test_a_loss_has_levelled_off(losses, steps, level):
    assert budget.levelled_off(losses, steps) is level


@pytest.mark.parametrize(
    ("rows", "batch"),
    [(1, 32), (60 * 64 - 1, 32), (60 * 64, 64), (60 * 256 - 1, 128), (60 * 256, 256),
     (10**7, 256)],
)  # fmt: skip
def test_batches_are_powers_of_two(rows, batch):
    assert budget.batch_size(rows) == batch


def test_epochs_make_4000_steps():
    assert [budget.max_epochs(n) for n in (1, 400, 401, 3999, 4000, 9000)] == [4000, 10, 10, 10,
                                                                              10, 10]  # fmt: skip
    assert budget.max_epochs(399) == 11


@pytest.mark.parametrize(
    ("rows", "fraction", "held_out"),
    [(5, 0.2, 1), (5, 0.09, 0), (5, 0.89, 4), (5, 0.91, 0), (2, 0.5, 1), (10, 0.25, 2)],
)
def test_rows_are_held_out_where_both_sides_have_some(rows, fraction, held_out):
    X, rng = np.arange(rows)[:, None], np.random.default_rng(3)
    train, validation = training.split(X, fraction, rng)
    assert (0 if validation is None else len(validation)) == held_out
    both = train if validation is None else np.concatenate([train, validation])
    assert np.sort(both, axis=0).tolist() == X.tolist() and train.tolist() == sorted(train.tolist())
    assert rng.random() == np.random.default_rng(3).random()  # it is left as it was


@pytest.mark.parametrize(
    ("rows", "skip", "steps"), [(35, False, 4), (35, True, 3), (30, True, 2), (5, True, 1)]
)
def test_the_last_batch_can_be_left_out_but_for_the_only_one(rows, skip, steps):
    settings = types.SimpleNamespace(batch_size=10, skip_last_batch=skip)
    assert training.steps_of_an_epoch(settings, rows) == steps
