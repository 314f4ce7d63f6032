"""The reference model in scikit-learn's manner, so that it can stand beside the estimators.

`olivetti` holds the network and `run` its published training. Here it works on flat rows, which is
what `evaluate`, `compression` and the commands ask of every model.
"""

import numpy as np
from sklearn.base import BaseEstimator

from minigrad import no_grad, tensor

from .code import PointCode
from .olivetti import DeepAutoencoder, adam, train
from .sampling import draw_codes


class ReferenceModel(BaseEstimator):
    """`DeepAutoencoder` for rows (N, image_size**2) of float32; see `olivetti`.

    `noise` is None or a noise of ``autoencoder.noise``. With ``max_epochs=0`` it stays untrained.

    >>> X = np.random.default_rng(0).random((4, 64), np.float32)
    >>> model = ReferenceModel(image_size=8, code_length=5, max_epochs=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((4, 5), (4, 64))
    """

    def __init__(
        self,
        *,
        image_size=32,
        code_length=256,
        noise=None,
        learning_rate=0.001,
        batch_size=50,
        max_epochs=600,
        device="cpu",
        random_state=0,
    ):
        self.image_size = image_size
        self.code_length = code_length
        self.noise = noise
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state

    @property
    def image_shape(self):
        """The shape (H, W, C) of an image."""
        return self.image_size, self.image_size, 1

    def build(self):
        """Make the network with its first weights; returns the generator of the order."""
        weights, order = np.random.default_rng(self.random_state).spawn(2)
        network = DeepAutoencoder(self.image_size, self.code_length, rng=weights)
        self.network_ = network.to(self.device)
        return order

    def fit(self, X, y=None):
        """Train on rows `X` (N, D) without noise and restarts, which `run.run` has; returns self.

        The mean and covariance of the codes are kept, for `sample`.
        """
        order = self.build()
        epochs = train(
            self.network_,
            self._images(X),
            adam(self.network_, self.learning_rate),
            epochs=self.max_epochs,
            batch_size=self.batch_size,
            size=self.image_size,
            order_rng=order,
        )
        for _ in epochs:
            pass
        return self.fit_prior(X)

    def fit_prior(self, X):
        """Take the codes of rows `X` for what `sample` draws from; returns self."""
        codes = self.transform(X)
        self.code_mean_ = codes.mean(axis=0)
        self.code_covariance_ = np.atleast_2d(np.cov(codes, rowvar=False, bias=True))
        return self

    def transform(self, X):
        """The codes of rows: (N, D) -> (N, code_length) float32 in (0, 1)."""
        return self._in_batches(self.network_.encoder, self._images(X))

    def inverse_transform(self, codes):
        """The images that codes stand for: (N, code_length) -> (N, D) float32 in (0, 1)."""
        codes = np.asarray(codes, np.float32)
        return self._in_batches(self.network_.decoder, codes).reshape(len(codes), -1)

    def reconstruct(self, X):
        """What remains of rows after encoding and decoding: (N, D) -> (N, D)."""
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X):
        """The log-density (N,) of rows under N(reconstruction, I), in nats; see `l2_loss`."""
        squares = np.square(X - self.reconstruct(X), dtype=np.float64).sum(axis=1)  # (N,)
        return -0.5 * squares - 0.5 * X.shape[1] * np.log(2 * np.pi)

    def sample(self, n_samples=1, *, prior=None, random_state=0):
        """New rows for codes drawn from ``prior="gaussian"``; see `Autoencoder.sample`."""
        rng = np.random.default_rng(random_state)
        code = PointCode("sigmoid")
        mean, covariance = self.code_mean_, self.code_covariance_
        return self.inverse_transform(draw_codes(prior, n_samples, code, mean, covariance, rng))

    def _images(self, X):
        return np.asarray(X, np.float32).reshape(len(X), *self.image_shape)

    @no_grad()
    def _in_batches(self, part, x):
        starts = range(0, len(x), self.batch_size)
        parts = [tensor(x[k : k + self.batch_size], device=self.device) for k in starts]
        return np.concatenate([part(batch).numpy() for batch in parts])
