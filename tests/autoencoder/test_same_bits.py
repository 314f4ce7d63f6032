"""Proves that a seed decides every bit: in other processes, threads, forks and workers too."""

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import autoencoder as ae
import minigrad

X = np.random.default_rng(0).random((70, 16)).astype(np.float32)
# With rows as long as these BLAS would use several threads, which changes the last bits, and so
# would the pool.
WIDE = np.random.default_rng(0).random((300, 1024)).astype(np.float32)
ESTIMATORS = {
    "Autoencoder": ae.Autoencoder(4, hidden=(8,), dropout=0.2, tied=True),
    "convolutional": ae.Autoencoder(4, hidden=(3,), image_shape=(4, 4, 1)),
    "DenoisingAutoencoder": ae.DenoisingAutoencoder(4, solver="rmsprop"),
    "SparseAutoencoder": ae.SparseAutoencoder(4, validation_fraction=0.2),
    "ContractiveAutoencoder": ae.ContractiveAutoencoder(4, hidden=(8,)),
    "Hutchinson": ae.ContractiveAutoencoder(4, penalty=ae.ContractivePenalty(method="hutchinson")),
    "VariationalAutoencoder": ae.VariationalAutoencoder(4, likelihood="bernoulli"),
    "wide": ae.Autoencoder(64, hidden=(256,)),
    "wide images": ae.Autoencoder(16, hidden=(16,), image_shape=(32, 32, 1)),
}


def fitted(name):
    """A digest of all weights, scores and the history of a short training."""
    model = clone(ESTIMATORS[name]).set_params(max_epochs=3, batch_size=16, random_state=5)
    data = X
    if name.startswith("wide"):
        data = WIDE
        model.set_params(max_epochs=1, batch_size=150)
    model.fit(data)
    outputs = model.score_samples(data), model.transform(data)
    arrays = [*model.network_.state_dict().values(), *outputs]
    content = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    return hashlib.sha256(content + repr(model.history_).encode()).hexdigest()


def digests():
    return {name: fitted(name) for name in ESTIMATORS}


HERE = digests()


def elsewhere(code, **environment):
    """What `code` prints in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(__file__),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PRINT = "import test_same_bits as t; print(t.digests() == {expected!r})"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2", "MINIGRAD_NUM_THREADS": "1", "OMP_NUM_THREADS": "4"},
        {"MINIGRAD_NUM_THREADS": "3", "OMP_NUM_THREADS": "1"},
    ],
    ids=lambda e: " ".join(f"{k}={v}" for k, v in e.items()),
)
def test_in_another_process(environment):
    assert elsewhere(PRINT.format(expected=HERE), **environment) == "True"


def test_again_and_after_set_num_threads():
    assert digests() == HERE
    before = minigrad.get_num_threads()
    try:
        minigrad.set_num_threads(1)
        assert digests() == HERE
    finally:
        minigrad.set_num_threads(before)


def test_another_seed_gives_other_bits():
    for name in ESTIMATORS:
        if name.startswith("wide"):
            continue
        model = clone(ESTIMATORS[name]).set_params(max_epochs=1, batch_size=16)
        one, two = (clone(model).set_params(random_state=s).fit(X).transform(X) for s in (1, 2))
        assert not np.array_equal(one, two), name


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_two_jobs_give_what_one_gives(backend):
    import joblib

    grid = {"n_components": [2, 3], "noise__std": [0.1, 0.2]}
    model = ae.DenoisingAutoencoder(max_epochs=2, batch_size=16, random_state=0)
    alone = GridSearchCV(model, grid, cv=2).fit(X)
    with joblib.parallel_backend(backend, n_jobs=2):
        together = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X)
    key = "mean_test_score"
    np.testing.assert_array_equal(alone.cv_results_[key], together.cv_results_[key])
    np.testing.assert_array_equal(
        alone.best_estimator_.transform(X), together.best_estimator_.transform(X)
    )


def test_trainings_in_two_threads_do_not_meet():
    found = {}
    threads = [
        threading.Thread(target=lambda n=n: found.__setitem__(n, fitted(n))) for n in ESTIMATORS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == HERE


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_wide_training_in_a_worker_of_joblib(backend):
    import joblib

    model = clone(ESTIMATORS["wide"]).set_params(max_epochs=1, batch_size=150, random_state=5)
    tasks = [joblib.delayed(clone(model).fit)(WIDE) for _ in range(2)]
    there = joblib.Parallel(2, backend=backend)(tasks)
    expected = model.fit(WIDE).network_.state_dict()
    for other in there:
        for name, weight in other.network_.state_dict().items():
            np.testing.assert_array_equal(weight, expected[name])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_fork_after_use_goes_on():
    code = (
        "import os, test_same_bits as t\n"
        "child = os.fork()\n"
        f"same = t.digests() == {HERE!r}\n"
        "if child == 0: os._exit(0 if same else 1)\n"
        "print(same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0)"
    )
    assert elsewhere(code) == "True"
