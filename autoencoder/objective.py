"""What every autoencoder here minimises, written once, in nats per example.

    L(x) = -log p(x | decode(z)) + beta * divergence(code) + penalties,   z = code(encode(noise(x)))

averaged over the minibatch. For a Gaussian code and beta = 1 it is the negative evidence lower
bound (D. Kingma and M. Welling, 2014), estimated with one draw of z for each example.
"""

from .penalty import Batch


def loss_terms(network, parts, x, target, rng, memory):
    """The terms of the objective by name, each a scalar Tensor; the loss is their sum.

    `x` (N, D) is what the network reads, already corrupted where there is a noise, and `target`
    (N, D) what it is scored against. `rng` draws the codes; `memory` is the dictionary in which
    penalties keep what they remember. The names are "reconstruction", "divergence" (weighted, for
    Gaussian codes only) and those of the penalties.

    >>> import numpy as np
    >>> from autoencoder.networks import Network
    >>> from autoencoder.parts import assemble
    >>> rng, x = np.random.default_rng(0), np.ones((2, 6))
    >>> parts = assemble(code="gaussian", penalty="weight_decay")
    >>> network = Network(6, 3, code=parts.code, dtype=x.dtype, rng=rng)
    >>> sorted(loss_terms(network, parts, x, x, rng, {}))
    ['divergence', 'reconstruction', 'weight_decay']
    """
    h = network.encode(x)  # (N, code.width)
    z = parts.code.sample(h, rng)  # (N, k)
    terms = {"reconstruction": -parts.likelihood.log_prob(network.decode(z), target).mean()}
    divergence = parts.code.divergence(h)  # (N,) or None
    if divergence is not None:
        terms["divergence"] = float(parts.code.beta) * divergence.mean()
    batch = Batch(network, parts.code, x, h, z, rng, memory)
    for penalty in parts.penalties:
        terms[penalty.name] = penalty(batch)
    return terms
