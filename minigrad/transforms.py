"""Functions made of functions: the gradient of a function is a function again, as in JAX."""

from . import gradient
from .backend import array_module, as_array
from .shapes import broadcast_to
from .tensor import Tensor, describe


def grad(output, inputs=None, *args, argnums=0, **options):
    """``grad(y, x)`` is the gradient of the Tensor `output` by `inputs`: see
    `minigrad.gradient.grad`, which explains all further arguments. ``grad(f, argnums=0)`` of a
    function is the function that computes its gradient: see `value_and_grad`.

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


def value_and_grad(f, argnums=0):
    """The function ``(*args) -> (f(*args), gradient by argument number argnums)``.

    `f` returns a single number. `argnums` is an integer, or several for as many gradients in a
    tuple; these arguments are Tensors, arrays or numbers of floating dtype. Gradients can be
    nested, and what else `f` uses that requires a gradient stays connected.

    >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)
    >>> grad(grad(lambda x: x**3))(2.0).item()
    12.0
    """
    several = isinstance(argnums, list | tuple)
    places = list(argnums) if several else [argnums]

    def function(*args, **options):
        args, variables, leaves = list(args), [], set()
        for i in places:
            x = args[i] if isinstance(args[i], Tensor) else Tensor(as_array(args[i]))
            if not x.requires_grad:
                x = Tensor(x._data)
                x.requires_grad = True
                leaves.add(x.node)
            args[i] = broadcast_to(x, x.shape)  # a node of its own, also where x is used elsewhere
            variables.append(args[i])
        if not all(x.requires_grad for x in variables):
            raise RuntimeError(
                "grad of a function: nothing is recorded under no_grad(): call it outside"
            )
        y = f(*args, **options)
        found, nested = [None] * len(variables), False
        if isinstance(y, Tensor) and y.requires_grad:
            nested = _uses_more(y, leaves)
            found = gradient.grad(y, variables, create_graph=nested, allow_unused=True)
            y = y if nested else Tensor(y._data)
        grads = tuple(
            Tensor(array_module(x._data).zeros_like(x._data)) if g is None else g
            for x, g in zip(variables, found, strict=True)
        )
        return y, grads if several else grads[0]

    return function


def _uses_more(y, own):
    """Whether `y` depends on leaves of the caller, and not only on the leaves `own` made here."""
    stack, seen = [y.node], set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(p for p in node.parents if p is not None)
            if node.primitive is None and node not in own:
                return True
    return False
