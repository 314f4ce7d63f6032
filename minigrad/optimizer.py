"""The base of all optimizers: which parameters to change, counting steps, saving and loading.

`Optimizer.step` is the whole of it: count, then update each parameter by the formula of the
subclass. Devices may register a faster way to do the same in `faster`.
"""

import numpy as np

from .backend import array_module, device_of, to_numpy
from .tensor import Tensor, describe

# device -> function(optimizer, graded, lr) that does faster what `Optimizer.apply` does
faster = {}


class Optimizer:
    """The base: subclasses name their state arrays in `slots` and write `update`.

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
                    "the optimizer"
                )
        device = "cuda" if any(p.device == "cuda" for p, _ in graded) else "cpu"
        faster.get(device, Optimizer.apply)(self, graded, self.rate())

    def rate(self):
        """The learning rate of the next step."""
        return self.lr(self.t) if callable(self.lr) else self.lr

    def count(self, graded):
        """Count a step, and say to older graphs that the parameters have changed."""
        self.t += 1
        for p, _ in graded:
            p.node.leaf.version += 1

    def apply(self, graded, lr):
        """Count, then update each parameter in place: what a step is.

        `graded` has a pair for each parameter with a gradient: the Tensor and its state arrays.
        """
        self.count(graded)
        self.change(graded, lr)

    def change(self, graded, lr):
        """Update each parameter of `graded`, see `apply`."""
        for p, state in graded:
            # with one axis more, since NumPy makes numbers of 0-d arrays, which cannot be changed
            w, g, *slots = (a[None] for a in (p._data, p.grad._data, *state))
            self.update(w, self.decay(w, g, lr), *slots, lr=lr)

    def decay(self, w, g, lr):
        """The gradient with the weight decay in it."""
        return g + self.weight_decay * w if self.weight_decay else g

    def update(self, w, g, *slots, lr):
        """Change the array `w`, whose gradient is `g`, and its state arrays in place.

        All are of one shape, which may be any part of the parameter's: the formula must treat each
        element by itself.
        """
        raise TypeError(f"{type(self).__name__} does not say how it steps: write update")

    def state_dict(self):
        """The step count and copies of the state arrays, in main memory, by name."""
        state = {"t": np.array(self.t)}
        for k, arrays in enumerate(self.state):
            for name, array in zip(self.slots, arrays, strict=True):
                state[f"{name}.{k}"] = np.array(to_numpy(array))
        return state

    def load_state_dict(self, state):
        """Continue from `state`, which `state_dict` of the same kind of optimizer made."""
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
                "or of another shape: load it into the same optimizer over the same parameters"
            )
        self.t = int(state["t"])
        for k, arrays in enumerate(self.state):
            for name, array in zip(self.slots, arrays, strict=True):
                array[...] = array_module(array).asarray(state[f"{name}.{k}"])
