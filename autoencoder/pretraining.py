"""Greedy layer-wise pretraining: each dense layer learns beside its mirror image, before the whole.

The outermost pair of layers is an autoencoder of the data, the next one of the codes of that one,
and so on inwards (Y. Bengio et al., "Greedy layer-wise training of deep networks", 2007). It made
networks of sigmoids trainable at all; `benchmarks/papers` measures what it brings today.
"""

from minigrad.nn import Dropout, Sequential

from . import inference, training
from .networks import Network
from .parts import GaussianCode, GaussianLikelihood, Parts, PointCode
from .progress import progress_bar
from .rows import Rows

_BLOCK = 256  # rows that codes are computed of at a time


def pretrain(network, streams, parts, settings, X, X_val=None, verbose=False):
    """Train the layers of the dense `network` pair by pair on `X` (N, D), where they are.

    Every pair is trained for ``settings.max_epochs`` epochs by the loop that trains whole networks.
    The noise acts on what each pair reads; the likelihood is that of the outermost pair, and the
    others have the squared error (of the optimal variance where the code is Gaussian); code and
    penalties are those of the innermost pair. `X` and `X_val` are arrays or `Rows`.
    """
    pairs = list(zip(_layers(network.encoder), _layers(network.decoder)[::-1], strict=True))
    variance = "optimal" if isinstance(parts.code, GaussianCode) else 1.0
    for depth, (layer, mirror) in enumerate(pairs):
        pair = Network(Sequential(layer), Sequential(mirror))
        likelihood = GaussianLikelihood(variance)
        if depth == 0:
            pair.center, pair.offset, likelihood = network.center, network.offset, parts.likelihood
        is_last = depth == len(pairs) - 1
        pair.layer = network.layer if is_last else None
        code = parts.code if is_last else PointCode("linear")  # the layer has its activation
        own = Parts(parts.noise, code, likelihood, parts.penalties if is_last else ())
        state = training.Training(pair.eval(), streams)
        state.renew_optimizer(settings)
        name = f"pair {depth + 1} of {len(pairs)}"
        with progress_bar(name, 0, settings.max_epochs, verbose) as progress:
            report = _reporter(progress)
            training.fit(state, own, settings, X, report, None, X_val)
        if not is_last:
            model = inference.Model(pair, code, likelihood, None, _BLOCK)
            X, X_val = _codes(model, X), None if X_val is None else _codes(model, X_val)


def _layers(half):
    return [layer for layer in half.layers if not isinstance(layer, Dropout)]


def _reporter(progress):
    def report(record):
        progress.set_postfix(loss=f"{record['loss']:.4g}")
        progress.update()

    return report


def _codes(model, X):
    """The codes of `X` (N, D), with the weights of its rows."""
    codes, weight = inference.codes(model, X), getattr(X, "weight", None)  # (N, k)
    return codes if weight is None else Rows(codes, weight)
