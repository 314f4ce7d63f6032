"""An epoch from main memory: batch by batch, each looked at before the next."""

import math

import numpy as np

from minigrad import tensor
from minigrad.backend import fetch

from .rows import unpacked


class HostEpoch:
    """A pass over `X` (N, D), an array or `Rows`: ``order`` (N,) -> ``(sums, rows, codes)``.

    Parameters
    ----------
    learn : ``learn(seen, target, weight, observed)`` makes a step and returns its terms, "loss" the
        first, and the codes (n, k).
    corrupt : None, or ``corrupt(x)``, noisy rows of the same shape; it may change those given.
    before_step : called before every step, returns its learning rate.
    batch_size, steps : the rows of a batch, and how many batches the epoch has.
    device : of the network.

    A call returns the terms times the rows of their batches, added up; how many rows the epoch
    used; and of the codes the mean and the spread: the standard deviation of each unit over the
    last whole batch, averaged. It ends early with a loss that is no longer finite. `rate` is the
    learning rate of the first step.
    """

    def __init__(self, X, learn, corrupt, before_step, batch_size, steps, device):
        self.X, self.learn, self.corrupt, self.before_step = X, learn, corrupt, before_step
        self.batch_size, self.steps, self.device = batch_size, steps, device
        self.rate = None

    def __call__(self, order):
        sums, rows, code_sum, spread = {}, 0, 0.0, math.nan
        for step in range(self.steps):
            rate = self.before_step()
            self.rate = rate if step == 0 else self.rate
            batch = self.X[order[step * self.batch_size : (step + 1) * self.batch_size]]
            x, *more = unpacked(batch)  # (n, D); weights and what is observed, or None
            target = tensor(x, device=self.device)
            corrupt = self.corrupt
            seen = target if corrupt is None else tensor(corrupt(x.copy()), device=self.device)
            terms, codes = self.learn(seen, target, *more)
            values = fetch([term.detach().data for term in terms.values()])
            rows += len(x)
            for name, value in zip(terms, values, strict=True):
                sums[name] = sums.get(name, 0.0) + len(x) * value
            codes = codes.numpy()  # (n, k)
            code_sum += codes.sum(dtype=np.float64) / codes.shape[1]
            if step == 0 or len(x) == self.batch_size:
                spread = float(codes.std(axis=0).mean())
            if not math.isfinite(values[0]):
                break
        return sums, rows, (float(code_sum / rows), spread)
