"""Solutions of lesson 17."""

import minigrad as mg
from minigrad.losses import l2_loss
from minigrad.nn import Conv2D, Conv2DTranspose, Dense, Flatten, Reshape, Sequential


def first_rungs(images):
    n = len(images)
    grey = ((images - images.mean()) ** 2).sum() / 2 / n
    return grey, ((images - images.mean(axis=0)) ** 2).sum() / 2 / n


def build(size, widths, rng):
    half = size // 2
    encoder, channels = [], 1
    for k, width in enumerate(widths):
        stride = 2 if k == 0 else 1
        encoder.append(Conv2D(channels, width, stride=stride, activation="relu", rng=rng))
        channels = width
    encoder.append(Flatten())
    encoder.append(Dense(half * half * channels, half * half, activation="sigmoid", rng=rng))

    decoder, channels = [Reshape(half, half, 1)], 1
    for k, width in enumerate(reversed(widths[1:])):
        stride = 2 if k == 0 else 1
        decoder.append(Conv2DTranspose(channels, width, stride=stride, activation="relu", rng=rng))
        channels = width
    decoder.append(Conv2DTranspose(channels, 1, activation="sigmoid", rng=rng))
    return Sequential(*encoder), Sequential(*decoder)


def epoch(forward, images, optimizer, batch_size, rng):
    order = rng.permutation(len(images))
    total = 0.0
    for start in range(0, len(images), batch_size):
        x = mg.tensor(images[order[start : start + batch_size]])  # (B, H, W, 1)
        loss = l2_loss(forward(x), x)  # a sum over the batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(images)
