"""Where all programs of `training_step.py` begin: the same weights and the same data.

Only NumPy is needed for them, so that the process of each framework loads nothing but its own.
"""

import numpy as np

REFERENCE = [  # kernels (kh, kw, in, out), transposed ones (kh, kw, out, in)
    (3, 3, 1, 16), (3, 3, 16, 32), (3, 3, 32, 64), (3, 3, 64, 128),
    (16 * 16 * 128, 256),
    (3, 3, 128, 1), (3, 3, 64, 128), (3, 3, 32, 64), (3, 3, 1, 32),
]  # fmt: skip
DENSE = [(784, 64), (64, 784)]
TRANSPOSED = slice(5, None)  # of REFERENCE


def reference_weights():
    """The kernels and biases of the reference model in turn, by Glorot's rule, as float32."""
    is_transposed = [False] * len(REFERENCE)
    is_transposed[TRANSPOSED] = [True] * len(REFERENCE[TRANSPOSED])
    widths = [s[-2] if t else s[-1] for s, t in zip(REFERENCE, is_transposed, strict=True)]
    return _drawn(REFERENCE, widths)


def dense_weights():
    """The same of the dense model 784-64-784."""
    return _drawn(DENSE, [s[-1] for s in DENSE])


def _drawn(shapes, widths):
    rng, weights = np.random.default_rng(0), []
    for shape, width in zip(shapes, widths, strict=True):
        w = rng.random(shape, np.float32)
        w *= 2
        w -= 1
        w *= np.float32(np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1]))))
        weights += [w, np.zeros(width, np.float32)]
    return weights


def images(batch):
    """Images (N, 32, 32, 1) of noise."""
    return np.random.default_rng(1).random((batch, 32, 32, 1), np.float32)


def rows(batch):
    """Rows (N, 784) of noise."""
    return np.random.default_rng(1).random((batch, 784), np.float32)
