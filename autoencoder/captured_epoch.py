"""An epoch that stays on the GPU: its step is captured once, and the host waits once, at its end.

The data lie on the device, the step finds its batch there by itself, noise and codes are drawn
there, and the losses are added up there (`minigrad.cuda.Captured` records the step as a CUDA
graph). It serves every kind of autoencoder whose parts can work on the device.
"""

import functools
import warnings
import weakref

import numpy as np

from minigrad import Tensor
from minigrad.backend import array_module, to_device, to_numpy
from minigrad.cuda import Captured
from minigrad.cuda.reductions import accumulate
from minigrad.cuda.rows import gather

_MOST_TERMS = 12  # of a loss, which are added up on the device


class CapturedEpoch:
    """A `HostEpoch` that stays on the GPU; its arguments and results are the same."""

    def __init__(self, X, learn, corrupt, before_step, batch_size, steps):
        self.X = to_device(X, "cuda")
        xp = array_module(self.X)
        self.learn, self.corrupt, self.before_step = learn, corrupt, before_step
        self.order = xp.zeros(len(X), np.int32)
        self.cursors = xp.zeros((2, 1), np.int32)  # of the whole batches, and of the last one
        self.sums = xp.zeros(_MOST_TERMS + 2, np.float64)  # the last two: of the codes, the spread
        self.names, self.rate = [], None
        size = min(batch_size, len(X))
        whole = min(steps, len(X) // size)
        self.batches = [(0, whole, size)]  # first row, how many, rows of each
        if steps > whole:
            self.batches.append((whole * size, 1, len(X) - whole * size))
        self.rows = min(steps * size, len(X))
        # the record holds the memory of a step, and this object the record: no reference back
        me = weakref.proxy(self)
        self.steps = [Captured(functools.partial(_step, me, k)) for k in range(len(self.batches))]

    def __call__(self, order):
        xp = array_module(self.order)
        self.order[...] = xp.asarray(order.astype(np.int32))
        self.cursors.fill(0)
        self.sums.fill(0)
        for k, (_, count, _) in enumerate(self.batches):
            for step in range(count):
                rate = self.before_step()
                self.rate = rate if k == step == 0 else self.rate
                codes = self._run(k)
            if k == 0:
                self.sums[-1] = codes.std(axis=0).mean()
        *sums, code_sum, spread = to_numpy(self.sums).tolist()  # the one time that the host waits
        named = dict(zip(self.names, sums, strict=False))
        return {"loss": sum(named.values()), **named}, self.rows, (code_sum / self.rows, spread)

    def _run(self, k):
        try:
            return self.steps[k]()
        except RuntimeError as error:
            if not isinstance(self.steps[k], Captured):
                raise
            warnings.warn(
                f"the training step is not captured, and so is slower: {error}",
                UserWarning,
                stacklevel=2,
            )
            self.steps[k] = self.steps[k].function
            return self.steps[k]()


def _step(epoch, k):
    """A step of a `CapturedEpoch` that finds its batch by the cursor; returns the codes (n, k)."""
    first, _, size = epoch.batches[k]
    target = gather(epoch.X, epoch.order[first:], epoch.cursors[k], size)  # (size, D)
    seen = target if epoch.corrupt is None else epoch.corrupt(target)
    target = Tensor(target)
    terms, codes = epoch.learn(target if epoch.corrupt is None else Tensor(seen), target)
    del terms["loss"]  # the sum of the others
    epoch.names = list(terms)
    for place, term in enumerate(terms.values()):
        accumulate(epoch.sums[place : place + 1], term._data, float(size))
    codes = codes._data  # only read: x.data would be a copy
    accumulate(epoch.sums[-2:-1], codes, 1.0 / codes.shape[1])
    return codes
