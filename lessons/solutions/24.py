"""Solutions of lesson 24."""

import math

from lessons._device import far

import numpy as np


def softplus(x):
    xp = far if isinstance(x, far.ndarray) else np
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def seconds_of(f, device):
    f()  # compiles
    device.synchronise()
    began = device.clock()
    f()
    device.synchronise()
    return device.clock() - began


def crossover(launches, launch, gpu, cpu):
    if gpu >= cpu:
        return math.inf
    return math.floor(launches * launch / (cpu - gpu)) + 1
