"""What every autoencoder here minimises, written once, in nats per sample.

    L(x) = -log p(x | decode(z)) + terms(code) + penalties,   z = code(encode(noise(x)))

averaged over the minibatch. For a Gaussian code its term is beta times the divergence, and for
beta = 1 it is the negative evidence lower bound (D. Kingma and M. Welling, 2014), estimated with
one draw of z for each sample; with more draws the importance-weighted bound (Y. Burda et al., 2016)
takes the place of the first two.
"""

from minigrad import Tensor, concatenate, reshape, tensor

from .parts.code import importance_bound
from .parts.penalty import Batch
from .rows import element_weights


def loss_terms(network, parts, x, target, rng, memory, weight=None, observed=None):
    """The terms of the objective and the codes: a dict of scalar Tensors, and a Tensor (N, k).

    `x` (N, D) is what the network reads, already corrupted where there is a noise, and `target`
    (N, D) what it is scored against; both may have labels beside them, see `Network.split`. `rng`
    draws the codes; `memory` is the dictionary in which penalties keep what they remember. The
    terms are "reconstruction", those of the code ("divergence", weighted, for Gaussian ones) and
    the penalties by their names. Their sum and `constant` are the loss.
    The codes are not drawn ones, but the means of Gaussian ones. `weight` (N,) says how much each
    sample counts, `observed` (N, D) is 0 where the target has a missing number and else 1; both are
    NumPy arrays, or None.

    >>> import numpy as np
    >>> from autoencoder.networks import Sizes, build
    >>> from autoencoder.parts import assemble
    >>> rng, x = np.random.default_rng(0), np.ones((2, 6))
    >>> parts = assemble(code="gaussian", penalty="weight_decay")
    >>> network = build(Sizes(6, 3), parts.code, rng, x.dtype)
    >>> terms, codes = loss_terms(network, parts, x, x, rng, {})
    >>> sorted(terms), codes.shape
    (['divergence', 'reconstruction', 'weight_decay'], (2, 3))
    """
    code, (target, labels) = parts.code, network.split(target)
    n_draws = getattr(code, "n_draws", 1)
    each = element_weights(None if n_draws > 1 else weight, observed, target.shape)
    each = None if each is None else tensor(each, device=target.device)  # (N, D)
    weight = None if weight is None else tensor(weight, device=target.device)
    if parts.scores_in_part:  # it has marked what alone is scored
        x, scored = parts.noise.found(x)
        scored, _ = network.split(scored)
        each = scored if each is None else each * scored
    h = network.encode(x)  # (N, code.width)
    if n_draws > 1:
        z, terms = _importance_weighted(network, parts, h, labels, target, rng, each, weight)
    else:
        z = code.sample(h, rng)  # (N, k)
        t, likelihood = network.decode(z, labels), parts.likelihood  # (N, D)
        plain = each is None
        loss = likelihood.loss(t, target) if plain else likelihood.weighted_loss(t, target, each)
        terms = {"reconstruction": loss, **code.terms(h, weight, memory)}
    batch = Batch(network, code, x, h, z, rng, memory, weight)
    for penalty in parts.penalties:
        terms[penalty.name] = penalty(batch)
    drawn = getattr(code, "is_drawn", True)
    codes = Tensor((h if drawn else z)._data)  # only read; on the GPU detach() would copy
    return terms, code.mean(codes) if drawn else codes  # (N, k)


def _importance_weighted(network, parts, h, labels, target, rng, each, weight):
    """The first draw of the codes, and the terms of the importance-weighted bound on log p(x)."""
    n_draws, (n, n_features) = parts.code.n_draws, target.shape
    h, target = concatenate([h] * n_draws), concatenate([target] * n_draws)
    labels = None if labels is None else concatenate([labels] * n_draws)
    z, likelihood = parts.code.sample(h, rng), parts.likelihood  # (n_draws * N, k)
    logs = likelihood.elements(network.decode(z, labels), target) + likelihood.constant(1)
    logs = reshape(logs, (n_draws, n, n_features))
    log_p = (logs if each is None else logs * each).sum(axis=2)  # (n_draws, N)
    ratios = reshape(parts.code.log_ratio(h, z), (n_draws, n))
    bound, log_p = importance_bound(log_p + ratios), log_p.mean(axis=0)  # (N,) both
    if weight is not None:
        bound, log_p = bound * weight, log_p * weight
    reconstruction = -log_p.mean()
    terms = {"reconstruction": reconstruction, "divergence": -bound.mean() - reconstruction}
    return z[:n], terms


def constant(parts, n_features):
    """What `loss_terms` leave out of "reconstruction", in nats per sample; a Python float.

    `n_features` is how many numbers of a sample are known and scored, on average.
    """
    return parts.likelihood.constant(n_features)
