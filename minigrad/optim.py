"""Optimizers; with them come the schedules and penalties of two other files.

An optimizer takes any iterable of Tensors and changes their arrays in place. The formulas are
PyTorch's, so that the two can be compared step by step.
"""

import math

from .backend import array_module
from .optimizer import Optimizer
from .penalties import clip_grad_norm, l1_penalty, l2_penalty
from .schedules import CosineDecay, ExponentialDecay, StepDecay, Warmup

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineDecay",
    "ExponentialDecay",
    "Optimizer",
    "RMSprop",
    "StepDecay",
    "Warmup",
    "clip_grad_norm",
    "l1_penalty",
    "l2_penalty",
]


class SGD(Optimizer):
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

    def update(self, w, g, velocity=None, *, lr):
        if velocity is not None:
            velocity *= self.momentum
            velocity += g
            g = g + self.momentum * velocity if self.nesterov else velocity
        w -= lr * g


class RMSprop(Optimizer):
    """Gradients divided by a running root mean square (G. Hinton, lecture 6e, 2012)."""

    slots = ("square",)

    def __init__(self, parameters, lr=0.01, alpha=0.99, epsilon=1e-8, weight_decay=0.0):
        self.alpha, self.epsilon = alpha, epsilon
        super().__init__(parameters, lr, weight_decay)

    def update(self, w, g, square, *, lr):
        square *= self.alpha
        square += (1 - self.alpha) * g * g
        w -= lr * g / (array_module(w).sqrt(square) + self.epsilon)


class Adam(Optimizer):
    """Adaptive moments (D. Kingma and J. Ba, 2015).

    The step is ``lr * m' / (sqrt(v') + epsilon)`` with the bias-corrected moments m' and v', as in
    the paper's algorithm and in PyTorch. With ``epsilon_hat=True`` it is the paper's faster form,
    ``lr sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + epsilon)``, as in TensorFlow 1: there
    epsilon weighs more during the first steps.
    """

    slots = ("m", "v")
    decoupled = False  # AdamW's weight decay

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

    def update(self, w, g, m, v, *, lr):
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

    def decay(self, w, g, lr):
        """The gradient itself: the weights decay by themselves."""
        if self.weight_decay:
            w *= 1 - lr * self.weight_decay
        return g
