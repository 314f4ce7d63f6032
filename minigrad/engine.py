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
for functions of any number of arrays.) Work that several VJPs need is done once, by a function that
``shared=`` names with its results: after ``shared=(f, "dz", "db")`` ``f`` runs before the VJPs, and
they may ask for its two results as ``dz`` and ``db``. Fused layers use it (``fused.py``).

A VJP is ordinary code over operators and other primitives. The engine hands it arrays, which is
fast, or Tensors (``create_graph=True``), which records it: the same line serves every order.

What holds for all operations is done once, here and in ``gradient.py``, which walks the graph:
summing over broadcast axes, the order of accumulation, checks of dtype and shape, leaving out what
needs no gradient, freeing saved arrays, noticing that one was changed, naming the user's line.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from sys import modules
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    overload,
)

import numpy as np
from numpy import ndarray

from .backend import FLOATS, Array, any_cuda, device_of, is_array, plain, share_memory, type_name
from .node import Node
from .seals import read_only, save, seal_view
from .state import PACKAGE, Around, call_site, mode
from .tape import Tape
from .tensor import Plain, T, Tensor, describe

Function: TypeAlias = Callable[..., Any]
F = TypeVar("F", bound=Function)

registry: dict[
    str, Primitive
] = {}  # name -> Primitive: the complete list, which the tests go through
_BOOL, (_FLOAT32, _FLOAT64) = np.dtype(bool), FLOATS
_NUMBERS = np.generic, int, float
ANY_DTYPE = "any"  # for primitives that only move values about


class Plan(NamedTuple):
    """What a Node saves and which functions its backward step calls, for one pattern of wanted
    gradients. Their arguments are given as positions in the list ``[g, *saved, *shared]``."""

    fetch: tuple[tuple[str, int], ...]  # ((kind, argument index), ...): the values to save
    shared: (
        tuple[Function, tuple[int, ...]] | None
    )  # (the function whose results the VJPs share, positions) or None
    steps: tuple[
        tuple[int, Function, tuple[int, ...]], ...
    ]  # ((argument index, vjp, positions), ...)


class Primitive:
    """A function on arrays and its VJPs; see the top of this file."""

    def __init__(
        self,
        forward: Function,
        expects: str,
        dtypes: object,
        shared: Sequence[Any],
        vjps: dict[str, Function],
    ) -> None:
        functools.update_wrapper(self, forward)
        self.forward = self.cpu = self.cuda = forward
        self.name = self.__name__ = forward.__name__.strip("_")
        self.expects, self.vjps = expects, vjps
        self.plans: dict[tuple[int, int], Plan] = {}
        self.any_dtype, self.is_own = dtypes is ANY_DTYPE, False
        signature = inspect.signature(forward)
        parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        # what help() shows: Tensors are as welcome as the arrays of which the annotations speak
        self.__signature__ = inspect.Signature(parameters)
        self.names = [p.name for p in parameters]
        self.defaults = tuple(p.default for p in parameters)
        self.variadic = parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
        self.count = None if self.variadic else len(parameters)
        self.required = sum(d is inspect.Parameter.empty for d in self.defaults)
        self.differentiable = sum(
            (-1 << i if self.variadic and i == len(parameters) - 1 else 1 << i)
            for i, name in enumerate(self.names)
            if name in vjps
        )
        self.shared, *self.shared_names = shared
        for name, vjp in [("shared", self.shared), *vjps.items()]:
            needs = _parameters(vjp) if vjp else []
            unknown = [n for n in needs if self._source(n, 0) is None]
            if unknown or name not in [*self.names, "shared"]:
                raise TypeError(
                    f"primitive {self.name}({', '.join(self.names)}): the VJP for {name} asks for "
                    f"{', '.join(needs)}; it can have g, y, the arguments by name, their shapes "
                    "and dtypes as name_shape and name_dtype, and the names given to shared="
                )

    def __call__(self, *args: Any, **options: Any) -> Any:
        if options or (len(args) != self.count and not self.variadic):
            args = self._bind(args, options)
        for a in args:
            if type(a) is ndarray:
                continue
            if isinstance(a, Tensor):
                return self._record(args)
            if isinstance(a, ndarray):
                args = tuple(map(self._plain, args))
        return self._run(args, args, mode.get().around)

    def __repr__(self) -> str:
        return f"<primitive {self.name}{inspect.signature(self)}>"

    def __reduce__(self) -> str:
        """Copies are the primitive itself, and pickles hold its name, as those of functions."""
        return self.forward.__qualname__

    def _bind(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        if not options and self.required <= len(args) <= len(self.names):
            return (*args, *self.defaults[len(args) :])
        bound = [*args, *self.defaults[len(args) :]]
        for name, value in options.items():
            if name not in self.names[len(args) :]:
                raise TypeError(f"{self.name}: unexpected argument {name!r}, see help({self.name})")
            bound[self.names.index(name)] = value
        missing = len(args) < self.required and any(b is inspect.Parameter.empty for b in bound)
        if missing or len(bound) > len(self.names):
            raise TypeError(f"{self.name} takes {', '.join(self.names)}: got {len(args)} arguments")
        return bound

    def _run(self, values: Sequence[Any], args: Sequence[Any], around: Around | None) -> Array:
        try:
            cuda = "cupy" in modules and any_cuda(values)
            forward = self._cuda_forward(values) if cuda else self.cpu
            if around is None:
                out = forward(*values)
            elif isinstance(around, Tape):
                out = around.forward(forward, values, args, self.name)
            else:
                out = around(self, None, "forward", forward, values)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise self._explain(args, error) from None
        if type(out) is ndarray:
            return out
        if isinstance(out, _NUMBERS):
            return np.asarray(out)
        if is_array(out):
            return out
        raise TypeError(
            f"{self.name}: its function returned {describe(out)}, a primitive returns one array: "
            "make a primitive of each result"
        )

    def _record(self, args: Sequence[Any]) -> Tensor:
        values, live, dtype = list(args), 0, None
        parents: list[Node | None] = [None] * len(args)
        differentiable, now = self.differentiable, mode.get()
        own = self.is_own and now.around is None  # no function that may keep or change its arrays
        for i, a in enumerate(args):
            v = a
            if isinstance(a, Tensor):
                v = values[i] = a._array if own else a._data
                if a.node is not None:
                    parents[i] = a.node
                    live |= 1 << i
            elif isinstance(a, ndarray) and type(a) is not ndarray:
                a = v = values[i] = self._plain(a)
            if differentiable >> i & 1:
                if type(v) is ndarray or is_array(v):
                    got = v.dtype
                    if got is not dtype and not (got is _BOOL and v is a):
                        if dtype is not None or (got is not _FLOAT32 and got is not _FLOAT64):
                            self._check_dtype(args, dtype, got)
                        dtype = got
                elif isinstance(v, np.generic) and v.dtype.kind in "biuf":
                    # numbers are weak: they never change the dtype (a long double's item() is one)
                    values[i] = float(v) if v.dtype.kind == "f" else v.item()
                elif not isinstance(v, (int, float)):
                    raise self._no_array(i, a)
        out = self._run(values, args, now.around)
        view = out.base is not None
        for v in values:
            view = view or v is out
        live &= differentiable
        if not live or not now.recording:
            if not own:
                return Tensor(read_only(out, args) if view else out)
            return self._constant(args, values, out, view)
        key = (len(args), live)
        plan = self.plans.get(key) or self._plan(key)
        node = Node(self, parents, plan, call_site(), out.shape, out.dtype)
        if view:
            seal_view(node, out, values)
        if plan.fetch:
            save(node, args, values, out)
        return Tensor(out, node)

    def _constant(
        self, args: Sequence[Any], values: Sequence[Any], out: Array, view: bool
    ) -> Tensor:
        """The result `out` of an operation that is not recorded; `view` where it may use the memory
        of another array."""
        if view:
            seen = [
                a
                for a in args
                if isinstance(a, Tensor) and a._lent is not None and share_memory(out, a._array)
            ]
            if seen:  # they are given out with their view
                for a in seen:
                    _ = a._data
                return self._record(args)
            out = read_only(out, args)
            view = any(type(v) is ndarray and np.may_share_memory(out, v) for v in values)
        made = Tensor(out)
        made._lent = None if view or type(out) is not ndarray else False
        return made

    def _plan(self, key: tuple[int, int]) -> Plan:
        count, live = key
        calls = [(i, self.vjps[self.argument(i)]) for i in range(count) if live >> i & 1]
        if self.shared:
            calls.insert(0, (0, self.shared))
        sources = [[self._source(need, i) for need in _parameters(f)] for i, f in calls]
        wanted = dict.fromkeys(source for some in sources for source in some)
        fetch = [source for source in wanted if source[0] not in ("g", "shared")]
        known = [("g", 0), *fetch, *(("shared", k) for k in range(len(self.shared_names)))]
        steps = [
            (i, function, tuple(map(known.index, some)))
            for (i, function), some in zip(calls, sources, strict=True)
        ]
        shared = steps.pop(0)[1:] if self.shared else None
        plan = self.plans[key] = Plan(tuple(fetch), shared, tuple(steps))
        return plan

    def _source(self, need: str, i: int) -> Any:
        """Where the value that the VJP of argument `i` calls `need` comes from, as (kind, index);
        None if there is no such value."""
        if need in self.names:
            return "value", self.names.index(need)
        if need in ("g", "y", "i"):
            return need, i if need == "i" else 0
        if need in self.shared_names:
            return "shared", self.shared_names.index(need)
        name, _, kind = need.rpartition("_")
        if name in self.names and kind in ("shape", "dtype"):
            return kind, self.names.index(name)
        return None

    def argument(self, i: int) -> str:
        """The name of argument `i`."""
        return self.names[min(i, len(self.names) - 1)]

    def _check_dtype(self, args: Sequence[Any], expected: object, got: object) -> None:
        if (expected is None or expected == got) and (got in FLOATS or self.any_dtype):
            return
        operands = ", ".join(describe(a) for a in args if hasattr(a, "dtype"))
        raise TypeError(
            f"{self.name}: expected float32 or float64 arrays, all of one dtype, got {operands}. "
            "Nothing is converted in silence: use x.astype(np.float32) or x.astype(np.float64)"
        )

    def _cuda_forward(self, values: Sequence[Any]) -> Function:
        if all(device_of(v) == "cuda" for v in values if is_array(v)):
            return self.cuda
        raise TypeError('move them to one device first with x.to("cuda") or x.to("cpu")')

    def _plain(self, a: Any) -> Any:
        try:
            return plain(a)
        except TypeError as error:
            raise TypeError(f"{self.name}: got {error}") from None

    def _no_array(self, i: int, a: object) -> TypeError:
        return TypeError(
            f"{self.name}: argument {self.argument(i)} is a {type_name(a)}, expected a Tensor or "
            "an array: wrap it with tensor(...)"
        )

    def _explain(self, args: Sequence[Any], error: Exception) -> Exception:
        accepted = Tensor, ndarray, *_NUMBERS
        for i, a in enumerate(args):
            if self.differentiable >> i & 1 and not (isinstance(a, accepted) or is_array(a)):
                return self._no_array(i, a)
        if isinstance(error, AttributeError):
            mask = self.differentiable or -1  # without derivatives all arguments are arrays
            arrays = any(mask >> i & 1 and hasattr(a, "ndim") for i, a in enumerate(args))
            return error if arrays else self._no_array(0, args[0])
        operands = ", ".join(
            f"{self.argument(i)} = {describe(a)}"
            for i, a in enumerate(args)
            if is_array(a) or isinstance(a, Tensor) or not self.differentiable >> i & 1
        )
        kinds = (k for k in (IndexError, TypeError) if isinstance(error, k))
        return next(kinds, ValueError)(
            f"{self.name}: expected {self.expects}; got {operands} ({error})"
        )


def _is_own(function: Function) -> bool:
    """Whether a function is this library's: it does not keep or change the arrays it is given."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith(PACKAGE)


def _parameters(function: Function) -> list[str]:
    return list(inspect.signature(function).parameters)


# What @primitive makes of a function on arrays, f(x, *settings) -> y: the same for Tensors.
P = ParamSpec("P")
if TYPE_CHECKING:

    class OfOne(Primitive, Generic[P]):
        """A primitive of one array."""

        def __call__(self, x: T | Array, *settings: P.args, **named: P.kwargs) -> T: ...

    class OfTwo(Primitive, Generic[P]):
        """A primitive of two arrays, or of an array and a number."""

        def __call__(
            self, a: T | Plain, b: T | Plain, *settings: P.args, **named: P.kwargs
        ) -> T: ...

    class OfThree(Primitive, Generic[P]):
        """A primitive of three arrays."""

        def __call__(
            self, a: T | Plain, b: T | Plain, c: T | Plain, *settings: P.args, **named: P.kwargs
        ) -> T: ...

    class Decorator(Protocol):
        """It tells by the first arguments that are arrays how many there are."""

        @overload
        def __call__(
            self, f: Callable[Concatenate[Array, Array, Array, P], Array]
        ) -> OfThree[P]: ...
        @overload
        def __call__(self, f: Callable[Concatenate[Array, Array, P], Array]) -> OfTwo[P]: ...
        @overload
        def __call__(self, f: Callable[Concatenate[Array, P], Array]) -> OfOne[P]: ...
        @overload
        def __call__(self, f: Function) -> Primitive: ...


@overload
def primitive(
    expects: str = ..., dtypes: object = ..., /, *, x: Function = ...
) -> Callable[[Callable[Concatenate[Array, P], Array]], OfOne[P]]: ...
@overload
def primitive(
    expects: str = ..., dtypes: object = ..., /, *, y: Function
) -> Callable[[Callable[Concatenate[Array, P], Array]], OfOne[P]]: ...
@overload
def primitive(
    expects: str = ..., dtypes: object = ..., /, shared: Sequence[Any] = ..., **vjps: Function
) -> Decorator: ...
def primitive(
    expects: str = "arguments that fit together",
    dtypes: object = FLOATS,
    /,
    shared: Sequence[Any] = (None,),
    **vjps: Function,
) -> Any:
    """Make a function on arrays a primitive: ``@primitive("what it expects", x=vjp_of_x)``.

    `expects` completes the sentence "expected ..." of its error message; `dtypes` is `ANY_DTYPE`
    if integers are welcome. `shared` is a function whose results several VJPs need, and their
    names. A primitive without VJPs returns constants.

    Parameters
    ----------
    expects : str
    dtypes : tuple of dtypes or ANY_DTYPE, default=float32 and float64
    shared : tuple of a function and the names of its results, default=(None,)
    **vjps : callables
        By the name of the argument that each is the VJP of.

    Returns
    -------
    a decorator for the function on arrays

    Examples
    --------
    >>> @primitive("one array", x=lambda g, x: g * 3 * x * x)
    ... def cube(x):
    ...     return x**3
    >>> from minigrad import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """

    def decorate(forward: Function) -> Primitive:
        if not hasattr(forward, "__code__"):
            raise TypeError(
                f"primitive: expected a Python function, whose arguments have names, got "
                f"{forward!r}: wrap it, def f(x): return ..."
            )
        made = Primitive(forward, expects, dtypes, shared, vjps)
        if _is_own(forward):
            registry[made.name], made.is_own = made, True
        return made

    return decorate


def override(name: str, device: str) -> Callable[[F], F]:
    """Replace the forward function of primitive `name` on `device` ("cpu" or "cuda").

    Only the forward: the VJPs stay, so a fast kernel cannot carry a wrong derivative, and
    ``registry[name].forward`` stays the specification that the kernel is tested against.

    Parameters
    ----------
    name : str
        Of a primitive in ``registry``.
    device : {"cpu", "cuda"}

    Returns
    -------
    a decorator for the function that takes the place
    """

    def decorate(kernel: F) -> F:
        setattr(registry[name], device, kernel)
        registry[name].is_own &= _is_own(kernel)
        return kernel

    return decorate
