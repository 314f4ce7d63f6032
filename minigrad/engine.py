"""The engine: primitives, and recording the graph that they make.

The same idea in one small file, to read before this one: ``docs/engine_in_100_lines.py``.

A **primitive** is a function on arrays together with one VJP (vector-Jacobian product) for each
argument that can be differentiated::

    @primitive(a=lambda g, b: g * b, b=lambda g, a: g * a)
    def multiply(a, b):
        return a * b

Called on arrays a primitive just runs. Called with a Tensor it also records a Node. A VJP names
what it needs: ``g`` is the gradient of the output, ``y`` the output, any other name an argument of
the function, and ``x_shape`` or ``x_dtype`` only the shape or dtype of argument ``x``. That is the
declaration of what the graph keeps alive: nothing else is kept. (``i`` is the argument's position,
for functions of any number of arrays; a VJP given for ``g`` itself is applied first, once, and the
others get its result: the activation at the end of a fused layer. It may return a pair, of which
the others know the second as ``h``.)

A VJP is ordinary code over operators and other primitives. The engine hands it arrays, which is
fast, or Tensors (``create_graph=True``), which records it: the same line serves every order.

What holds for all operations is done once, here and in ``gradient.py``, which walks the graph:
summing over broadcast axes, the order of accumulation, checks of dtype and shape, leaving out what
needs no gradient, freeing saved arrays, noticing that one was changed, naming the user's line.
"""

import functools
import inspect
from typing import NamedTuple

import numpy as np

from .backend import FLOATS, any_cuda, array_module, as_array, device_of, is_array, own_copy
from .node import Node, at
from .state import PACKAGE, call_site, state
from .tensor import Tensor, checksum, describe

registry = {}  # name -> Primitive: the complete list, which the tests go through
_BOOL = np.dtype(bool)
ANY_DTYPE = "any"  # for primitives that only move values about
NOT_SAVED = {"g": -1, "h": -2}  # in place of positions in the saved values


# ---------------------------------------------------------------------- primitives
class Plan(NamedTuple):
    """What a Node saves and which VJPs it runs, for one pattern of wanted gradients."""

    fetch: tuple  # ((kind, argument index), ...): the values to save
    first: tuple | None  # (function of g that all VJPs share, positions) or None
    steps: tuple  # ((argument index, vjp, positions in the saved values; see NOT_SAVED), ...)


class Primitive:
    """A function on arrays and its VJPs; see the top of this file."""

    def __init__(self, forward, expects, dtypes, vjps):
        functools.update_wrapper(self, forward)
        self.forward = self.cpu = self.cuda = forward
        self.name = self.__name__ = forward.__name__.strip("_")
        self.expects, self.vjps = expects, vjps
        self.any_dtype = dtypes is ANY_DTYPE
        parameters = list(inspect.signature(forward).parameters.values())
        self.names = [p.name for p in parameters]
        self.defaults = tuple(p.default for p in parameters)
        self.variadic = parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
        self.count = None if self.variadic else len(parameters)
        self.differentiable = sum(
            (-1 << i if self.variadic and i == len(parameters) - 1 else 1 << i)
            for i, name in enumerate(self.names)
            if name in vjps
        )
        self.plans = {}
        for name, vjp in vjps.items():
            needs = list(inspect.signature(vjp).parameters)
            unknown = [n for n in needs if not self._known(n)]
            if unknown or name not in [*self.names, "g"]:
                raise TypeError(
                    f"primitive {self.name}({', '.join(self.names)}): the VJP for {name} asks for "
                    f"{', '.join(needs)}; it can have g, y, the arguments by name, their shapes "
                    "and dtypes as name_shape and name_dtype, and h where there is a VJP for g"
                )

    def __call__(self, *args, **options):
        if options or (len(args) != self.count and not self.variadic):
            args = self._bind(args, options)
        for a in args:
            if isinstance(a, Tensor):
                return self._record(args)
        return as_array(self._run(args, args))

    def _bind(self, args, options):
        bound = [*args, *self.defaults[len(args) :]]
        for name, value in options.items():
            if name not in self.names[len(args) :]:
                raise TypeError(f"{self.name}: unexpected argument {name!r}, see help({self.name})")
            bound[self.names.index(name)] = value
        if len(bound) > len(self.names) or any(b is inspect.Parameter.empty for b in bound):
            raise TypeError(f"{self.name} takes {', '.join(self.names)}: got {len(args)} arguments")
        return bound

    def _run(self, values, args):
        try:
            forward = self._cuda_forward(values) if any_cuda(values) else self.cpu
            if state.around is None:
                return forward(*values)
            return state.around(self, None, "forward", forward, values)
        except (ValueError, TypeError, IndexError) as error:
            raise self._explain(args, error) from None

    def _record(self, args):
        values, parents, live, dtype = list(args), [None] * len(args), 0, None
        differentiable = self.differentiable
        for i, a in enumerate(args):
            v = a
            if isinstance(a, Tensor):
                v = values[i] = a._data
                if a.node is not None:
                    parents[i] = a.node
                    live |= 1 << i
            if differentiable >> i & 1:
                if is_array(v):
                    if v.dtype is not dtype and not (v.dtype is _BOOL and v is a):
                        dtype = self._check_dtype(args, dtype, v.dtype)
                elif isinstance(v, np.generic) and v.dtype.kind in "biuf":
                    values[i] = v.item()  # numbers are weak: they never change the dtype
                elif not isinstance(v, (int, float)):
                    raise TypeError(
                        f"{self.name}: argument {self.argument(i)} is a {type(a).__name__}, "
                        "expected a Tensor, an array or a number: wrap it with tensor(...)"
                    )
        out = as_array(self._run(values, args))
        live &= differentiable
        if not live or not state.recording:
            return Tensor(out)
        key = (len(args), live)
        plan = self.plans.get(key) or self._plan(key)
        node = Node(self, parents, plan, call_site(), out.shape, out.dtype)
        if out.base is not None:  # a view: changes to the leaf below it would show through
            for parent, value in zip(parents, values, strict=True):
                if parent and parent.leaf and np.may_share_memory(out, value):
                    node.leaf = parent.leaf
        if plan.fetch:
            _save(node, values, out)
        return Tensor(out, node)

    def _plan(self, key):
        count, live = key
        fetch = []

        def positions(vjp, i):
            needs = list(inspect.signature(vjp).parameters)
            sources = {n: self._source(n, i) for n in needs if n not in NOT_SAVED}
            fetch.extend(s for s in sources.values() if s not in fetch)
            return tuple(NOT_SAVED[n] if n in NOT_SAVED else fetch.index(sources[n]) for n in needs)

        first = self.vjps.get("g")
        first = first and (first, positions(first, 0))
        wanted = [(i, self.vjps[self.argument(i)]) for i in range(count) if live >> i & 1]
        steps = [(i, vjp, positions(vjp, i)) for i, vjp in wanted]
        plan = self.plans[key] = Plan(tuple(fetch), first, tuple(steps))
        return plan

    def _source(self, need, i):
        """Where the value called `need` comes from, as (kind, argument index)."""
        if need in self.names:
            return "value", self.names.index(need)
        if need in ("y", "i"):
            return need, i if need == "i" else 0
        name, _, kind = need.rpartition("_")
        return kind, self.names.index(name)

    def _known(self, need):
        name, _, kind = need.rpartition("_")
        return (
            need in [*self.names, "g", "y", "i"]
            or (need == "h" and "g" in self.vjps)
            or (name in self.names and kind in ("shape", "dtype"))
        )

    def argument(self, i):
        """The name of argument `i`."""
        return self.names[min(i, len(self.names) - 1)]

    def _check_dtype(self, args, expected, got):
        # not `in`: NumPy says np.dtype(np.float64) == None
        if (expected is None or expected == got) and (got in FLOATS or self.any_dtype):
            return got
        operands = ", ".join(describe(a) for a in args if hasattr(a, "dtype"))
        raise TypeError(
            f"{self.name}: expected float32 or float64 arrays, all of one dtype, got {operands}. "
            "Nothing is converted in silence: use x.astype(np.float32) or x.astype(np.float64)"
        )

    def _cuda_forward(self, values):
        if all(device_of(v) == "cuda" for v in values if is_array(v)):
            return self.cuda
        raise TypeError('move them to one device first with x.to("cuda") or x.to("cpu")')

    def _explain(self, args, error):
        operands = ", ".join(
            f"{self.argument(i)} = {describe(a)}"
            for i, a in enumerate(args)
            if is_array(a) or isinstance(a, Tensor) or not self.differentiable >> i & 1
        )
        kinds = (k for k in (IndexError, TypeError) if isinstance(error, k))
        return next(kinds, ValueError)(
            f"{self.name}: expected {self.expects}; got {operands} ({error})"
        )


def primitive(expects="arguments that fit together", dtypes=FLOATS, /, **vjps):
    """Make a function on arrays a primitive: ``@primitive("what it expects", x=vjp_of_x)``.

    `expects` completes the sentence "expected ..." of its error message; `dtypes` is `ANY_DTYPE`
    if integers are welcome. A primitive without VJPs returns constants.

    >>> @primitive("one array", x=lambda g, x: g * 3 * x * x)
    ... def cube(x):
    ...     return x**3
    >>> from minigrad import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """

    def decorate(forward):
        if not hasattr(forward, "__code__"):
            raise TypeError(
                f"primitive: expected a Python function, whose arguments have names, got "
                f"{forward!r}: wrap it, def f(x): return ..."
            )
        made = Primitive(forward, expects, dtypes, vjps)
        if forward.__code__.co_filename.startswith(PACKAGE):  # this library's own
            registry[made.name] = made
        return made

    return decorate


def override(name, device):
    """Replace the forward function of primitive `name` on `device` ("cpu" or "cuda").

    Only the forward: the VJPs stay, so a fast kernel cannot carry a wrong derivative, and
    ``registry[name].forward`` stays the specification that the kernel is tested against.
    """

    def decorate(kernel):
        setattr(registry[name], device, kernel)
        return kernel

    return decorate


# ---------------------------------------------------------------------- saving, noticing changes
def _save(node, values, out):
    saved, seals = [], []
    for kind, i in node.plan.fetch:
        if kind == "value":
            value = values[i]
            saved.append(value)
            if is_array(value):
                parent = node.parents[i]
                leaf = None if parent is None else parent.leaf
                if parent is None:  # a constant, which its owner may change: kept as it is now
                    saved[-1] = own_copy(value)
                elif leaf is not None and leaf.handed_out is not None:
                    seals.append((i, value, leaf, 0, checksum(value)))
                elif leaf is not None:
                    seals.append((i, value, leaf, leaf.version, None))
                # else the array is the engine's own: users only ever see it read-only
        elif kind == "y":
            saved.append(out)
        elif kind == "i":
            saved.append(i)
        else:
            saved.append(getattr(values[i], kind))
    node.saved, node.seals = saved, seals


def check_seals(node):
    """Raise RuntimeError if an array that `node` saved was changed since."""
    for i, value, leaf, version, seen in node.seals:
        if seen is not None:
            changed = checksum(value) != seen
        else:
            changed = leaf.version != version
            if leaf.handed_out is not None:
                array, then = leaf.handed_out
                changed |= checksum(array) != then
        if changed:
            name = node.primitive.name
            raise RuntimeError(
                f"backward of {name}{at(node)}: its saved argument {node.primitive.argument(i)}, "
                f"{describe(value)}, was changed after {name} had used it, so the gradient would "
                "be wrong: change arrays only after backward(), or give a copy"
            )


# ---------------------------------------------------------------------- broadcasting
@primitive("a shape that x broadcasts to", x=lambda g: g)  # the engine sums over what was stretched
def broadcast_to(x, shape):
    """`x` repeated along new axes and axes of length 1 until it has `shape` (a view).

    >>> broadcast_to(np.array([1.0, 2.0]), (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    return array_module(x).broadcast_to(x, shape)


@primitive("a shape that broadcasts to x's", x=lambda g, x_shape: broadcast_to(g, x_shape))
def sum_to(x, shape):
    """`x` summed over the axes that broadcasting from `shape` would stretch: the adjoint of
    `broadcast_to`.

    >>> sum_to(np.ones((3, 2)), (1, 2))
    array([[3., 3.]])
    """
    lead = x.ndim - len(shape)
    if lead < 0 or any(n not in (1, x.shape[i + lead]) for i, n in enumerate(shape)):
        raise ValueError(f"{shape} does not broadcast to {x.shape}")
    stretched = tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
    return x.sum(axis=(*range(lead), *stretched), keepdims=True).reshape(shape)


def unbroadcast(g, shape):
    """The gradient `g` brought back to `shape`, the shape of the argument it belongs to."""
    return g if g.shape == shape else sum_to(g, shape)
