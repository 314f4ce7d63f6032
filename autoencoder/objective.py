"""What every autoencoder here minimises, written once, in nats per sample.

    L(x) = -log p(x | decode(z)) + beta * divergence(code) + penalties,   z = code(encode(noise(x)))

averaged over the minibatch. For a Gaussian code and beta = 1 it is the negative evidence lower
bound (D. Kingma and M. Welling, 2014), estimated with one draw of z for each sample.
"""

from minigrad import tensor

from .parts.penalty import Batch
from .rows import element_weights


def loss_terms(network, parts, x, target, rng, memory, weight=None, observed=None):
    """The terms of the objective and the codes: a dict of scalar Tensors, and a Tensor (N, k).

    `x` (N, D) is what the network reads, already corrupted where there is a noise, and `target`
    (N, D) what it is scored against. `rng` draws the codes; `memory` is the dictionary in which
    penalties keep what they remember. The terms are "reconstruction", "divergence" (weighted, for
    Gaussian codes only) and the penalties by their names. Their sum and `constant` are the loss.
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
    h = network.encode(x)  # (N, code.width)
    z = parts.code.sample(h, rng)  # (N, k)
    t = network.decode(z)  # (N, D)
    if weight is None and observed is None:
        terms = {"reconstruction": parts.likelihood.loss(t, target)}
    else:
        each = tensor(element_weights(weight, observed, target.shape), device=target.device)
        terms = {"reconstruction": parts.likelihood.weighted_loss(t, target, each)}
        weight = None if weight is None else tensor(weight, device=target.device)
    divergence = parts.code.divergence(h)  # (N,) or None
    if divergence is not None:
        divergence = divergence if weight is None else divergence * weight
        terms["divergence"] = float(parts.code.beta) * divergence.mean()
    batch = Batch(network, parts.code, x, h, z, rng, memory, weight)
    for penalty in parts.penalties:
        terms[penalty.name] = penalty(batch)
    drawn = getattr(parts.code, "is_drawn", True)
    return terms, parts.code.mean(h.detach()) if drawn else z.detach()  # (N, k)


def constant(parts, n_features):
    """What `loss_terms` leave out of "reconstruction", in nats per sample; a Python float.

    `n_features` is how many numbers of a sample are known, on average.
    """
    return parts.likelihood.constant(n_features)
