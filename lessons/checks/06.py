"""Checks of lesson 06. Training is judged by its losses and by the weights it leaves."""

from importlib import import_module

from lessons import Check, Judge, Wrong

import numpy as np

import minigrad as mg
from minigrad.losses import mse_loss


# ---------------------------------------------------------------------- 6.1 sgd_step
def step_cases():
    rng = np.random.default_rng(5)
    return [
        (rng.standard_normal(s), rng.standard_normal(s), lr)
        for s, lr in (((3,), 0.1), ((2, 4), 0.5))
    ]


def array_afterwards(f, w, g, lr):
    f(w, g, lr)
    return w


def element_by_element(w, g, lr):
    return np.array([a - lr * b for a, b in zip(w.flat, g.flat, strict=True)]).reshape(w.shape)


def library_step(w, g, lr):
    w -= lr * g


def rebinds(w, g, lr):
    """The array has not changed: w = w - ... makes a new array and gives it the name w inside your
    function only. Write w -= ... or w[...] = ..."""
    w = w - lr * g


def uphill(w, g, lr):
    """You went uphill: the gradient points where the loss rises, so subtract."""
    w += lr * g


def forgets_lr(w, g, lr):
    """You subtracted the whole gradient: multiply it by lr first."""
    w -= g


def replaces(w, g, lr):
    """You put the step in the place of the weights: subtract it from them."""
    w[...] = -lr * g


def divides(w, g, lr):
    """You divided by lr: a larger lr is a longer step."""
    w -= g / lr


sgd_step = Check(
    library=library_step,
    source="minigrad/optim.py::SGD.update",
    changes=(0,),
    cases=step_cases,
    observe=array_afterwards,
    judges=[Judge("one element at a time", element_by_element, 1e-12)],
    mistakes=[rebinds, uphill, forgets_lr, replaces, divides],
)


# ---------------------------------------------------------------------- 6.2 train
def line():
    """Starting weights, batches (x, y), lr: a line, five batches of two sizes."""
    rng = np.random.default_rng(50)
    batches = [tuple(rng.standard_normal((2, n, 1))) for n in (4, 6, 4, 6, 3)]
    return [np.array([[0.5]]), np.array([-0.2])], batches, 0.1


def network():
    """The same for a network of four tanh units, and 100 steps."""
    rng = np.random.default_rng(51)
    start = [rng.standard_normal(s) for s in ((1, 4), (4,), (4, 1), (1,))]
    return start, [tuple(rng.standard_normal((2, 5, 1))) for _ in range(100)], 0.02


def train_cases():
    return [(line,), (network,)]


def output(weights, x):
    *hidden, w, b = weights
    return mg.dense(mg.dense(x, *hidden, activation="tanh") if hidden else x, w, b)


def losses_and_weights(f, problem):
    """What `train` returns, and the weights afterwards."""
    start, batches, lr = problem()
    weights = [mg.tensor(w, requires_grad=True) for w in start]

    def loss(x, y):
        return mse_loss(output(weights, mg.tensor(x)), mg.tensor(y))

    losses = f(loss, weights, batches, lr)
    if isinstance(losses, list | tuple) and any(isinstance(v, mg.Tensor) for v in losses):
        raise Wrong("the list holds Tensors, each with its graph: loss.item() is the number")
    losses = np.atleast_1d(np.asarray(losses, float))
    return losses, *(w.numpy() for w in weights)


def by_hand(problem):
    """The gradients of the mean square, written out."""
    weights, batches, lr = problem()
    weights, losses = [w.copy() for w in weights], []
    for x, y in batches:
        *hidden, w, b = weights
        h = np.tanh(x @ hidden[0] + hidden[1]) if hidden else x  # (N, k)
        d = h @ w + b - y  # (N, 1)
        g = 2 * d / d.size
        gradients = [h.T @ g, g.sum(axis=0)]
        if hidden:
            inner = (g @ w.T) * (1 - h**2)  # (N, k)
            gradients = [x.T @ inner, inner.sum(axis=0), *gradients]
        losses.append(np.mean(d**2))
        weights = [v - lr * u for v, u in zip(weights, gradients, strict=True)]
    return np.array(losses), *weights


def by_torch(problem):
    torch = import_module("torch")
    start, batches, lr = problem()
    weights = [torch.tensor(w, requires_grad=True) for w in start]
    optimizer, losses = torch.optim.SGD(weights, lr), []
    for x, y in batches:
        *hidden, w, b = weights
        x = torch.tensor(x)
        h = torch.tanh(x @ hidden[0] + hidden[1]) if hidden else x
        loss = torch.nn.functional.mse_loss(h @ w + b, torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), *(w.detach().numpy() for w in weights)


def library_train(loss, weights, batches, lr, forget=True, moved=None):
    """The right loop, with ways to spoil it."""
    losses = []
    for batch in batches:
        for w in weights if forget else ():
            w.grad = None
        value = loss(*batch)
        value.backward()
        for w in weights[:moved]:
            w.data -= lr * w.grad.data
        losses.append(value.item())
    return losses


def never_forgets(loss, weights, batches, lr):
    """The first loss is right and later ones are not: backward adds to w.grad, so set it to None
    before each step."""
    return library_train(loss, weights, batches, lr, forget=False)


def forgets_too_late(loss, weights, batches, lr):
    """You forgot the gradients between backward() and the step, when they are needed: forget them
    before backward()."""
    for batch in batches:
        loss(*batch).backward()
        for w in weights:
            w.grad = None
            w.data -= lr * w.grad.data


def loss_after_step(loss, weights, batches, lr):
    """Your weights are right, but you measured each loss after its step: keep the value that you
    called backward() on."""
    losses = []
    for batch in batches:
        library_train(loss, weights, [batch], lr)
        losses.append(loss(*batch).item())
    return losses


def first_weight_only(loss, weights, batches, lr):
    """Only the first of the weights has changed: step for every w of the list."""
    return library_train(loss, weights, batches, lr, moved=1)


def first_batch_only(loss, weights, batches, lr):
    """Every step used the first batch: take the next one for each step."""
    return library_train(loss, weights, [batches[0]] * len(batches), lr)


def last_loss_only(loss, weights, batches, lr):
    """The weights are right, but only the last loss is returned: collect them in a list."""
    return library_train(loss, weights, batches, lr)[-1]


train = Check(
    library=library_train,
    source="minigrad/optim.py::SGD",
    returns="list",
    changes=(1,),
    cases=train_cases,
    observe=losses_and_weights,
    judges=[
        Judge("gradients written out by hand", by_hand, 1e-10),
        Judge("100 steps of PyTorch", by_torch, 1e-10, needs="torch"),
    ],
    mistakes=[
        never_forgets,
        forgets_too_late,
        loss_after_step,
        first_weight_only,
        first_batch_only,
        last_loss_only,
    ],
)


# ---------------------------------------------------------------------- 6.3 lr_for_sum
def scale_cases():
    rng = np.random.default_rng(54)
    drawn = float(rng.uniform(0.1, 1)), tuple(rng.integers(2, 9, 2).tolist())
    return [(0.1, (50, 3)), (0.02, (8, 1)), (1.0, (4, 6, 5)), drawn]


def by_measured_slopes(lr, shape):
    """Move one element, and see how much further the sum moves than the mean."""
    d, h = np.random.default_rng(53).standard_normal(shape), 1e-4
    moved = d.copy()
    moved.flat[0] += h
    mean = np.mean(moved**2) - np.mean(d**2)
    return float(lr * mean / (moved.flat[0] ** 2 - d.flat[0] ** 2))


def by_counting(lr, shape):
    return lr / len(list(np.ndindex(*shape)))


def library_lr(lr, shape):
    return lr / np.prod(shape)


def unchanged(lr, shape):
    """The gradients of the sum are larger than those of the mean, so the same lr goes further."""
    return lr


def multiplied(lr, shape):
    """You multiplied: larger gradients need a smaller lr."""
    return lr * np.prod(shape)


def examples_only(lr, shape):
    """You divided by the number of examples: this mean is over all the elements, features too."""
    return lr / shape[0]


def features_only(lr, shape):
    """You divided by the number of features: this mean is over all the elements, examples too."""
    return lr / np.prod(shape[1:])


def square_root(lr, shape):
    """The gradients grow in proportion to the number of elements, not to its square root."""
    return lr / np.sqrt(np.prod(shape))


lr_for_sum = Check(
    library=library_lr,
    source="minigrad/losses.py::mse_loss",
    returns="number",
    cases=scale_cases,
    judges=[
        Judge("measured slopes of the two", by_measured_slopes, 1e-9),
        Judge("counting the elements", by_counting, 1e-12, floor=0.0),
    ],
    mistakes=[unchanged, multiplied, examples_only, features_only, square_root],
)
