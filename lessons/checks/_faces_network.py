"""The network and the loop of lesson 17 written out, once with minigrad, once with PyTorch."""

from itertools import pairwise

import numpy as np

import minigrad as mg
from minigrad.losses import l2_loss


def shapes(size, widths):
    """Of all weights, as drawn: kernels are (3, 3, in, out), transposed ones (3, 3, out, in)."""
    made = [s for i, o in pairwise((1, *widths)) for s in ((3, 3, i, o), (o,))]
    made += [(size * size // 4 * widths[-1], size * size // 4), (size * size // 4,)]
    back = (1, *widths[:0:-1], 1)
    return made + [s for i, o in pairwise(back) for s in ((3, 3, o, i), (o,))]


def weights_of(shapes):
    """The same weights for everybody, float32 numbers, whatever the order layers were made in."""
    rng = np.random.default_rng(5)
    scaled = [rng.standard_normal(s) / np.sqrt(max(1, np.prod(s[:-1]) / 2)) for s in shapes]
    return [w.astype(np.float32).astype(np.float64) for w in scaled]


def faces_of(size):
    return np.random.default_rng(size).random((3, size, size, 1))


def through(w, x):
    """(codes, images) by the formulas of lessons 12 and 13, one after the other, without layers."""
    n, half = (len(w) - 2) // 4, x.shape[1] // 2
    y = x
    for k in range(n):
        y = mg.relu(mg.conv2d(y, w[2 * k], w[2 * k + 1], stride=1 if k else 2))
    code = mg.sigmoid(mg.reshape(y, (len(x), -1)) @ w[2 * n] + w[2 * n + 1])
    y, w = mg.reshape(code, (len(x), half, half, 1)), w[2 * n + 2 :]
    for k in range(n):
        y = mg.conv2d_transpose(y, w[2 * k], w[2 * k + 1], stride=1 if k else 2)
        y = mg.relu(y) if k < n - 1 else mg.sigmoid(y)
    return code, y


def through_torch(w, x):
    """PyTorch: channels first, "same" written out as padding, the transposed map cropped."""
    from torch.nn.functional import conv2d, conv_transpose2d, pad

    n, half = (len(w) - 2) // 4, x.shape[1] // 2
    w = [a.permute(3, 2, 0, 1) if a.ndim == 4 else a for a in w]
    y = x.permute(0, 3, 1, 2)
    for k in range(n):
        y = pad(y, (1, 1, 1, 1) if k else (0, 1, 0, 1))
        y = conv2d(y, w[2 * k], w[2 * k + 1], stride=1 if k else 2).relu()
    code = (y.permute(0, 2, 3, 1).reshape(len(x), -1) @ w[2 * n] + w[2 * n + 1]).sigmoid()
    y, w = code.reshape(-1, 1, half, half), w[2 * n + 2 :]
    for k in range(n):
        y = conv_transpose2d(y, w[2 * k], w[2 * k + 1], stride=1 if k else 2)
        y = y[:, :, 1:-1, 1:-1] if k else y[:, :, :-1, :-1]
        y = y.relu() if k < n - 1 else y.sigmoid()
    return code, y.permute(0, 2, 3, 1)


def descend(network, batch_size, loss_and_gradients):
    """What three_epochs observes, in plain NumPy."""
    weights, images = [w.copy() for w in network.weights], network.images
    rng, losses = np.random.default_rng(3), []
    for _ in range(3):
        order, total = list(rng.permutation(len(images))), 0.0
        while order:
            batch, order = images[order[:batch_size]], order[batch_size:]
            loss, gradients = loss_and_gradients(weights, batch)
            weights = [w - network.rate * g for w, g in zip(weights, gradients, strict=True)]
            total += loss
        losses.append(total / len(images))
    return np.array(losses), np.concatenate([w.ravel() for w in weights])


def written_out_loop(network, batch_size):
    def by_hand(weights, x):  # of |x A B - x|**2 / 2
        a, b = weights
        error = x @ a @ b - x
        return (error**2).sum() / 2, (x.T @ (error @ b.T), (x @ a).T @ error)

    def by_machine(weights, x):
        w = [mg.tensor(a, requires_grad=True) for a in weights]
        loss = l2_loss(through(w, mg.tensor(x))[1], x)
        return loss.item(), [g.numpy() for g in mg.grad(loss, w)]

    hand = len(network.weights) == 2
    return descend(network, batch_size, by_hand if hand else by_machine)


def torch_loop(network, batch_size):
    import torch

    def loss_and_gradients(weights, x):
        w, x = [torch.tensor(a, requires_grad=True) for a in weights], torch.tensor(x)
        rebuilt = x @ w[0] @ w[1] if len(w) == 2 else through_torch(w, x)[1]
        loss = ((rebuilt - x) ** 2).sum() / 2
        loss.backward()
        return loss.item(), [a.grad.numpy() for a in w]

    return descend(network, batch_size, loss_and_gradients)
