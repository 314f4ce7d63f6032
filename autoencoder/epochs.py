"""One pass of the reference model over its faces: on the CPU, or without leaving the GPU.

Both do the same: for every batch of a given order take the images, make them noisy if they shall
be, make them as small as the network reads them, and step. On the GPU the images stay there, the
step is captured as a graph that finds its batch by itself, and the host hears of an epoch once, at
its end.
"""

import functools
import weakref

import numpy as np

from minigrad import Tensor, resize_bicubic, tensor
from minigrad.backend import array_module, to_device, to_numpy
from minigrad.cuda import Captured
from minigrad.cuda.reductions import accumulate
from minigrad.cuda.rows import gather
from minigrad.functional import check_rng
from minigrad.losses import l2_loss


def shrink(images, size):
    """Images (N, H, W, 1) at (N, size, size, 1) as TensorFlow 1 resizes them: for a whole fraction
    of the size exactly every second pixel, or third, and so on."""
    h, w = images.shape[1:3]
    if (h, w) == (size, size):
        return images
    if h == w and h % size == 0:
        return array_module(images).ascontiguousarray(images[:, :: h // size, :: h // size])
    return resize_bicubic(images, size, half_pixel_centers=False)


def corrupt(images, noise_std, rng):
    """`images` plus normal noise of standard deviation `noise_std`, limited to [0, 1] again."""
    check_rng("corrupt", rng, or_philox=True)
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return (images + noise_std * noise).clip(0, 1).astype(images.dtype, copy=False)


def _learn(model, optimiser, seen, target):
    """One step towards the clean `target` (N, size, size, 1) from what is `seen`: loss and code."""
    output, code = model(seen)
    loss = l2_loss(output, target)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss, code.detach()


def _batches(n, batch_size):
    """Where the batches of an epoch begin: the reference program leaves out the last."""
    return range(0, n - batch_size, batch_size) or range(1)


class OnCPU:
    """An epoch as a function: ``order`` (N,) -> (sum of the losses, mean code, spread of the last
    codes). The arguments are those of `olivetti.train`."""

    def __init__(self, model, optimiser, images, *, batch_size, size, noise_std, noise_rng):
        if noise_std and getattr(noise_rng, "device", "cpu") != "cpu":
            raise TypeError("train: on the CPU noise_rng must draw there, got a Philox of the GPU")
        self.model, self.optimiser, self.images = model, optimiser, images
        self.clean = shrink(images, size)  # (N, size, size, 1)
        self.batch_size, self.size = batch_size, size
        self.noise_std, self.noise_rng = noise_std, noise_rng

    def __call__(self, order):
        total, means = 0.0, []
        for start in _batches(len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            target = seen = self.clean[rows]
            if self.noise_std:
                noisy = corrupt(self.images[rows], self.noise_std, self.noise_rng)
                seen = shrink(noisy, self.size)
            loss, code = _learn(self.model, self.optimiser, tensor(seen), tensor(target))
            total += loss.item()
            means.append(code.mean().item())
        return total, float(np.mean(means)), float(code.numpy().std(axis=0).mean())


class OnGPU:
    """What `OnCPU` is, on the GPU; `noise_rng` is a `minigrad.random.Philox` there."""

    def __init__(self, model, optimiser, images, *, batch_size, size, noise_std, noise_rng):
        if noise_std and getattr(noise_rng, "device", "cpu") != "cuda":
            raise TypeError(
                "train: on the GPU noise_rng must be a minigrad.random.Philox(seed, 'cuda'), got "
                f"{type(noise_rng).__name__}"
            )
        self.model, self.optimiser = model, optimiser
        self.size, self.noise_std, self.noise_rng = size, noise_std, noise_rng
        self.steps = len(_batches(len(images), batch_size))
        self.count = min(batch_size, len(images))
        self.clean = to_device(shrink(images, size), "cuda")  # (N, size, size, 1)
        self.images = to_device(images, "cuda") if noise_std else self.clean
        xp = array_module(self.clean)
        self.order = xp.zeros(len(images), np.int32)
        self.cursors = xp.zeros((2, 1), np.int32)  # of the clean and of the noisy images
        self.sums = xp.zeros(3, np.float64)  # what the host hears of an epoch
        whole = images.shape[1] % size == 0 or not noise_std  # else cuBLAS resizes
        float32 = all(p.dtype == np.float32 for p in model.parameters())
        # the record holds the memory of a step, and this object the record: no reference back
        step = functools.partial(_gpu_step, weakref.proxy(self))
        self.step = Captured(step) if whole and float32 else step

    def __call__(self, order):
        xp = array_module(self.order)
        self.order[...] = xp.asarray(order.astype(np.int32))
        self.cursors.fill(0)
        self.sums.fill(0)
        for _ in range(self.steps):
            code = self.step()
        self.sums[2] = code.std(axis=0).mean()
        total, means, spread = to_numpy(self.sums).tolist()  # the one time that the host waits
        return total, means / self.steps, spread


def _gpu_step(epoch):
    """A step of `OnGPU` that finds its batch by the cursors; returns the codes."""
    target = seen = gather(epoch.clean, epoch.order, epoch.cursors[0], epoch.count)
    if epoch.noise_std:
        full = gather(epoch.images, epoch.order, epoch.cursors[1], epoch.count)
        seen = shrink(corrupt(full, epoch.noise_std, epoch.noise_rng), epoch.size)
    loss, code = _learn(epoch.model, epoch.optimiser, Tensor(seen), Tensor(target))
    accumulate(epoch.sums[:1], loss.data, 1.0)
    accumulate(epoch.sums[1:2], code.data, 1.0 / code.size)
    return code.data
