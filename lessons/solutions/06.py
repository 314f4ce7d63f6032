"""Solutions of lesson 06."""

import math


def sgd_step(w, g, lr):
    w -= lr * g


def train(loss, weights, batches, lr):
    losses = []
    for x, y in batches:
        for w in weights:
            w.grad = None
        value = loss(x, y)
        value.backward()
        for w in weights:
            sgd_step(w.data, w.grad.data, lr)
        losses.append(value.item())
    return losses


def lr_for_sum(lr, shape):
    return lr / math.prod(shape)
