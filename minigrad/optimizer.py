"""The base of all optimizers: parameters and their settings, counting steps, saving and loading.

`Optimizer.apply` is a step: count, then update each parameter by the formula of the subclass.
Devices may register a faster way to do the same in `faster`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .backend import Array, array_module, device_of, to_numpy
from .state import taping
from .tape import SETTING, opaque
from .tensor import Tensor, describe

Rate: TypeAlias = "float | Callable[[int], float]"  # a learning rate, or a schedule of them
Parameters: TypeAlias = "Iterable[Tensor] | Iterable[dict[str, Any]]"  # or groups of them

# device -> function(optimizer, parts) that does faster what `Optimizer.apply` does
faster: dict[str, Callable[[Optimizer, list[Part]], None]] = {}


class Part(NamedTuple):
    """The parameters of a group that have a gradient, and what is needed to update them."""

    group: dict[str, Any]
    settings: dict[str, Any]  # those of the group, with the learning rate of this step as "lr"
    parameters: list[tuple[Tensor, dict[str, Any]]]  # with their states


def setting(name: str) -> Any:
    """A property: the setting `name` of the groups. To set it sets it for all of them."""

    def read(self: Optimizer) -> Any:
        first, *others = (group[name] for group in self.param_groups)
        if any(value != first for value in others):
            raise ValueError(
                f"{type(self).__name__}: its groups have different {name}: read "
                f'optimizer.param_groups[0]["{name}"]'
            )
        return first

    def write(self: Optimizer, value: Any) -> None:
        tape = taping()
        if tape is not None:
            tape.refuse(SETTING)
        for settings in (self.defaults, *self.param_groups):
            settings[name] = value

    return property(read, write)


class Optimizer:
    """The base: subclasses write `update` and, if they keep arrays for each parameter, `slots`.

    Parameters
    ----------
    parameters : iterable of Tensors, or of dicts
        Leaves that require a gradient. A dict is a group with settings of its own:
        ``{"params": tensors, "lr": 0.1}``. What it does not name is as in `settings`.
    **settings
        What all groups have: `lr`, a number or a schedule (a function of the number of steps
        already made), `weight_decay`, and what else `update` asks for. They can be read and set
        later in the dicts ``optimizer.param_groups``, or for all groups as ``optimizer.lr``.
    """

    lr = setting("lr")
    weight_decay = setting("weight_decay")
    # True where `update` is the same function at each step but a parameter's first
    steady = False

    def __init__(self, parameters: Parameters, **settings: Any) -> None:
        self.defaults, self.t = settings, 0
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        given: list[Any] = list(parameters)
        if not given:
            raise ValueError(f"{type(self).__name__}: got no parameters to train")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Train the parameters of one more `group`, a dict as for the constructor."""
        name = type(self).__name__
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(
                f'{name}: a group of parameters is a dict {{"params": tensors, "lr": 0.1}}, got '
                f"{sorted(group) if isinstance(group, dict) else describe(group)}"
            )
        given = group["params"]
        given = [given] if isinstance(given, Tensor) else list(given)
        group = {**self.defaults, **group, "params": given}
        if unknown := sorted(group.keys() - self.defaults.keys() - {"params"}):
            raise TypeError(
                f"{name}: a group has no setting {', '.join(unknown)}: it can have "
                f"{', '.join(self.defaults)}"
            )
        self.check(group)
        seen = set(self.state)
        for p in group["params"]:
            self._check_parameter(p, seen)
            seen.add(p)
        self.param_groups.append(group)
        for p in group["params"]:
            zeros = array_module(p._data).zeros
            arrays = {slot: zeros(p.shape, p.dtype) for slot in self.slots(group)}
            self.state[p] = {"t": 0, **arrays}

    def _check_parameter(self, p: Any, seen: set[Tensor]) -> None:
        name = type(self).__name__
        if not isinstance(p, Tensor) or not p.is_leaf:
            raise TypeError(
                f"{name}: every parameter must be a leaf Tensor that requires "
                f"a gradient, got {describe(p)}: pass model.parameters()"
            )
        if p in seen:
            raise ValueError(
                f"{name}: {describe(p)} was given twice and would be stepped twice: give each "
                "parameter once, as list(dict.fromkeys(parameters)) does"
            )
        a = p._data
        stretched = a.size and any(n > 1 and not s for n, s in zip(a.shape, a.strides, strict=True))
        if stretched or not getattr(a.flags, "writeable", True):  # CuPy's flags have none
            raise ValueError(
                f"{name}: {describe(p)} cannot be changed in place, its array is read-only or was "
                "made by broadcast_to: give a copy, tensor(x, requires_grad=True)"
            )

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError where the settings of a `group` are impossible."""
        if not callable(group["lr"]) and not group["lr"] > 0:
            raise ValueError(f"{type(self).__name__}: lr must be positive, got {group['lr']}")

    def __getstate__(
        self,
    ) -> dict[str, Any]:  # not every way of keeping objects knows dicts whose keys are Tensors
        return {**vars(self), "state": list(self.state.items())}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update({**kept, "state": dict(kept["state"])})

    def slots(self, group: dict[str, Any]) -> Sequence[str]:
        """The names of the arrays to keep for each parameter of `group`; they begin as zeros."""
        return ()

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters of all groups."""
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self) -> None:
        """Forget all gradients, as before every ``backward``."""
        for p in self.parameters:
            p.grad = None

    # ------------------------------------------------------------------ a step
    def step(self) -> None:
        """Change every parameter that has a gradient by one step.

        A step that Ctrl-C interrupts is counted for all of them or for none, but may have changed
        only some: to go on exactly, load a state that was saved before.
        """
        tape = taping()
        if tape is not None:
            tape.steps(self)
        opaque(self._step)

    def _step(self) -> None:
        parts = [self._part(group) for group in self.param_groups]
        on_gpu = any(p.device == "cuda" for part in parts for p, _ in part.parameters)
        faster.get("cuda" if on_gpu else "cpu", Optimizer.apply)(self, parts)

    def apply(self, parts: list[Part]) -> None:
        """Count, then update each parameter in place: what a step is."""
        self.count(parts)
        self.change(parts)

    def count(self, parts: list[Part]) -> None:
        """Count a step, and say to older graphs that the parameters have changed."""
        pairs = [pair for part in parts for pair in part.parameters]
        for p, _ in pairs:
            p.node.leaf.version += 1  # type: ignore[union-attr]
        counts, t = [state["t"] + 1 for _, state in pairs], self.t + 1
        try:
            self._set_counts(pairs, counts, t)
        except BaseException:  # Ctrl-C: all or none
            self._set_counts(pairs, counts, t)
            raise

    def _set_counts(
        self, pairs: list[tuple[Tensor, dict[str, Any]]], counts: list[int], t: int
    ) -> None:
        for (_, state), count in zip(pairs, counts, strict=True):
            state["t"] = count
        self.t = t

    def change(self, parts: list[Part]) -> None:
        """Update each parameter of `parts`."""
        for part in parts:
            for p, state in part.parameters:
                # with an axis more: NumPy makes numbers of 0-d arrays, which cannot be changed
                arrays = {name: a[None] for name, a in state.items() if name != "t"}
                w, g = p._data[None], p.grad._data[None]  # type: ignore[union-attr]
                self.update(w, g, t=state["t"], **arrays, **part.settings)

    def update(self, w: Array, g: Array, *args: Any, **named: Any) -> None:
        """Change the array `w`, whose gradient is `g` and for which this is step `t` (from 1).

        A subclass names the other arguments: ``t``, those of `slots`, arrays to be changed in
        place too, and the settings. All arrays are of one shape, which may be any part of the
        parameter's: the formula must treat each element by itself.
        """
        raise TypeError(f"{type(self).__name__} does not say how it steps: write update")

    def decay(self, w: Array, g: Array, lr: float, weight_decay: float) -> Array:
        """The gradient `g` with the weight decay, an L2 penalty, in it."""
        if not weight_decay:
            return g
        decayed = weight_decay * w
        decayed += g
        return decayed

    def rate(self, group: dict[str, Any]) -> float:
        """The learning rate of the next step."""
        return group["lr"](self.t) if callable(group["lr"]) else group["lr"]

    def _part(self, group: dict[str, Any]) -> Part:
        graded = [(p, self.state[p]) for p in group["params"] if p.grad is not None]
        slots = self.slots(group)
        for p, state in graded:
            self._check_state(p, state, slots)
        settings = {name: value for name, value in group.items() if name != "params"}
        return Part(group, settings | {"lr": self.rate(group)}, graded)

    def _check_state(self, p: Tensor, state: dict[str, Any], slots: Sequence[str]) -> None:
        for name in slots:
            if name not in state:
                raise RuntimeError(
                    f"{type(self).__name__}: its settings have been changed and need {name}, which "
                    "it was made without: make a new optimizer"
                )
            if device_of(state[name]) != p.device:
                raise RuntimeError(
                    f"{type(self).__name__}: its parameters are on {p.device!r}, but were on "
                    f"{device_of(state[name])!r} when it was made: move the model first, then make "
                    "the optimizer"
                )

    # ------------------------------------------------------------------ saving
    def state_dict(self) -> dict[str, Array]:
        """Copies of the state arrays in main memory, by name, and the steps made: ``t`` by the
        optimizer, ``steps`` by each parameter. Settings are not in it."""
        states = [self.state[p] for p in self.parameters]
        saved = {"t": np.array(self.t), "steps": np.array([s["t"] for s in states], np.int64)}
        for k, state in enumerate(states):
            for name, a in state.items():
                if name != "t":
                    saved[f"{name}.{k}"] = np.array(to_numpy(a))
        return saved

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, which `state_dict` of the same kind of optimizer made.

        Where it has no ``steps``, as older files, every parameter has made ``t`` steps. All of it
        is loaded or, with a ValueError, nothing.
        """
        states = [self.state[p] for p in self.parameters]
        mine = {"t": np.array(self.t), "steps": np.zeros(len(states), np.int64)}
        mine |= {f"{n}.{k}": a for k, of in enumerate(states) for n, a in of.items() if n != "t"}
        if "steps" not in state:
            del mine["steps"]
        wrong = [
            name
            for name in sorted(mine.keys() | state.keys())
            if name not in mine or name not in state or not _alike(mine[name], state[name])
        ]
        if wrong:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: {', '.join(wrong[:5])} missing, unknown "
                "or of another shape or kind: load it into the same optimizer over the same "
                "parameters"
            )
        for name in mine.keys() - {"t", "steps"}:  # one after another, see Module.load_state_dict
            mine[name][...] = array_module(mine[name]).asarray(state[name], mine[name].dtype)
        self.t = int(state["t"])
        for k, of in enumerate(states):
            of["t"] = int(state["steps"][k]) if "steps" in state else self.t


def _alike(mine: Array, other: Any) -> bool:
    """Whether `other` can take the place of the array `mine`: its shape, and numbers of its kind
    (counts are not negative)."""
    try:
        other = np.asarray(other)
    except ValueError:  # lists of several lengths
        return False
    if other.shape != mine.shape or (other.dtype.kind == "f") != (mine.dtype.kind == "f"):
        return False
    return mine.dtype.kind == "f" or (other.dtype.kind in "iu" and bool((other >= 0).all()))
