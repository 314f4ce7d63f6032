"""Optimisers; with them come the schedules and penalties of two other files.

An optimiser takes any iterable of Tensors and changes their arrays in place. The formulas are
PyTorch's, so that the two can be compared step by step. Each `_update` is written for one slice of
the flattened arrays: slices small enough for the cache are updated one after the other, shared out
over the threads, which is several times faster than passing over large arrays once for every
operation.
"""

import functools
import math

import numpy as np

from .backend import array_module, device_of, to_numpy
from .cpu.pool import parallel, pieces
from .cuda.adam import step as adam_step
from .cuda.capture import each_replay, recording
from .cuda.counts import Counts
from .penalties import clip_grad_norm, l1_penalty, l2_penalty
from .schedules import CosineDecay, ExponentialDecay, StepDecay, Warmup
from .tensor import Tensor, describe

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineDecay",
    "ExponentialDecay",
    "Optimiser",
    "RMSprop",
    "StepDecay",
    "Warmup",
    "clip_grad_norm",
    "l1_penalty",
    "l2_penalty",
]

# Elements updated at a time. Smaller blocks stay nearer to the core, but after every operation the
# threads meet at the interpreter lock: with 2^15 they are no faster than one.
_BLOCK = 1 << 17


class Optimiser:
    """The base: subclasses name their state arrays in `slots` and write `_update`.

    `lr` is a number or a schedule, a function of the number of steps already made. `weight_decay`
    adds ``weight_decay * parameter`` to each gradient (an L2 penalty).
    """

    slots = ()

    def __init__(self, parameters, lr, weight_decay=0.0):
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__}: got no parameters to train")
        for p in self.parameters:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise TypeError(
                    f"{type(self).__name__}: every parameter must be a leaf Tensor that requires "
                    f"a gradient, got {describe(p)}: pass model.parameters()"
                )
        if not callable(lr) and not lr > 0:
            raise ValueError(f"{type(self).__name__}: lr must be positive, got {lr}")
        self.lr, self.weight_decay, self.t = lr, weight_decay, 0
        self.state = [
            [array_module(p._data).zeros_like(p._data) for _ in self.slots] for p in self.parameters
        ]

    def zero_grad(self):
        """Forget all gradients, as before every ``backward``."""
        for p in self.parameters:
            p.grad = None

    def step(self):
        """Change every parameter that has a gradient by one step."""
        graded = [
            (p, state)
            for p, state in zip(self.parameters, self.state, strict=True)
            if p.grad is not None
        ]
        for p, state in graded:
            if state and device_of(state[0]) != p.device:
                raise RuntimeError(
                    f"{type(self).__name__}: its parameters are on {p.device!r}, but were on "
                    f"{device_of(state[0])!r} when it was made: move the model first, then make "
                    "the optimiser"
                )
        lr = self._rate()
        if recording():
            self._replayed(graded, lr)
        else:
            self._advance(graded, lr)
        self._step(graded, lr)

    def _rate(self):
        return self.lr(self.t) if callable(self.lr) else self.lr

    def _advance(self, graded, lr):
        """Count a step: what is left to do on the host when a captured step is replayed."""
        self.t += 1
        for p, _ in graded:
            p.node.leaf.version += 1

    def _replayed(self, graded, lr):
        fresh = self._unchanged(graded)
        each_replay(
            lambda: self._advance(graded, self._rate()),
            lambda: fresh() and self._rate() == lr,
        )

    def _unchanged(self, graded):
        """A function that says whether arrays and settings are still those of now."""
        arrays, settings = [p._data for p, _ in graded], self._settings()
        return lambda: (
            all(p._data is a for (p, _), a in zip(graded, arrays, strict=True))
            and self._settings() == settings
        )

    def _settings(self):
        known = ("lr", "t", "parameters", "state")
        return {k: v for k, v in vars(self).items() if k not in known and not k.startswith("_")}

    def _step(self, graded, lr):
        for p, state in graded:
            flat = [a.reshape(-1) for a in (p._data, p.grad._data, *state)]
            blocks = pieces(p.size, _BLOCK if p.device == "cpu" else p.size or 1)
            parallel(functools.partial(self._step_block, flat, lr), blocks)

    def _step_block(self, flat, lr, block):
        w, g, *slots = (a[block] for a in flat)
        if self.weight_decay:
            g = self._decay(w, g, lr)
        self._update(w, g, *slots, lr=lr)

    def _decay(self, w, g, lr):
        return g + self.weight_decay * w

    def _update(self, w, g, *slots, lr):
        raise TypeError(f"{type(self).__name__} does not say how it steps: write _update")

    def state_dict(self):
        """The step count and copies of the state arrays, in main memory, by name."""
        state = {"t": np.array(self.t)}
        for k, arrays in enumerate(self.state):
            for name, array in zip(self.slots, arrays, strict=True):
                state[f"{name}.{k}"] = np.array(to_numpy(array))
        return state

    def load_state_dict(self, state):
        """Continue from `state`, which `state_dict` of the same kind of optimiser made."""
        mine = self.state_dict()
        wrong = [
            name
            for name in sorted(mine.keys() | state.keys())
            if name not in mine
            or name not in state
            or np.shape(mine[name]) != np.shape(state[name])
        ]
        if wrong:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: {', '.join(wrong[:5])} missing, unknown "
                "or of another shape: load it into the same optimiser over the same parameters"
            )
        self.t = int(state["t"])
        for k, arrays in enumerate(self.state):
            for name, array in zip(self.slots, arrays, strict=True):
                array[...] = array_module(array).asarray(state[f"{name}.{k}"])


class SGD(Optimiser):
    """Stochastic gradient descent, with momentum and Nesterov's variant on request.

    >>> from minigrad import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SGD([w], lr=0.1).step()
    >>> w
    tensor([0.8], requires_grad=True)
    """

    def __init__(self, parameters, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True needs a momentum above 0, such as 0.9")
        self.slots = ("velocity",) if momentum else ()
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(parameters, lr, weight_decay)

    def _update(self, w, g, velocity=None, *, lr):
        if velocity is not None:
            velocity *= self.momentum
            velocity += g
            g = g + self.momentum * velocity if self.nesterov else velocity
        w -= lr * g


class RMSprop(Optimiser):
    """Gradients divided by a running root mean square (G. Hinton, lecture 6e, 2012)."""

    slots = ("square",)

    def __init__(self, parameters, lr=0.01, alpha=0.99, epsilon=1e-8, weight_decay=0.0):
        self.alpha, self.epsilon = alpha, epsilon
        super().__init__(parameters, lr, weight_decay)

    def _update(self, w, g, square, *, lr):
        square *= self.alpha
        square += (1 - self.alpha) * g * g
        w -= lr * g / (array_module(w).sqrt(square) + self.epsilon)


class Adam(Optimiser):
    """Adaptive moments (D. Kingma and J. Ba, 2015).

    The step is ``lr * m' / (sqrt(v') + epsilon)`` with the bias-corrected moments m' and v', as in
    the paper's algorithm and in PyTorch. With ``epsilon_hat=True`` it is the paper's faster form,
    ``lr sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + epsilon)``, as in TensorFlow 1: there
    epsilon weighs more during the first steps.
    """

    slots = ("m", "v")
    decoupled = False  # AdamW's weight decay
    _counts = None  # on the GPU

    def __init__(
        self,
        parameters,
        lr=0.001,
        betas=(0.9, 0.999),
        epsilon=1e-8,
        epsilon_hat=False,
        weight_decay=0.0,
    ):
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"Adam: betas must be at least 0 and below 1, got {betas}")
        self.betas, self.epsilon, self.epsilon_hat = betas, epsilon, epsilon_hat
        super().__init__(parameters, lr, weight_decay)

    def _advance(self, graded, lr):
        super()._advance(graded, lr)
        if _float32_on_gpu(graded):
            if self._counts is None:
                self._counts = Counts(graded[0][0]._data, self.betas)
            self._counts.before_step(self.t, lr)

    def _replayed(self, graded, lr):
        if not _float32_on_gpu(graded):
            raise RuntimeError(
                f"{type(self).__name__}: its step can be captured only if every parameter is "
                "float32 and on the GPU: elsewhere the step count is a number of Python's"
            )
        if self._counts is None:
            raise RuntimeError(
                f"{type(self).__name__} must have made a step before one is captured"
            )
        each_replay(lambda: self._advance(graded, self._rate()), self._unchanged(graded))

    def _step(self, graded, lr):
        if not _float32_on_gpu(graded):
            super()._step(graded, lr)
            return
        tensors, states = zip(*graded, strict=True)
        adam_step(
            [p._data for p in tensors],
            [p.grad._data for p in tensors],
            *zip(*states, strict=True),
            self._counts.array,
            betas=self.betas,
            epsilon=self.epsilon,
            epsilon_hat=self.epsilon_hat,
            weight_decay=self.weight_decay,
            decoupled=self.decoupled,
        )

    def _update(self, w, g, m, v, *, lr):
        beta1, beta2 = self.betas
        correction = math.sqrt(1 - beta2**self.t)
        size = lr * correction / (1 - beta1**self.t)
        epsilon = self.epsilon if self.epsilon_hat else self.epsilon * correction
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        square = g * g
        square *= 1 - beta2
        v += square
        root = array_module(w).sqrt(v, out=square)
        root += epsilon
        change = array_module(w).divide(m, root, out=root)
        change *= size
        w -= change


class AdamW(Adam):
    """Adam with the weight decay taken out of the moments (I. Loshchilov and F. Hutter, 2019)."""

    decoupled = True

    def __init__(
        self,
        parameters,
        lr=0.001,
        betas=(0.9, 0.999),
        epsilon=1e-8,
        epsilon_hat=False,
        weight_decay=0.01,
    ):
        super().__init__(parameters, lr, betas, epsilon, epsilon_hat, weight_decay)

    def _decay(self, w, g, lr):
        w *= 1 - lr * self.weight_decay
        return g


def _float32_on_gpu(graded):
    return bool(graded) and all(p.device == "cuda" and p.dtype == np.float32 for p, _ in graded)
