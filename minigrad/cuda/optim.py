"""A step of an optimizer on the GPU: Adam's is one kernel, and those of captured steps count.

While a step is recorded nothing is counted. What the host has to do at each replay, and how to
tell that the record no longer holds, is given to `each_replay`.
"""

import copy
import weakref

from ..optim import Adam
from ..optimizer import faster
from . import adam
from .capture import counted, each_replay, recording
from .launch import FLOAT32, fits

_counts = weakref.WeakKeyDictionary()  # optimizer -> adam.Counts, from its first step on


def step(optimizer, parts):
    """What `Optimizer.apply` does."""
    taken = _pick(optimizer, parts, True)
    rest = _pick(optimizer, parts, False)
    if recording():
        _check_recordable(optimizer, taken, rest)
    work = _Step(optimizer, parts, taken)
    if recording():
        each_replay(work)
        work.launch()
        optimizer.change([_counted(part) for part in rest])
    else:
        counted([work], work.launch)
        optimizer.change(rest)


def _pick(optimizer, parts, by_kernel):
    """Of `parts` what Adam's kernel takes, or the rest."""
    picked = [
        part._replace(
            parameters=[ps for ps in part.parameters if _takes(optimizer, part, ps[0]) == by_kernel]
        )
        for part in parts
    ]
    return [part for part in picked if part.parameters]


def _takes(optimizer, part, p):
    """Whether the formula is the kernel's, and the parameter an array for it."""
    if not isinstance(optimizer, Adam) or part.settings["amsgrad"]:
        return False
    known = type(optimizer).update is Adam.update
    return known and p.device == "cuda" and (fits(p._data) or (not p.size and p.dtype == FLOAT32))


def _counted(part):
    """`part`, with a count that is one ahead."""
    parameters = [(p, {**state, "t": state["t"] + 1}) for p, state in part.parameters]
    return part._replace(parameters=parameters)


def _check_recordable(optimizer, taken, rest):
    kind = type(optimizer).__name__
    if any(p.device == "cpu" for part in rest for p, _ in part.parameters):
        raise RuntimeError(
            f"{kind}: its step can be captured only if all parameters are on the GPU"
        )
    if rest and not optimizer.steady:
        raise RuntimeError(
            f"{kind}: its step can be captured only if Adam's kernel takes every parameter, "
            "contiguous, float32 and on the GPU, without amsgrad: elsewhere the step count is a "
            "number of Python's"
        )
    if taken and _counts_of(optimizer) is None:
        raise RuntimeError(
            f"{kind} must have made a step with all its parameters before one is captured"
        )


def _counts_of(optimizer):
    """Its `Counts`, or None where they are not those of all its parameters."""
    counts = _counts.get(optimizer)
    return counts if counts and len(counts.rows) == len(optimizer.parameters) else None


class _Step:
    """One step, as `counted` and `each_replay` want it."""

    def __init__(self, optimizer, parts, taken):
        self.optimizer, self.parts, self.taken = optimizer, parts, taken
        self.counts = _counts_of(optimizer)
        if taken and self.counts is None:
            like = taken[0].parameters[0][0]._data
            self.counts = _counts[optimizer] = adam.Counts(optimizer, like)
        self.graded = [pair for part in parts for pair in part.parameters]
        self.arrays = [p._data for p, _ in self.graded]
        self.recorded = copy.deepcopy(self._settings()) if recording() else None

    def _settings(self):
        """All that is recorded as it is now: of the learning rate Adam's kernel finds its own."""
        changing = ("params", "lr")
        settings = [
            {name: value for name, value in part.group.items() if name not in changing}
            for part in self.parts
        ]
        settings.append(len(self.optimizer.param_groups))
        if not self.taken:
            settings += [self.optimizer.rate(part.group) for part in self.parts]
            settings += [state["t"] == 0 for _, state in self.graded]  # first steps are others
        return settings

    def fresh(self):
        """Whether arrays and settings are still those of the record."""
        return (
            all(p._data is a for (p, _), a in zip(self.graded, self.arrays, strict=True))
            and self._settings() == self.recorded
            and self.counts is _counts_of(self.optimizer)
        )

    def prepare(self):
        """Have the right counts and rates on the device."""
        self.before = self.optimizer.t, {p: state["t"] for p, state in self.graded}
        if self.taken:
            if self.recorded is not None:
                for part in self.taken:
                    part.settings["lr"] = self.optimizer.rate(part.group)
            self.counts.before_step(self.taken)

    def launch(self):
        """Make the step of what Adam's kernel takes."""
        for part in self.taken:
            tensors, states = zip(*part.parameters, strict=True)
            adam.step(
                [p._data for p in tensors],
                [p.grad._data for p in tensors],
                [state["m"] for state in states],
                [state["v"] for state in states],
                [self.counts.rows[p] for p in tensors],
                self.counts.array,
                betas=part.settings["betas"],
                epsilon=part.settings["epsilon"],
                epsilon_hat=part.settings["epsilon_hat"],
                weight_decay=part.settings["weight_decay"],
                decoupled=self.optimizer.decoupled,
            )

    def count(self):
        """Count on the host what has been launched."""
        self.optimizer.count(self.parts)
        if self.taken:
            self.counts.after_step(self.taken)

    def recount(self):
        """Ask the device whether the step was made, and have the host's counts say so."""
        t, steps = self.before
        counted = [p for part in self.taken for p, _ in part.parameters if p.size]
        if counted:
            made = self.counts.on_device(counted[0]) - steps[counted[0]]
            self.optimizer.t = t + made
            for p, state in self.graded:
                state["t"] = steps[p] + made
                p.node.leaf.version += 1


faster["cuda"] = step
