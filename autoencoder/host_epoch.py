"""An epoch from main memory: batch by batch, each looked at before the next."""

import contextlib
import math

import numpy as np

from minigrad import tensor
from minigrad.backend import fetch
from minigrad.cpu.blas import one_blas_thread
from minigrad.whole_batch import Share, all_reduce, gathered

from .captured_step import CapturedSteps
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
    comm : None, or what connects the ranks that each learn from their `Share` of every batch; all
        numbers are those of the whole batches then.

    A call returns the terms times the rows of their batches, added up; how many rows the epoch
    used; and of the codes the mean and the spread: the standard deviation of each unit over the
    last whole batch, averaged. It ends early with a loss that is no longer finite. `rate` is the
    learning rate of the first step.
    """

    def __init__(self, X, learn, corrupt, before_step, batch_size, steps, device, comm=None):
        self.X, self.learn, self.corrupt, self.before_step = X, learn, corrupt, before_step
        self.batch_size, self.steps, self.device = batch_size, steps, device
        self.comm, self.rate = comm, None

    def __call__(self, order):
        return one_blas_thread(self._pass, order)  # once for all of its products

    def _pass(self, order):
        if isinstance(self.learn, CapturedSteps):
            self.learn.begin_epoch()
        sums, rows, code_sum, last = {}, 0, 0.0, None
        for step in range(self.steps):
            rate = self.before_step()
            self.rate = rate if step == 0 else self.rate
            batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            share = contextlib.nullcontext() if self.comm is None else Share(self.comm, len(batch))
            seen, target, more = self._read(batch, share)
            with share:
                given = [a for a in more if a is not None]
                terms, codes = self.learn(seen, target, *(more if given else ()))
            values = fetch([term.detach().data for term in terms.values()])
            rows += len(batch)
            for name, value in zip(terms, values, strict=True):
                sums[name] = sums.get(name, 0.0) + len(batch) * value
            codes = codes.numpy()  # (n, k)
            own = codes if self.comm is None else codes[: share.count]
            code_sum += own.sum(dtype=np.float64) / codes.shape[1]
            if step == 0 or len(batch) == self.batch_size:
                last = codes, share
            if not math.isfinite(values[0]):
                break
        codes, share = last
        with share:
            spread = float(gathered(codes).std(axis=0).mean())
        if self.comm is not None:
            code_sum = all_reduce(np.array(code_sum), self.comm)
        return sums, rows, (float(code_sum / rows), spread)

    def _read(self, batch, share):
        """The rows `batch` as the network reads them and as it is scored on them, Tensors (n, D);
        their weights and what is observed, or None."""
        corrupt, shared = self.corrupt, self.comm is not None
        if shared and corrupt is None:
            batch, shared = batch[share.rows], False
        x, *more = unpacked(self.X[batch])
        noisy = x if corrupt is None else corrupt(x.copy())  # of the whole batch on every rank
        if shared:
            given = (x, noisy, *more)
            x, noisy, *more = (None if a is None else a[share.rows] for a in given)
        target = tensor(x, device=self.device)
        seen = target if corrupt is None else tensor(noisy, device=self.device)
        return seen, target, more
