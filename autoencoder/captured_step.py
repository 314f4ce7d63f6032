"""Training steps on the CPU that are noted once and replayed, where nothing of them is Python's.

`minigrad.cpu.Captured` notes the kernels of a step. A batch is copied to where the step reads it,
one step for each size of batch. A step that cannot be replayed runs as it is: the results are the
same to the last bit, only the time is not.
"""

import numpy as np

from minigrad import Tensor
from minigrad.cpu import Captured
from minigrad.module import Module
from minigrad.tape import same

_OWN = __package__ + ".", "minigrad."


def can_be_captured(parts):
    """Whether all of the `Parts` do the same at each step, but for numbers; those of this package
    do.

    A part that somebody else wrote says so by ``on_device = True``. A weight that changes from step
    to step, as of a code that warms up, is no part of a captured step.
    """
    if getattr(parts.code, "warm_up", 0):
        return False
    return all(part is None or _is_steady(part) for part in _several(parts))


def _several(parts):
    return [parts.noise, parts.code, parts.likelihood, *parts.penalties]


def _is_steady(part):
    return _is_own(type(part)) or getattr(part, "on_device", False)


def _is_own(function):
    """Whether a function or class is of this package or minigrad."""
    return (getattr(function, "__module__", None) or "").startswith(_OWN)


def _calls_others(module):
    """Whether a Module calls a function that somebody else wrote, as an activation or a layer."""
    kept = [v for value in vars(module).values() for v in _listed(value)]
    functions = [v for v in kept if callable(v) and not isinstance(v, Module)]
    return not all(_is_own(f) or _is_own(type(f)) for f in functions)


def _listed(value):
    return value if isinstance(value, list | tuple) else [value]


def _steps_as_usual(optimizer):
    """Whether an optimizer does at every step what `Optimizer` does: how it updates is its own."""
    made = type(optimizer)
    usual = all(_is_own(getattr(made, name)) for name in ("step", "zero_grad"))
    return usual and not {"step", "zero_grad"} & vars(optimizer).keys()


class CapturedSteps:
    """``learn(seen, target)`` of a `HostEpoch`, captured for each shape of batch.

    `network`, `parts` and `optimizer` are what the step is made of: where somebody has changed a
    setting of a part, steps are noted anew; with functions of somebody else in them, which may do
    something else each time, they run as they are.
    """

    def __init__(self, learn, network, parts, optimizer):
        self.learn, self.network, self.parts = learn, network, parts
        self.optimizer = optimizer
        self.steps, self.settings = {}, None

    def begin_epoch(self):
        """Forget the steps whose settings have changed."""
        modules = list(self.network.modules())
        steady = all(_is_steady(m) and not (m._hooks or _calls_others(m)) for m in modules)
        steady = steady and _steps_as_usual(self.optimizer)
        found = [dict(vars(part)) for part in _several(self.parts) if part is not None]
        found += [{k: v for k, v in vars(m).items() if not _is_state(v)} for m in modules]
        if not steady or self.settings is None or not same(found, self.settings):
            self.steps.clear()
        self.settings = found if steady else None

    def __call__(self, seen, target):
        """A step on Tensors `seen` and `target` (n, D), which may be one: its terms and codes."""
        if self.settings is None:
            return self.learn(seen, target)
        key = seen is target, seen.shape, target.shape, seen.dtype
        step = self.steps.get(key)
        if step is None:
            step = self.steps[key] = _Step(self.learn, seen, target)
        return step(seen, target)


def _is_state(value):
    """Whether a module keeps this from step to step: what is replayed too."""
    return isinstance(value, Tensor | Module | np.random.Generator)


class _Step:
    """A captured step on batches of one shape, in arrays that stay in place."""

    def __init__(self, learn, seen, target):
        self.target = Tensor(np.empty(target.shape, target.dtype))
        self.seen = self.target
        if seen is not target:
            self.seen = Tensor(np.empty(seen.shape, seen.dtype))
        self.step = Captured(lambda: learn(self.seen, self.target), refuse=False)

    def __call__(self, seen, target):
        np.copyto(self.target._data, target._data)
        if self.seen is not self.target:
            np.copyto(self.seen._data, seen._data)
        return self.step()
