"""Proves that a search on a Dask cluster finds, to the last bit, what it finds in one process, and
that data in pieces train what the same pieces train one after another."""

import sys

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import autoencoder as ae

X = np.random.default_rng(0).random((60, 12))


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed", reason="pip install 'dask[distributed]'")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def test_a_search_on_a_cluster_of_another_process(client):
    import joblib

    grid = {"n_components": [2, 3], "noise__std": [0.1, 0.2]}
    model = ae.DenoisingAutoencoder(max_epochs=2, batch_size=16, random_state=0)
    alone = GridSearchCV(model, grid, cv=2).fit(X)
    with joblib.parallel_config(backend="dask"):
        there = GridSearchCV(model, grid, cv=2).fit(X)
    key = "mean_test_score"
    np.testing.assert_array_equal(alone.cv_results_[key], there.cv_results_[key])
    np.testing.assert_array_equal(
        alone.best_estimator_.transform(X), there.best_estimator_.transform(X)
    )
    trained = client.run(lambda: "autoencoder.training" in sys.modules)
    assert list(trained.values()) == [True]


def test_incremental_trains_on_the_pieces_of_a_dask_array():
    wrappers = pytest.importorskip("dask_ml.wrappers", reason="pip install dask-ml")
    import dask.array

    def model():
        return ae.VariationalAutoencoder(3, batch_size=8, random_state=0, scale="standard")

    pieces = dask.array.from_array(X, chunks=(20, 12))
    incremental = wrappers.Incremental(model(), shuffle_blocks=False).fit(pieces)
    expected = model()
    for start in range(0, 60, 20):
        expected.partial_fit(X[start : start + 20])
    np.testing.assert_array_equal(incremental.estimator_.transform(X), expected.transform(X))
    codes = incremental.transform(pieces)
    np.testing.assert_array_equal(codes.compute(), expected.transform(X))
