"""A step of Adam for all parameters together: one launch, as each is short beside its overhead."""

import functools
import itertools
import math

import numpy as np

from ..backend import array_module, to_numpy
from .launch import LIMIT, address, blocks, fits, launch, launcher

VARIANTS = {"adam": [()]}
TENSORS = 88  # in one launch: what fits into the 4 KB of a kernel's arguments
_PER_BLOCK = 4096
TABLE = np.dtype(
    [
        *((name, np.uint64, TENSORS) for name in ("w", "g", "m", "v")),
        ("size", np.int32, TENSORS),
        ("first", np.int32, TENSORS + 1),
        ("row", np.int32, TENSORS),
        ("count", np.int32),
        *((name, np.float64) for name in ("beta1", "beta2", "epsilon", "decay")),
    ],
    align=True,
)


class Counts:
    """Adam's step counts, powers and learning rates, kept on the device.

    The kernel counts its own steps, so that a replayed graph does. The host only steps in where its
    own count says something else, after a checkpoint was loaded for instance, or a setting has
    changed. `array` (parameters, 4), float64, has a row ``[t, beta1**t, beta2**t, lr]`` for each
    parameter of the `optimizer`; it lies on the device of the array `like`.
    """

    def __init__(self, optimizer, like):
        self.rows = {p: k for k, p in enumerate(optimizer.parameters)}
        self.array = array_module(like).zeros((len(self.rows), 4), np.float64)
        # (t, betas, lr) of each row, so far as the host knows
        self.known = [
            (0, tuple(group["betas"]), 0.0)
            for group in optimizer.param_groups
            for _ in group["params"]
        ]
        self.stale = True  # the device may have something else

    def before_step(self, parts):
        """See to it that the kernel's next step is the next one of all `parts`."""
        wanted = {
            self.rows[p]: (state["t"], tuple(part.settings["betas"]), part.settings["lr"])
            for part in parts
            for p, state in part.parameters
        }
        if self.stale or any(self.known[k][:2] != row[:2] for k, row in wanted.items()):
            known = [wanted.get(k, row) for k, row in enumerate(self.known)]
            rows = [[t, *(_power(beta, t) for beta in betas), lr] for t, betas, lr in known]
            self.array[...] = array_module(self.array).asarray(np.array(rows, np.float64))
            self.known, self.stale = known, False
        else:
            for part in parts:
                self._set_rate([self.rows[p] for p, _ in part.parameters], part.settings["lr"])

    def _set_rate(self, rows, lr):
        if any(self.known[k][2] != lr for k in rows):
            group = slice(min(rows), max(rows) + 1)  # the rows of a group lie side by side
            self.array[group, 3].fill(lr)
            self.known[group] = [(t, betas, lr) for t, betas, _ in self.known[group]]

    def after_step(self, parts):
        """Note that the kernel has made a step of all `parts`."""
        for part in parts:
            for p, _ in part.parameters:
                t, betas, lr = self.known[self.rows[p]]
                self.known[self.rows[p]] = t + 1, betas, lr

    def on_device(self, p):
        """How many steps of the parameter `p` the device has counted (waits for it)."""
        self.stale = True  # the next step begins from the host's counts, whatever they will be
        return int(to_numpy(self.array)[self.rows[p], 0])


@functools.lru_cache(1024)
def _power(beta, t):
    """``beta**t`` multiplied one by one, as the kernel does: a power could differ in its last bit,
    and a training that was saved and read back would not go on exactly."""
    return math.prod(itertools.repeat(beta, t))


def step(
    parameters,
    gradients,
    ms,
    vs,
    rows,
    state,
    *,
    betas,
    epsilon,
    epsilon_hat=False,
    weight_decay=0.0,
    decoupled=False,
):
    """Change `parameters`, and their moments `ms` and `vs`, in place by one step of `Adam`.

    All are lists of float32 arrays on one device; `state` (any, 4) there, float64, has for each
    parameter a row ``[t, beta1**t, beta2**t, lr]``, of which the kernel advances the first three;
    `rows` says which. `decoupled` is AdamW's decay. The numbers are those of `minigrad.optim.Adam`
    on the CPU, bit for bit, if its powers of beta are and none is subnormal (CuPy has all kernels
    compiled with ``-ftz=true``, which makes those 0).
    """
    gradients = [_contiguous(g) for g in gradients]
    tensors = list(zip(parameters, gradients, ms, vs, rows, strict=True))
    _check(tensors, state)
    tensors = [five for five in tensors if five[0].size]
    for begin in range(0, len(tensors), TENSORS):
        part = tensors[begin : begin + TENSORS]
        table = _table(part)
        table["beta1"], table["beta2"] = betas
        table["epsilon"], table["decay"] = epsilon, weight_decay
        launch(
            "adam", "adam", (int(table["first"][0, len(part)]),), (256,),
            table, state, launcher.tickets(state, 1),
            bool(epsilon_hat), bool(decoupled and weight_decay),
        )  # fmt: skip


def _contiguous(g):
    # asked first: ascontiguousarray makes an array of shape (1,) of a single number
    return g if g.flags.c_contiguous else array_module(g).ascontiguousarray(g)


def _table(tensors):
    table = np.zeros(1, TABLE)
    *arrays, rows = zip(*tensors, strict=True)
    for name, of in zip("wgmv", arrays, strict=True):
        table[name][0, : len(of)] = [address(a) for a in of]
    sizes = [w.size for w in arrays[0]]
    table["size"][0, : len(sizes)] = sizes
    table["row"][0, : len(sizes)] = rows
    ends = np.cumsum([blocks(size, _PER_BLOCK) for size in sizes])
    table["first"][0, 1 : len(sizes) + 1] = ends
    table["count"] = len(sizes)
    return table


def _check(tensors, state):
    if not tensors:
        raise ValueError("Adam's kernel: got no parameters to change")
    if state.ndim != 2 or state.shape[1] != 4 or state.dtype != np.float64:
        raise ValueError(
            "Adam's kernel: expected for each parameter a row [t, beta1**t, beta2**t, lr] of "
            f"float64, got {state.dtype} {tuple(state.shape)}"
        )
    for *four, row in tensors:
        shape = four[0].shape
        if not all(a.shape == shape and (fits(a) or not a.size) for a in four):
            raise ValueError(
                "Adam's kernel: expected a parameter, its gradient and two moments, contiguous "
                f"float32 arrays of one shape with fewer than {LIMIT} elements, got "
                f"{', '.join(f'{a.dtype} {tuple(a.shape)}' for a in four)}"
            )
        if not 0 <= row < len(state):
            raise ValueError(f"Adam's kernel: there is no row {row} in a state {state.shape}")
