"""Adam's step count, powers and learning rate, kept on the device.

The kernel counts its own steps, so that a replayed graph does. The host only steps in where its own
count says something else, after a checkpoint was loaded for instance, or the rate has changed.
"""

import itertools
import math

import numpy as np

from ..backend import array_module


class Counts:
    """`array` (4,), float64, on the device of the array `like`: t, beta1**t, beta2**t, lr."""

    def __init__(self, like, betas):
        self.betas = betas
        self.array = array_module(like).empty(4, np.float64)
        self._t = self._lr = None  # what the device has, so far as the host knows

    def before_step(self, t, lr):
        """See to it that the kernel's next step is number `t` (from 1), with the rate `lr`."""
        if self._t != t - 1:
            # multiplied one by one, as the kernel does: a power could differ in its last bit, and
            # a training that was saved and read back would not go on exactly
            powers = [math.prod(itertools.repeat(beta, t - 1)) for beta in self.betas]
            values = np.array([t - 1, *powers, lr], np.float64)
            self.array[...] = array_module(self.array).asarray(values)
        elif self._lr != lr:
            self.array[3:].fill(lr)
        self._t, self._lr = t, lr
