"""Derivatives of functions, each made of a few walks: grad, vjp, jvp, hvp, jacobian.

They nest in each other to any depth. What a function is differentiated with respect to is a node of
its own, a copy of the input, so a function that uses the same Tensor from outside is not confused;
and where the result depends on something outside (an input that requires a gradient, or weights
that the function uses) the walks are recorded, and the result can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

from . import gradient
from .backend import Array, array_module, as_array, plain
from .shapes import broadcast_to, reshape, stack
from .state import Block, mode
from .tensor import Operand, Tensor, describe


@overload
def grad(
    output: Tensor | Sequence[Tensor],
    inputs: Tensor,
    grad_output: Any = ...,
    create_graph: bool = ...,
    retain_graph: bool | None = ...,
    allow_unused: bool = ...,
) -> Tensor: ...
@overload
def grad(
    output: Tensor | Sequence[Tensor],
    inputs: Iterable[Tensor],
    grad_output: Any = ...,
    create_graph: bool = ...,
    retain_graph: bool | None = ...,
    allow_unused: bool = ...,
) -> list[Tensor]: ...
@overload
def grad(
    output: Callable[..., Any], *, argnums: Sequence[int]
) -> Callable[..., tuple[Tensor, ...]]: ...
@overload
def grad(output: Callable[..., Any], *, argnums: int = ...) -> Callable[..., Tensor]: ...
def grad(
    output: Any, inputs: Any = None, *args: Any, argnums: int | Sequence[int] = 0, **options: Any
) -> Any:
    """``grad(y, x)`` is the gradient of the Tensor `output` by `inputs`: see
    `minigrad.gradient.grad`, which explains all further arguments. ``grad(f, argnums=0)`` of a
    function is the function that computes its gradient: see `value_and_grad`.

    Parameters
    ----------
    output : Tensor or callable
    inputs : Tensor or sequence of Tensors, default=None
        What is differentiated with respect to; not given for a function.
    *args, **options : as in `minigrad.gradient.grad`
        ``grad_output``, ``create_graph``, ``retain_graph``, ``allow_unused``.
    argnums : int or tuple of ints, default=0
        Of a function: with respect to which of its arguments.

    Returns
    -------
    Tensor, list of Tensors, or a function

    Examples
    --------
    >>> from minigrad import tensor
    >>> x = tensor(3.0, requires_grad=True)
    >>> grad(x * x, x).item(), grad(lambda x: x * x)(3.0).item()
    (6.0, 6.0)
    """
    if not callable(output):
        if inputs is None:
            raise TypeError(f"grad: name the inputs, the Tensors to derive {describe(output)} by")
        return gradient.grad(output, inputs, *args, **options)
    both = value_and_grad(output, argnums if inputs is None else inputs)
    return lambda *args, **options: both(*args, **options)[1]


@overload
def value_and_grad(
    f: Callable[..., Any], argnums: Sequence[int]
) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]: ...
@overload
def value_and_grad(
    f: Callable[..., Any], argnums: int = ...
) -> Callable[..., tuple[Tensor, Tensor]]: ...
def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Any:
    """The function ``(*args) -> (f(*args), gradient by argument number argnums)``.

    `f` returns a single number. `argnums` is an integer, or several for as many gradients in a
    tuple; these arguments are Tensors, arrays or numbers of floating dtype. Gradients can be
    nested, and what else `f` uses that requires a gradient stays connected.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of ints, default=0

    Returns
    -------
    a function

    Examples
    --------
    >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)
    >>> grad(grad(lambda x: x**3))(2.0).item()
    12.0
    """
    several = isinstance(argnums, list | tuple)
    places: list[Any] = list(argnums) if several else [argnums]  # type: ignore[arg-type]

    def function(*args: Any, **options: Any) -> Any:
        def of_chosen(*chosen: Any) -> Any:
            every = list(args)
            for i, x in zip(places, chosen, strict=True):
                every[i] = x
            return f(*every, **options)

        leaves, y, outside = _evaluated(of_chosen, [args[i] for i in places])
        grads = tuple(_grad_or_zero(y, leaves, None, create_graph=outside))
        return y if outside else y.detach(), grads if several else grads[0]

    return function


def vjp(
    f: Callable[..., Any], *inputs: Operand
) -> tuple[Tensor, Callable[[Operand], list[Tensor]]]:
    """The value of ``f(*inputs)`` and its pullback: ``g -> [g^T J_1, g^T J_2, ...]``.

    Parameters
    ----------
    f : callable
        Of Tensors, returning a Tensor.
    *inputs : Tensors or arrays of floats

    Returns
    -------
    value, pullback : a Tensor, and a function from a gradient of its shape to a list

    Examples
    --------
    >>> import numpy as np
    >>> y, pullback = vjp(lambda a, b: a * b, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pullback(np.array([1.0, 1.0]))
    [tensor([3., 4.]), tensor([1., 2.])]
    """
    leaves, y, outside = _evaluated(f, inputs)

    def pullback(g: Operand) -> list[Tensor]:
        again = mode.get().recording and (outside or getattr(g, "requires_grad", False))
        return _grad_or_zero(y, leaves, g, create_graph=again, retain_graph=True)

    return y, pullback


def jvp(
    f: Callable[..., Any], inputs: Sequence[Operand], tangents: Sequence[Operand]
) -> tuple[Tensor, Tensor]:
    """The value of ``f(*inputs)`` and its derivative along `tangents`, J_1 t_1 + J_2 t_2 + ...

    The pullback g -> g^T J is linear in g, and the VJP of a linear map is its transpose: two
    reverse passes make a forward one (J. Townsend, "A new trick for calculating Jacobian vector
    products", 2017).

    Parameters
    ----------
    f : callable
        Of Tensors, returning a Tensor.
    inputs : sequence of Tensors or arrays
    tangents : sequence of arrays of the shapes of `inputs`

    Returns
    -------
    value, derivative : two Tensors of one shape

    Examples
    --------
    >>> import numpy as np
    >>> y, dy = jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 10.0])])
    >>> dy
    tensor([ 2., 40.])
    """
    leaves, y, outside = _evaluated(f, inputs)
    outside = outside or (mode.get().recording and _any_requires_grad(tangents))
    with Block(recording=True):
        g = _fresh(array_module(y._data).zeros_like(y._data))
        rows = _grad_or_zero(y, leaves, g, create_graph=True)
    used = [(row, t) for row, t in zip(rows, tangents, strict=True) if row.requires_grad]
    if not used:
        dy = g.detach()
    else:
        rows, tangents = (list(column) for column in zip(*used, strict=True))
        (dy,) = _grad_or_zero(rows, [g], list(map(_tensor, tangents)), create_graph=outside)
    return (y, dy) if outside else (y.detach(), dy)


def hvp(f: Callable[[Any], Any], x: Operand, v: Operand) -> Tensor:
    """The product of the Hessian of a scalar function `f` at `x` with `v`, without the Hessian.

    Parameters
    ----------
    f : callable
        Of one Tensor, returning a Tensor of one element.
    x : Tensor or array of floats
    v : Tensor or array of the shape of `x`

    Returns
    -------
    Tensor of the shape of `x`

    Examples
    --------
    >>> import numpy as np
    >>> hvp(lambda x: (x * x * x).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    tensor([ 6., 12.])
    """
    (leaf,), y, outside = _evaluated(f, [x])
    outside = outside or (mode.get().recording and _any_requires_grad([v]))
    with Block(recording=True):
        (slope,) = _grad_or_zero(y, [leaf], None, create_graph=True)
    return _grad_or_zero(slope, [leaf], _tensor(v), create_graph=outside)[0]


def jacobian(f: Callable[[Any], Any], x: Operand) -> Tensor:
    """All derivatives of ``f(x)``: an array of shape ``y.shape + x.shape``, one walk per element.

    Parameters
    ----------
    f : callable
        Of one Tensor, returning a Tensor.
    x : Tensor or array of floats

    Returns
    -------
    Tensor of shape ``y.shape + x.shape``

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: x * x, np.array([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    y, pullback = vjp(f, x)
    xp = array_module(y._data)
    rows = []
    for k in range(y.size):
        one = xp.zeros(y.size, y.dtype)
        one[k] = 1
        rows.append(pullback(one.reshape(y.shape))[0])
    shape = (*y.shape, *_tensor(x).shape)
    return reshape(stack(rows), shape) if rows else Tensor(xp.zeros(shape, y.dtype))


def _evaluated(f: Callable[..., Any], inputs: Iterable[Any]) -> tuple[list[Tensor], Tensor, bool]:
    """Copies of the `inputs` to differentiate with respect to, ``f`` of them, and whether its
    derivatives have to be recorded, since they depend on something outside."""
    within = mode.get().recording  # under no_grad the results are constants, but not zero
    with Block(recording=True):
        inputs = [_tensor(x) for x in inputs]
        nested = [within and x.requires_grad for x in inputs]
        leaves = [
            broadcast_to(x, x.shape) if outer else _fresh(x._data)  # a node of its own
            for x, outer in zip(inputs, nested, strict=True)
        ]
        y = f(*leaves)
    if not isinstance(y, Tensor):
        if isinstance(y, list | tuple | dict | None):
            raise TypeError(
                f"the function to differentiate returned {describe(y)}, expected one Tensor: "
                "concatenate() its results, or differentiate one at a time"
            )
        y = Tensor(as_array(y))
    own = {leaf.node for leaf in leaves}
    outside = within and y.requires_grad
    if outside:
        leaf_nodes = (node for node in gradient.reachable([y]) if node.primitive is None)
        outside = any(node not in own for node in leaf_nodes)
    return leaves, y, outside


def _any_requires_grad(tensors: Iterable[Any]) -> bool:
    return any(isinstance(t, Tensor) and t.requires_grad for t in tensors)


def _tensor(x: Operand) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(as_array(plain(x)))


def _fresh(array: Array) -> Tensor:
    """A leaf with the values of `array`, so that nothing leaks into the caller's graph."""
    leaf = Tensor(array)
    leaf.requires_grad = True
    return leaf


def _grad_or_zero(output: Any, inputs: Sequence[Tensor], g: Any, **options: Any) -> list[Tensor]:
    """`gradient.grad` as a list, with zeros where the output does not depend on an input."""
    depends = _any_requires_grad(output if isinstance(output, list) else [output])
    found = [None] * len(inputs)
    if depends:
        found = gradient.grad(output, inputs, g, allow_unused=True, **options)
    return [
        Tensor(array_module(x._data).zeros_like(x._data)) if d is None else d
        for x, d in zip(inputs, found, strict=True)
    ]
