"""Optimizers; with them come the schedules and penalties of two other files.

An optimizer takes any iterable of Tensors, or of groups of them, and changes their arrays in
place. The formulas are PyTorch's, so that the two can be compared step by step; what every
optimizer does is in `optimizer.py`.
"""

from __future__ import annotations

import math
from typing import Any

from .backend import Array, array_module
from .optimizer import Optimizer, Parameters, Rate, setting
from .penalties import clip_grad_norm, l1_penalty, l2_penalty
from .schedules import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CosineDecay,
    ExponentialDecay,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    SequentialLR,
    StepDecay,
    StepLR,
    Warmup,
)

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CosineDecay",
    "ExponentialDecay",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "Optimizer",
    "RMSprop",
    "SequentialLR",
    "StepDecay",
    "StepLR",
    "Warmup",
    "clip_grad_norm",
    "l1_penalty",
    "l2_penalty",
]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's variant on request.

    The velocity begins as the first gradient; later ones are taken times ``1 - dampening``.

    Parameters
    ----------
    parameters : iterable of Tensors, or of groups of them
    lr : float or schedule
    momentum : float, default=0.0
    nesterov : bool, default=False
    weight_decay : float, default=0.0
    dampening : float, default=0.0

    Examples
    --------
    >>> from minigrad import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SGD([w], lr=0.1).step()
    >>> w
    tensor([0.8], requires_grad=True)
    """

    momentum, dampening, nesterov = map(setting, ("momentum", "dampening", "nesterov"))
    steady = True

    def __init__(
        self,
        parameters: Parameters,
        lr: Rate,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        dampening: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay,
            dampening=dampening,
        )  # fmt: skip

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError where the settings of a `group` are impossible."""
        super().check(group)
        if group["nesterov"] and not (group["momentum"] and not group["dampening"]):
            raise ValueError(
                "SGD: nesterov=True needs a momentum above 0, such as 0.9, and no dampening"
            )

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The velocity, where there is momentum."""
        return ("velocity",) if group["momentum"] else ()

    def update(
        self,
        w: Array,
        g: Array,
        *,
        t: int,
        velocity: Any = None,
        lr: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        dampening: float,
    ) -> None:
        """``v = momentum v + (1 - dampening) g``, ``w = w - lr v``."""
        g = self.decay(w, g, lr, weight_decay)
        if momentum:
            velocity *= momentum
            velocity += g if t == 1 or not dampening else (1 - dampening) * g
            if nesterov:
                change = momentum * velocity
                change += g
                change *= lr
            else:
                change = lr * velocity
        else:
            change = lr * g
        w -= change


class RMSprop(Optimizer):
    """Gradients divided by a running root mean square (G. Hinton, lecture 6e, 2012).

    With ``centered=True`` by the standard deviation instead (A. Graves, 2013), whose square stops
    at 0 here where rounding makes it negative (in PyTorch the parameter becomes NaN).

    Parameters
    ----------
    parameters : iterable of Tensors, or of groups of them
    lr : float or schedule, default=0.01
    alpha : float, default=0.99
        How much of the running mean stays at each step.
    epsilon : float, default=1e-8
    weight_decay : float, default=0.0
    momentum : float, default=0.0
    centered : bool, default=False
    """

    alpha, epsilon, momentum, centered = map(setting, ("alpha", "epsilon", "momentum", "centered"))
    steady = True

    def __init__(
        self,
        parameters: Parameters,
        lr: Rate = 0.01,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, alpha=alpha, epsilon=epsilon, weight_decay=weight_decay,
            momentum=momentum, centered=centered,
        )  # fmt: skip

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The mean square, and what momentum and centering need."""
        needed = {"square": True, "mean": group["centered"], "velocity": group["momentum"]}
        return tuple(name for name, wanted in needed.items() if wanted)

    def update(
        self,
        w: Array,
        g: Array,
        *,
        t: int,
        square: Array,
        mean: Any = None,
        velocity: Any = None,
        lr: float,
        alpha: float,
        epsilon: float,
        weight_decay: float,
        momentum: float,
        centered: bool,
    ) -> None:
        """``s = alpha s + (1 - alpha) g**2``, ``w = w - lr g / (sqrt(s) + epsilon)``."""
        g = self.decay(w, g, lr, weight_decay)
        xp = array_module(w)
        square *= alpha
        root = (1 - alpha) * g
        if centered:
            mean *= alpha
            mean += root
        root *= g
        square += root
        if centered:
            xp.multiply(mean, mean, out=root)
            xp.subtract(square, root, out=root)
            xp.maximum(root, 0, out=root)
            xp.sqrt(root, out=root)
        else:
            xp.sqrt(square, out=root)
        root += epsilon
        if momentum:
            velocity *= momentum
            velocity += xp.divide(g, root, out=root)
            w -= xp.multiply(velocity, lr, out=root)
        else:
            change = lr * g
            change /= root
            w -= change


class Adam(Optimizer):
    """Adaptive moments (D. Kingma and J. Ba, 2015).

    The step is ``lr * m' / (sqrt(v') + epsilon)`` with the bias-corrected moments m' and v', as in
    the paper's algorithm and in PyTorch. With ``epsilon_hat=True`` it is the paper's faster form,
    ``lr sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + epsilon)``, as in TensorFlow 1: there
    epsilon weighs more during the first steps. ``amsgrad=True`` takes the largest v so far
    (S. Reddi, S. Kale and S. Kumar, 2018).

    Parameters
    ----------
    parameters : iterable of Tensors, or of groups of them
    lr : float or schedule, default=1e-3
    betas : (float, float), default=(0.9, 0.999)
    epsilon : float, default=1e-8
    epsilon_hat : bool, default=False
    weight_decay : float, default=0.0
        Added to the gradient, times the weight.
    amsgrad : bool, default=False
    """

    betas, epsilon, epsilon_hat, amsgrad = map(
        setting, ("betas", "epsilon", "epsilon_hat", "amsgrad")
    )
    decoupled = False  # AdamW's weight decay

    def __init__(
        self,
        parameters: Parameters,
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        epsilon_hat: bool = False,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, betas=betas, epsilon=epsilon, epsilon_hat=epsilon_hat,
            weight_decay=weight_decay, amsgrad=amsgrad,
        )  # fmt: skip

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError where the settings of a `group` are impossible."""
        super().check(group)
        if not all(0 <= beta < 1 for beta in group["betas"]):
            raise ValueError(
                f"{type(self).__name__}: betas must be at least 0 and below 1, got {group['betas']}"
            )

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The two moments, and AMSGrad's largest."""
        return ("m", "v", "largest_v") if group["amsgrad"] else ("m", "v")

    def update(
        self,
        w: Array,
        g: Array,
        *,
        t: int,
        m: Array,
        v: Array,
        largest_v: Any = None,
        lr: float,
        betas: tuple[float, float],
        epsilon: float,
        epsilon_hat: bool,
        weight_decay: float,
        amsgrad: bool,
    ) -> None:
        """``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g**2``, and the step."""
        xp = array_module(w)
        g = self.decay(w, g, lr, weight_decay)
        beta1, beta2 = betas
        correction = math.sqrt(1 - beta2**t)
        size = lr * correction / (1 - beta1**t)
        m *= beta1
        square = (1 - beta1) * g  # what is added to m; its memory serves what follows
        m += square
        v *= beta2
        xp.multiply(g, g, out=square)
        square *= 1 - beta2
        v += square
        if amsgrad:
            v = xp.maximum(largest_v, v, out=largest_v)
        root = xp.sqrt(v, out=square)
        root += epsilon if epsilon_hat else epsilon * correction
        change = xp.divide(m, root, out=root)
        change *= size
        w -= change


class AdamW(Adam):
    """Adam with the weight decay taken out of the moments (I. Loshchilov and F. Hutter, 2019).

    Parameters
    ----------
    parameters, lr, betas, epsilon, epsilon_hat, amsgrad : as in `Adam`
    weight_decay : float, default=0.01
        Taken from the weight itself, times the learning rate.
    """

    decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        epsilon_hat: bool = False,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas, epsilon, epsilon_hat, weight_decay, amsgrad)

    def decay(self, w: Array, g: Array, lr: float, weight_decay: float) -> Array:
        """The gradient itself: the weights decay by themselves."""
        if weight_decay:
            w *= 1 - lr * weight_decay
        return g
