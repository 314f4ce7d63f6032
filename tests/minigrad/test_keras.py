"""Keras itself, of which the weights drop in unchanged: both networks compute the same."""

import os
import tempfile

import numpy as np
import pytest

from minigrad.interchange import from_keras_weights, to_keras_weights
from minigrad.nn import BatchNorm2D, Conv2D, Conv2DTranspose, Dense, Flatten, LayerNorm, Sequential

pytest.importorskip("torch", reason="PyTorch, on which Keras computes here, is not installed")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp())  # where it writes its settings
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")

# of Keras, which PyTorch's tensors do not tell NumPy whether to copy
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 6, 5, 2)).astype(np.float32)


def ours():
    make = dict(rng=np.random.default_rng(0))
    return Sequential(
        Conv2D(2, 4, stride=2, activation="relu", **make),
        BatchNorm2D(4, eps=1e-3),
        Conv2DTranspose(4, 3, stride=2, **make),
        Conv2D(3, 3, 2, padding="valid", **make),
        Flatten(),
        Dense(5 * 5 * 3, 7, activation="tanh", **make),
        LayerNorm(7, eps=1e-3),
    ).eval()


def theirs():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            layers.Conv2D(3, 2),
            layers.Flatten(),
            layers.Dense(7, activation="tanh"),
            layers.LayerNormalization(),
        ]
    )


def test_weights_drop_in_unchanged_both_ways():
    first, second = ours(), theirs()
    weights = [0.2 * RNG.random(a.shape, np.float32) for a in second.get_weights()]
    second.set_weights(weights)
    first.load_state_dict(from_keras_weights(first, second.get_weights()))
    y = first(X).data
    assert np.ptp(y, axis=0).min() > 1e-3  # the rows differ
    np.testing.assert_allclose(y, second.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    again = theirs()
    again.set_weights(to_keras_weights(first))
    np.testing.assert_array_equal(again.predict(X, verbose=0), second.predict(X, verbose=0))
