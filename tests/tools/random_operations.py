"""The operations that random graphs are made of: each as source code for minigrad and for PyTorch.

An operation is a function of the graph so far. It picks operands, whose names stand for arrays,
and returns the two sources, or raises `NothingFits`. A new operation of minigrad needs a line in a
table or a function here.
"""

import numpy as np
from random_indices import random_index

operations = {}  # name -> function(graph) -> (source for minigrad, source for PyTorch)


class NothingFits(Exception):
    """The graph has no operands for an operation."""


def operation(make):
    """Add the function that is decorated to the list."""
    operations[make.__name__] = make
    return make


def _templates(kind, table, pick):
    """One operation for every row of a table of sources with {x} in place of the operand."""
    for mine, theirs in table:
        name = f"{kind}: {mine}"

        def make(graph, mine=mine, theirs=theirs):
            x = pick(graph)
            return (mine.replace("{x}", x), theirs.replace("{x}", x))

        operations[name] = make


# ---------------------------------------------------------------------- one operand
SMOOTH = [
    ("mg.exp(-{x} * {x})", "torch.exp(-{x} * {x})"),
    ("mg.log(1.5 + {x} * {x})", "torch.log(1.5 + {x} * {x})"),
    ("mg.sqrt(0.5 + {x} * {x})", "torch.sqrt(0.5 + {x} * {x})"),
    ("mg.tanh({x})", "torch.tanh({x})"),
    ("{x}.tanh()", "{x}.tanh()"),
    ("mg.sigmoid({x})", "torch.sigmoid({x})"),
    ("mg.softplus({x})", "F.softplus({x}, threshold=1e9)"),
    ("mg.negative({x})", "torch.neg({x})"),
    ("mg.sin({x}) * mg.cos({x})", "torch.sin({x}) * torch.cos({x})"),
    ("mg.log1p({x} * {x})", "torch.log1p({x} * {x})"),
    ("mg.expm1(-{x} * {x})", "torch.expm1(-{x} * {x})"),
    ("mg.silu({x}) + mg.log_sigmoid({x})", "F.silu({x}) + F.logsigmoid({x})"),
    ("mg.gelu({x})", "F.gelu({x})"),
    ("mg.gelu({x}, 'tanh')", "F.gelu({x}, approximate='tanh')"),
    ("mg.cumsum({x})", "torch.cumsum({x}.reshape(-1), 0)"),
    ("mg.norm(2 + mg.tanh({x}))", "torch.linalg.vector_norm(2 + torch.tanh({x}))"),
    ("mg.prod(mg.tanh({x}))", "torch.prod(torch.tanh({x}))"),
    ("mg.unsqueeze(mg.squeeze({x}), 0)", "torch.unsqueeze(torch.squeeze({x}), 0)"),
    ("mg.einsum('...,...->...', {x}, {x})", "{x} * {x}"),
    ("{x} ** 2", "{x} ** 2"),
    ("{x} ** 3.0", "{x} ** 3.0"),
    ("(0.5 + {x} * {x}) ** -1", "(0.5 + {x} * {x}) ** -1"),
    ("mg.power(1.5, {x})", "torch.pow(1.5, {x})"),
    ("np.float64(2.0) * {x}", "2.0 * {x}"),
    ("{x} / np.float32(4.0)", "{x} / 4.0"),
    ("3 - {x}", "3 - {x}"),
    ("1 / (2 + {x} * {x})", "1 / (2 + {x} * {x})"),
    ("mg.astype({x}, np.float64)", "{x}.to(torch.float64)"),
    ("mg.reshape({x}, -1)", "{x}.reshape(-1)"),
    ("mg.transpose({x})", "{x}.permute(tuple(range({x}.ndim))[::-1])"),
    ("{x}.T + {x}.T", "2 * {x}.permute(tuple(range({x}.ndim))[::-1])"),
    ("{x}.sum()", "{x}.sum()"),
    ("{x}.detach() * {x}", "{x}.detach() * {x}"),
    ("mg.sum_to({x} + np.zeros((2, *{x}.shape)), {x}.shape)", "2.0 * {x}"),
]
KINKED = [  # where a value is within rounding of the kink, the two may be on different sides
    # torch.abs is not used: its second derivative imports the whole of torch._dynamo
    ("mg.relu({x})", "F.relu({x})"),
    ("mg.leaky_relu({x}, 0.1)", "F.leaky_relu({x}, 0.1)"),
    # at 0 itself the second derivative of elu has two sides; PyTorch takes the other
    ("mg.elu({x} + 0.0137, 0.5)", "F.elu({x} + 0.0137, 0.5)"),
    ("mg.hard_sigmoid({x}, 0.37)", "torch.clamp(0.37 * {x} + 0.5, 0, 1)"),
    ("{x} % 0.73", "torch.remainder({x}, 0.73)"),
    ("mg.sort({x}.reshape(-1))", "torch.sort({x}.reshape(-1), stable=True)[0]"),
    ("mg.abs({x})", "{x} * torch.sign({x}).detach()"),
    ("abs({x})", "{x} * torch.sign({x}).detach()"),
    ("{x} * mg.sign({x})", "{x} * torch.sign({x})"),
    ("mg.clip({x}, low=0.0)", "torch.clamp({x}, min=0.0)"),
    ("mg.where({x} > 0, {x} * {x}, 0.0)", "torch.where({x} > 0, {x} * {x}, 0.0)"),
    ("mg.maximum({x}, 0.0)", "torch.maximum({x}, torch.zeros(()).double())"),
    ("{x}.min()", "torch.amin({x})"),
    ("{x}.max()", "torch.amax({x})"),
]
_templates("smooth", SMOOTH, lambda graph: graph.pick(lambda x: True))
_templates("kinked", KINKED, lambda graph: graph.pick(lambda x: graph.is_exact(x) and x.numel()))


@operation
def indexing(graph):
    x = graph.pick(lambda x: True)
    mine, theirs = random_index(graph.rng, graph.shape(x))
    graph.indexed(graph.shape(x), theirs)
    if "mg." not in mine and graph.rng.random() < 0.3:
        return f"mg.getitem({x}, np.s_[{mine}])", f"chosen({x}, np.s_[{theirs}])"
    return f"{x}[{mine}]", f"chosen({x}, np.s_[{theirs}])"


@operation
def scattering(graph):
    shape = graph.some_shape()
    _, index = random_index(graph.rng, shape)
    chosen = graph.indexed(shape, index)
    x = graph.pick(lambda x: x.numel() and graph.fits(x, chosen))
    x, theirs = f"mg.broadcast_to({x}, {chosen})", f"torch.broadcast_to({x}, {chosen})"
    return (
        f"mg.scatter({x}, np.s_[{index}], {shape})",
        f"placed({theirs}, np.s_[{index}], {shape})",
    )


@operation
def reshaping(graph):
    x = graph.pick(lambda x: x.numel())
    factors, rest = [], graph.size(x)
    while rest > 1:
        n = graph.rng.choice([n for n in range(2, rest + 1) if rest % n == 0])
        factors.append(int(n))
        rest //= int(n)
    factors.insert(graph.rng.integers(0, len(factors) + 1), 1)
    shape = ", ".join(map(str, factors))
    form = graph.rng.choice([f"{x}.reshape({shape})", f"mg.reshape({x}, ({shape},))"])
    return form, f"{x}.reshape({shape})"


@operation
def transposing(graph):
    x = graph.pick(lambda x: x.ndim > 1)
    n = len(graph.shape(x))
    axes = [int(k) - n * int(graph.rng.integers(0, 2)) for k in graph.rng.permutation(n)]
    form = graph.rng.choice([f"{x}.transpose(*{axes})", f"mg.transpose({x}, {tuple(axes)})"])
    return form, f"{x}.permute({axes})"


@operation
def broadcasting(graph):
    x = graph.pick(lambda x: x.ndim < 4 and x.numel() < 20)
    shape = [n if n != 1 or graph.rng.random() < 0.5 else 3 for n in graph.shape(x)]
    shape = (*graph.rng.integers(1, 3, graph.rng.integers(0, 2)).tolist(), *shape)
    return f"mg.broadcast_to({x}, {shape})", f"torch.broadcast_to({x}, {shape})"


@operation
def reducing(graph):
    name = str(graph.rng.choice(["sum", "mean", "var", "logsumexp", "max", "min"]))
    extreme = name in ("max", "min")
    x = graph.pick(lambda x: x.ndim and x.numel() and (graph.is_exact(x) or not extreme))
    n = len(graph.shape(x))
    axes = [int(k) - n * int(graph.rng.integers(0, 2)) for k in graph.rng.permutation(n)]
    axes = tuple(axes[: graph.rng.integers(1, n + 1)])
    axis = str(axes[0] if len(axes) == 1 else graph.rng.choice([str(axes), "None"]))
    dim = str(tuple(range(n))) if axis == "None" else axis
    keep = bool(graph.rng.integers(0, 2))
    ddof, correction = ("", ", correction=0") if name == "var" else ("", "")
    if name == "var" and graph.size(x) > 1 and axis == "None":
        ddof, correction = ", ddof=1", ", correction=1"
    theirs = {"max": "amax", "min": "amin"}.get(name, name)
    call = f"{x}.{name}(" if graph.rng.random() < 0.3 else f"mg.{name}({x}, "
    return (
        f"{call}axis={axis}, keepdims={keep}{ddof})",
        f"torch.{theirs}({x}, dim={dim}, keepdim={keep}{correction})",
    )


@operation
def normalising(graph):
    x = graph.pick(lambda x: x.ndim and x.numel())
    n = len(graph.shape(x))
    name, axis = graph.rng.choice(["softmax", "log_softmax"]), graph.rng.integers(-n, n)
    return f"mg.{name}({x}, axis={axis})", f"torch.{name}({x}, dim={axis})"


@operation
def padding(graph):
    x = graph.pick(lambda x: x.numel() < 30 and x.ndim)
    widths = [tuple(graph.rng.integers(0, 2, 2).tolist()) for _ in graph.shape(x)]
    flat = [w for pair in widths[::-1] for w in pair]
    value = graph.rng.choice(["0.0", "0.5"])
    return f"mg.pad({x}, {widths}, value={value})", f"F.pad({x}, {flat}, value={value})"


# ---------------------------------------------------------------------- several operands
PAIRS = [
    ("{x} + {y}", "{x} + {y}"),
    ("{x} - {y}", "{x} - {y}"),
    ("{x} * {y}", "{x} * {y}"),
    ("mg.multiply({x}, {y})", "torch.mul({x}, {y})"),
    ("{x} / (1.5 + {y} * {y})", "{x} / (1.5 + {y} * {y})"),
    ("mg.divide({x}, 2 + mg.tanh({y}))", "torch.div({x}, 2 + torch.tanh({y}))"),
    # no exponent is 0, where PyTorch's own mixed second derivative is wrong: 0 for 1 / x
    ("(1 + {x} * {x}) ** (1.1 + mg.tanh({y}))", "(1 + {x} * {x}) ** (1.1 + torch.tanh({y}))"),
]


@operation
def arithmetic(graph):
    x, mine, theirs = graph.pair()
    form = PAIRS[graph.rng.integers(0, len(PAIRS))]
    if "tanh" in form[0] or graph.rng.random() < 0.7:
        operands = (x, mine), (x, theirs)
    else:
        operands = (mine, x), (theirs, x)
    if "tanh" in form[0] and mine not in graph.values:
        raise NothingFits("the tanh of a constant is an array or a number, with no graph")
    return tuple(f.format(x=a, y=b) for f, (a, b) in zip(form, operands, strict=True))


@operation
def comparing(graph):
    x = graph.pick(lambda x: graph.is_exact(x))
    y = graph.pick(lambda y: graph.is_exact(y) and graph.broadcasts(x, y), x)
    name = graph.rng.choice(["maximum", "minimum"])
    return f"mg.{name}({x}, {y})", f"torch.{name}({x}, {y})"


@operation
def selecting(graph):
    x, mine, theirs = graph.pair()
    k = graph.constant(graph.shape(x), few=True)
    return f"mg.where({k} > 0, {x}, {mine})", f"torch.where(t({k} > 0), {x}, {theirs})"


@operation
def multiplying(graph):
    x = graph.pick(lambda x: x.ndim and x.numel())
    n = graph.shape(x)[-1]
    shape = [(n,), (n, 2), (2, n, 3)][graph.rng.integers(0, 2 + (len(graph.shape(x)) < 3))]
    y = graph.pick(lambda y: tuple(y.shape) == shape, None)
    mine, theirs = (y, y) if y else graph.constant_pair(shape)
    if y is None and len(graph.shape(x)) == len(shape) == 2 and graph.rng.random() < 0.5:
        b = graph.constant((2,))
        mine = f"mg.dense({x}, {mine}, {b} * {x}.sum(), activation='tanh')"
        return mine, f"torch.tanh({x} @ {theirs} + t({b}) * {x}.sum())"
    return f"{x} @ {mine}", f"torch.matmul({x}, {theirs})"


@operation
def joining(graph):
    x = graph.pick(lambda x: x.ndim and x.numel() < 30)
    shape = graph.shape(x)
    y = graph.pick(lambda y: tuple(y.shape) == shape)
    name, theirs = [("concatenate", "cat"), ("stack", "stack")][graph.rng.integers(0, 2)]
    axis = graph.rng.integers(-len(shape), len(shape))
    parts = ", ".join([x, y, x][: graph.rng.integers(2, 4)])
    return f"mg.{name}([{parts}], axis={axis})", f"torch.{theirs}([{parts}], dim={axis})"


@operation
def convolving(graph):
    x = graph.pick(lambda x: x.ndim == 4 and x.numel() and min(x.shape[1:3]) > 1)
    c, (s, p) = graph.shape(x)[3], graph.rng.integers(1, 3, 2)
    y, b = graph.pick(), graph.constant((2,))
    transposed = graph.rng.random() < 0.5
    name, theirs = ("conv2d_transpose", "conv_transpose2d") if transposed else ("conv2d",) * 2
    k = graph.constant((2, 2, 2, c) if transposed else (2, 2, c, 2))
    bias = graph.rng.random() < 0.5
    mine = f", {b} * {y}.mean(), activation='sigmoid'" if bias else ""
    beside = f", t({b}) * {y}.mean()" if bias else ""
    mine = f"mg.{name}({x}, {k} * {y}.mean(){mine}, stride={s}, padding={min(p, 1)})"
    theirs = (
        f"F.{theirs}(nchw({x}), oihw(t({k}) * {y}.mean()){beside}, stride={s}, padding={min(p, 1)})"
    )
    return mine, f"torch.sigmoid(nhwc({theirs}))" if bias else f"nhwc({theirs})"


@operation
def pooling(graph):
    x = graph.pick(
        lambda x: x.ndim == 4 and x.numel() and min(x.shape[1:3]) > 1 and graph.is_exact(x)
    )
    kind, overlap = graph.rng.choice(["max", "avg"]), graph.rng.integers(1, 3)
    mine = f"mg.{kind}_pool2d({x}, 2, stride={overlap})"
    return mine, f"nhwc(F.{kind}_pool2d(nchw({x}), 2, stride={overlap}))"


@operation
def losing(graph):
    x = graph.pick(lambda x: x.ndim == 2 and x.numel())
    n, k = graph.shape(x)
    kind = graph.rng.integers(0, 6)
    if kind == 0:
        classes = graph.rng.integers(0, k, n).tolist()
        mine = f"mg.losses.cross_entropy({x}, np.array({classes}))"
        return mine, f"F.cross_entropy({x}, torch.tensor({classes}))"
    y = graph.pick(lambda y: tuple(y.shape) == (n, k))
    if kind == 1:
        return f"mg.losses.mse_loss({x}, {y})", f"F.mse_loss({x}, {y})"
    if kind == 2:
        return f"mg.losses.l2_loss({x}, {y})", f"F.mse_loss({x}, {y}, reduction='sum') / 2"
    if kind == 3:
        mine = f"mg.losses.gaussian_kl({x}, mg.tanh({y}))"
        return mine, f"({x}**2 + {y}.tanh().exp() - 1 - {y}.tanh()).sum() / {2 * n}"
    form = "binary_cross_entropy({p}, mg.sigmoid({y}))"
    if kind == 4:
        form = "binary_cross_entropy_with_logits({x}, mg.sigmoid({y}))"
    mine = form.format(x=x, y=y, p=f"mg.sigmoid({x})")
    theirs = f"(F.softplus({x}, threshold=1e9) - {x} * torch.sigmoid({y})).sum() / {n}"
    return f"mg.losses.{mine}", theirs


def constant_source(rng, shape, few=False):
    """The source of an array of `shape`, in one of the layouts that NumPy's arrays can have."""
    layout = rng.choice(["C", "T", "strided", "reversed", "Fortran", "broadcast"])
    if layout == "broadcast" and shape and shape[0] > 1:
        return f"np.broadcast_to({_values(rng, shape[1:], few)}, {shape})"
    if layout == "T" and shape:
        return f"{_values(rng, shape[::-1], few)}.T"
    if layout == "strided" and shape:
        return f"{_values(rng, (*shape[:-1], 2 * shape[-1]), few)}[..., ::2]"
    if layout == "reversed" and shape:
        return f"{_values(rng, shape, few)}[::-1]"
    return f"np.asfortranarray({_values(rng, shape, few)})" if shape else _values(rng, (), few)


def _values(rng, shape, few):
    values = rng.integers(-1, 2, shape) if few else rng.uniform(-1.5, 1.5, shape).round(2)
    return f"np.array({np.asarray(values, float).tolist()})"
