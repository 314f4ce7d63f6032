"""Checks of lesson 08. The answer is the value and the gradients: values alone tell nothing."""

from importlib import import_module

from lessons import Check, Judge, Wrong

import numpy as np

import minigrad as mg


# ---------------------------------------------------------------------- 8.1 straight_through
def halves(x):
    """Rounded to the next half."""
    return np.round(2 * x) / 2


def cases():
    rng, made = np.random.default_rng(8), []
    for f, shape in ((np.round, (3, 4)), (np.sign, (5,)), (halves, (2, 1)), (np.round, ())):
        made.append((3 * rng.standard_normal(shape), f, np.array(rng.standard_normal(shape))))
    return made


def value_and_gradient(answer, x, f, g):
    leaf = mg.tensor(x, requires_grad=True)
    y = answer(leaf, f)
    if not isinstance(y, mg.Tensor):
        raise Wrong(f"returned {type(y).__name__}, expected a Tensor: only Tensors have gradients")
    if not y.requires_grad:
        return y.numpy(), np.zeros(x.shape)
    slope = mg.grad(y, leaf, mg.tensor(g), allow_unused=True)
    return y.numpy(), np.zeros(x.shape) if slope is None else slope.numpy()


def by_torch(x, f, g):
    torch = import_module("torch")
    leaf = torch.tensor(x, requires_grad=True)
    y = leaf + (torch.tensor(f(x)) - leaf).detach()
    y.backward(torch.tensor(g))
    return y.detach().numpy(), leaf.grad.numpy()


def library_straight(x, f):
    return x + (mg.tensor(f(x.numpy())) - x).detach()


def nothing_flows(x, f):
    """No gradient comes back: either all of it is a constant, or x cancels out. The first x must
    stay a Tensor, and the x that is subtracted must be an array or detached."""
    return mg.tensor(f(x.numpy()))


def adds_f(x, f):
    """This is x + f(x): the constant is the distance from x to f(x)."""
    return x + mg.tensor(f(x.numpy()))


def identity(x, f):
    """The gradient is right, but the value is x itself: the constant f(x) - x is missing."""
    return x + 0.0


def scaled(x, f):
    """The value is right, but the gradient is f(x) / x: a constant factor passes on a slope of its
    own, so add a constant, do not multiply by one."""
    return x * mg.tensor(f(x.numpy()) / x.numpy())


def wrong_way(x, f):
    """The constant has the wrong sign: x + (f(x) - x) is f(x)."""
    return x + mg.tensor(x.numpy() - f(x.numpy()))


straight_through = Check(
    library=library_straight,
    source="minigrad/tensor.py::Tensor.detach",
    cases=cases,
    observe=value_and_gradient,
    judges=[
        Judge("f(x), and g", lambda x, f, g: (f(x), g), 1e-12),
        Judge("PyTorch", by_torch, 1e-12, needs="torch"),
    ],
    mistakes=[nothing_flows, adds_f, identity, scaled, wrong_way],
)


# ---------------------------------------------------------------------- 8.2 codebook_loss
def pairs():
    rng = np.random.default_rng(82)
    return [(*rng.standard_normal((2, n, k)), beta) for n, k, beta in ((4, 3, 0.25), (1, 5, 2.0))]


def value_and_both(answer, z, e, beta):
    leaves = [mg.tensor(a, requires_grad=True) for a in (z, e)]
    loss = answer(*leaves, beta)
    if not isinstance(loss, mg.Tensor):
        raise Wrong(
            f"returned {type(loss).__name__}, expected a Tensor: only Tensors have gradients"
        )
    if loss.shape != ():
        raise Wrong(f"returned a Tensor of shape {loss.shape}, expected one number: sum everything")
    if not loss.requires_grad:
        return loss.numpy(), 0 * z, 0 * e
    slopes = mg.grad(loss, leaves, allow_unused=True)
    return loss.numpy(), *(0 * z if s is None else s.numpy() for s in slopes)


def on_paper(z, e, beta):
    total = 0.0
    for a, b in zip(z.flat, e.flat, strict=True):
        total += (1 + beta) * (a - b) ** 2
    return total, 2 * beta * (z - e), 2 * (e - z)


def codebook_by_torch(z, e, beta):
    torch = import_module("torch")
    z, e = (torch.tensor(a, requires_grad=True) for a in (z, e))
    square = torch.nn.functional.mse_loss
    loss = square(e, z.detach(), reduction="sum") + beta * square(z, e.detach(), reduction="sum")
    loss.backward()
    return loss.item(), z.grad.numpy(), e.grad.numpy()


def squares(a, b):
    return mg.sum((a - b) ** 2)


def library_loss(z, e, beta):
    return squares(z.detach(), e) + beta * squares(z, e.detach())


def nothing_stops(z, e, beta):
    """The value is right, but nothing is stopped: both terms move both z and e."""
    return squares(z, e) + beta * squares(z, e)


def exchanged(z, e, beta):
    """The stops are exchanged: the vector e learns from the first term, where z is a constant."""
    return squares(z, e.detach()) + beta * squares(z.detach(), e)


def only_z_stopped(z, e, beta):
    """In the second term it is e that stands still: z gets no gradient from anywhere."""
    return squares(z.detach(), e) + beta * squares(z.detach(), e)


def only_e_stopped(z, e, beta):
    """In the first term it is z that stands still: e gets no gradient from anywhere."""
    return squares(z, e.detach()) + beta * squares(z, e.detach())


def everything_stopped(z, e, beta):
    """No gradient flows to either: in each term only one of the two is detached."""
    return squares(z.detach(), e.detach()) * (1 + beta)


def beta_on_both(z, e, beta):
    """You multiplied both terms by beta: it is the weight of the second."""
    return beta * (squares(z.detach(), e) + squares(z, e.detach()))


def averaged(z, e, beta):
    """You took the mean over the elements, or over the rows: sum everything."""
    return library_loss(z, e, beta) / z.size


codebook_loss = Check(
    library=library_loss,
    source="minigrad/tensor.py::Tensor.detach",
    cases=pairs,
    observe=value_and_both,
    judges=[
        Judge("value and gradients on paper", on_paper, 1e-12),
        Judge("PyTorch", codebook_by_torch, 1e-12, needs="torch"),
    ],
    mistakes=[
        nothing_stops,
        exchanged,
        only_z_stopped,
        only_e_stopped,
        everything_stopped,
        beta_on_both,
        averaged,
    ],
)
