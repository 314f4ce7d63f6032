"""Checks of lesson 17."""

from itertools import pairwise

from lessons import Check, Judge, Wrong
from lessons.checks._faces_network import (
    faces_of,
    shapes,
    through,
    torch_loop,
    weights_of,
    written_out_loop,
)

import numpy as np

import minigrad as mg
from minigrad.losses import l2_loss
from minigrad.nn import Conv2D, Conv2DTranspose, Dense, Flatten, Module, Reshape, Sequential


# ---------------------------------------------------------------------- 17.1 first_rungs
def image_cases():
    rng = np.random.default_rng(11)
    return [(rng.random((n, h, w, 1)) ** 2,) for n, h, w in ((2, 1, 3), (5, 4, 3), (3, 2, 6))]


def rungs_by_loops(images):
    """Every pixel by itself."""
    pixels = images.reshape(len(images), -1)
    grey = sum(float(v) for row in pixels for v in row) / pixels.size
    totals = [0.0, 0.0]
    for j in range(pixels.shape[1]):
        mean = sum(float(row[j]) for row in pixels) / len(pixels)
        for row in pixels:
            totals[0] += (row[j] - grey) ** 2
            totals[1] += (row[j] - mean) ** 2
    return totals[0] / 2 / len(images), totals[1] / 2 / len(images)


def rungs_by_variance(images):
    pixels = images[0].size
    return images.var() * pixels / 2, images.var(axis=0).sum() / 2


def library_rungs(images, scale=0.5, per=None, grey=None, mean=None):
    grey = images.mean() if grey is None else grey
    mean = images.mean(axis=0) if mean is None else mean
    scale = scale / (per or len(images))
    return ((images - grey) ** 2).sum() * scale, ((images - mean) ** 2).sum() * scale


def no_half(images):
    """This is twice the loss: the sum of squares is divided by 2."""
    return library_rungs(images, scale=1.0)


def mean_over_pixels(images):
    """You took the mean over the pixels too: the loss of an image is the sum over its pixels."""
    return library_rungs(images, per=images.size)


def not_per_image(images):
    """This is the loss of all images together: divide by their number N."""
    return library_rungs(images, per=1)


def middle_grey(images):
    """You took 0.5 as the grey: the best constant is the mean of all pixels."""
    return library_rungs(images, grey=0.5)


def own_brightness(images):
    """You used each image's own mean as its grey: that is a code of one number, not a constant."""
    return library_rungs(images, grey=images.mean(axis=(1, 2, 3), keepdims=True))


def grey_twice(images):
    """Both losses are the grey's: the mean image has its own mean at every pixel, over axis 0."""
    return library_rungs(images, mean=images.mean())


first_rungs = Check(
    library=library_rungs,
    source="autoencoder/evaluation/baselines.py::ladder",
    returns=("number", "number"),
    cases=image_cases,
    judges=[
        Judge("pixel by pixel", rungs_by_loops, 1e-12),
        Judge("variances", rungs_by_variance, 1e-12),
    ],
    mistakes=[no_half, mean_over_pixels, not_per_image, middle_grey, own_brightness, grey_twice],
)


# ---------------------------------------------------------------------- 17.2 build
def build_cases():
    rng = np.random.default_rng(11)
    return [(size, widths, rng) for size, widths in ((4, (2, 3)), (8, (2, 3, 4)), (6, (5, 2, 3)))]


def built(f, size, widths, rng):
    """(how many weights, codes, images, gradients) of the two networks, with known weights and
    images."""
    networks = f(size, widths, rng)
    if not (
        isinstance(networks, tuple | list)
        and [isinstance(n, Module) for n in networks] == [True] * 2
    ):
        raise Wrong("two networks are expected: return encoder, decoder")
    encoder, decoder = networks
    parameters = [*encoder.parameters(), *decoder.parameters()]
    drawn = f(size, widths, np.random.default_rng(1))[0].parameters()
    pairs = [(p, q) for p, q in zip(parameters, drawn, strict=False) if p.ndim > 1]
    if any(np.array_equal(p.numpy(), q.numpy()) for p, q in pairs):
        raise Wrong("the weights are the same whatever rng is: give rng=rng to each layer")
    for p, w in zip(parameters, weights_of([p.shape for p in parameters]), strict=True):
        p.data = w.astype(p.dtype)
    codes = encoder(mg.tensor(faces_of(size).astype(p.dtype)))
    images = decoder(codes)
    gradients = mg.grad(images, parameters, mg.tensor(partner(images)), allow_unused=True)
    missing = [k for k, g in enumerate(gradients, 1) if g is None]
    if missing:
        raise Wrong(
            f"no gradient flows from the images to parameter {missing[0]} of {len(gradients)}: "
            "somewhere a Tensor became an array"
        )
    return sum(p.size for p in parameters), codes.numpy(), images.numpy(), flat(gradients)


def partner(images):
    return np.random.default_rng(4).standard_normal(images.shape).astype(images.dtype)


def flat(gradients):
    return np.concatenate([g.numpy().ravel() for g in gradients])


def written_out(size, widths, rng):
    w = [mg.tensor(a, requires_grad=True) for a in weights_of(shapes(size, widths))]
    code, y = through(w, mg.tensor(faces_of(size)))
    gradients = mg.grad(y, w, mg.tensor(partner(y)), retain_graph=True)
    return sum(a.size for a in w), code.numpy(), y.numpy(), flat(gradients)


def library_build(
    size, widths, rng, first=2, hidden="relu", code="sigmoid", end="sigmoid", early=True, order=-1
):
    """The right network, with ways to spoil it."""
    half, n = size // first, len(widths)
    encoder = [
        Conv2D(i, o, stride=1 if k else first, activation=hidden, rng=rng)
        for k, (i, o) in enumerate(pairwise((1, *widths)))
    ]
    dense = Dense(half * half * widths[-1], size * size // 4, activation=code, rng=rng)
    back, doubles = (1, *widths[1:][::order], 1), 0 if early else n - 1
    decoder = [
        Conv2DTranspose(
            *back[k : k + 2],
            stride=2 if k == doubles else 1,
            activation=hidden if k < n - 1 else end,
            rng=rng,
        )
        for k in range(n)
    ]
    reshape = Reshape(size // 2, size // 2, 1)
    return Sequential(*encoder, Flatten(), dense), Sequential(reshape, *decoder)


def never_halves(size, widths, rng):
    """The first convolution has no stride 2, so that the dense layer reads four times too much."""
    return library_build(size, widths, rng, first=1)


def straight(size, widths, rng):
    """The convolutions have no relu: without a bend all of them together are one linear map."""
    return library_build(size, widths, rng, hidden=None)


def code_relu(size, widths, rng):
    """The code goes through a relu: the drawing says sigmoid, numbers between 0 and 1."""
    return library_build(size, widths, rng, code="relu")


def open_end(size, widths, rng):
    """The last layer has no sigmoid: pixels lie between 0 and 1."""
    return library_build(size, widths, rng, end=None)


def doubles_last(size, widths, rng):
    """The last transposed convolution doubles the size: the first one should, before the others."""
    return library_build(size, widths, rng, early=False)


def same_order(size, widths, rng):
    """The decoder goes through the widths in the encoder's order: it walks them backwards."""
    return library_build(size, widths, rng, order=1)


build = Check(
    library=library_build,
    source="autoencoder/olivetti.py::network",
    cases=build_cases,
    observe=built,
    returns="anything",
    judges=[Judge("number of weights, codes, images, gradients, written out", written_out, 2e-5)],
    mistakes=[never_halves, straight, code_relu, open_end, doubles_last, same_order],
)


# ---------------------------------------------------------------------- 17.3 epoch
class linear_network:
    """x -> x A B, small enough to write its gradients by hand."""

    weights = weights_of([(4, 2), (2, 4)])
    images = np.random.default_rng(1).random((7, 4))
    rate = 0.05


class small_faces_network:
    """The network of 11.2, to compare its first losses with PyTorch's."""

    weights = weights_of(shapes(4, (2, 3)))
    images = np.random.default_rng(2).random((5, 4, 4, 1))
    rate = 0.1


def epoch_cases():
    """(network, batch size): batches that fit, batches that do not."""
    return [(linear_network, 7), (linear_network, 3), (small_faces_network, 2)]


def three_epochs(f, network, batch_size):
    """The three losses, then the weights, after three epochs of gradient descent."""
    weights = [mg.tensor(w.copy(), requires_grad=True) for w in network.weights]

    def forward(x):
        return x @ weights[0] @ weights[1] if len(weights) == 2 else through(weights, x)[1]

    optimizer, rng = mg.optim.SGD(weights, lr=network.rate), np.random.default_rng(3)
    losses = [f(forward, network.images, optimizer, batch_size, rng) for _ in range(3)]
    losses = [loss.item() if isinstance(loss, mg.Tensor) else loss for loss in losses]
    return np.array(losses, float), np.concatenate([w.numpy().ravel() for w in weights])


def library_epoch(
    forward, images, optimizer, batch_size, rng, forget=True, shuffle=True, mean=False, last=True
):
    """The right loop, with ways to spoil it."""
    n, total = len(images), 0.0
    order = rng.permutation(n) if shuffle else np.arange(n)
    for start in range(0, n if last else n - batch_size + 1, batch_size):
        x = mg.tensor(images[order[start : start + batch_size]])
        loss = l2_loss(forward(x), x) / (len(x) if mean else 1)
        if forget:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * (len(x) if mean else 1)
    return total / n


def remembers(*args):
    """The gradients of earlier batches are still in there: zero_grad before every backward."""
    return library_epoch(*args, forget=False)


def never_shuffles(*args):
    """You took the images in their own order: go through rng.permutation(N)."""
    return library_epoch(*args, shuffle=False)


def steps_on_the_mean(*args):
    """The step was made with the mean over the batch: it is the sum, so yours are too short."""
    return library_epoch(*args, mean=True)


def leaves_out_the_rest(*args):
    """The last, smaller batch was left out, but the sum divided by all images."""
    return library_epoch(*args, last=False)


def not_divided(forward, images, *rest):
    """The loss is that of all images together: divide the sum by their number."""
    return library_epoch(forward, images, *rest) * len(images)


def never_steps(forward, images, optimizer, batch_size, rng):
    """The weights have not moved: step comes after backward, with no zero_grad between."""
    x = mg.tensor(images[rng.permutation(len(images))])
    return l2_loss(forward(x), x).item() / len(x)


epoch = Check(
    library=library_epoch,
    source="autoencoder/host_epoch.py::HostEpoch",
    returns="number",
    cases=epoch_cases,
    observe=three_epochs,
    judges=[
        Judge("losses and weights of the loop written out", written_out_loop, 1e-12),
        Judge("PyTorch's gradients", torch_loop, 1e-11, needs="torch"),
    ],
    mistakes=[
        remembers,
        never_shuffles,
        steps_on_the_mean,
        leaves_out_the_rest,
        not_divided,
        never_steps,
    ],
)
