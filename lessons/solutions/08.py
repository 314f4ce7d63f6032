"""Solutions of lesson 08."""

import minigrad as mg


def straight_through(x, f):
    return x + mg.tensor(f(x.numpy()) - x.numpy())


def codebook_loss(z, e, beta):
    to_code, to_vector = z.detach() - e, z - e.detach()
    return mg.sum(to_code * to_code) + beta * mg.sum(to_vector * to_vector)
