"""Checks of lesson 07; operations and cases are those of lesson 05."""

from importlib import import_module

from lessons import Check, Judge, Wrong

import numpy as np

import minigrad as mg

rules = import_module("lessons.checks.05")
FORWARD = rules.FORWARD


# ---------------------------------------------------------------------- 7.1 tangent
def tangent_cases():
    rng, cases = np.random.default_rng(7), []
    for operation, _, y, *inputs in rules.rule_cases():
        tangents = tuple(np.array(rng.standard_normal(a.shape)) for a in inputs)
        cases.append((operation, y, tuple(inputs), tangents))
    return cases


def an_array(f, operation, y, inputs, tangents):
    answer = f(operation, y, inputs, tangents)
    if isinstance(answer, tuple | list):
        raise Wrong("return one array: how far y moves when all inputs move together")
    if np.asarray(answer).dtype.kind not in "fiu" or np.asarray(answer).dtype == np.float32:
        raise Wrong(f"the answer is of {np.asarray(answer).dtype}, expected float64")
    return answer


def both_ends(operation, y, inputs, tangents, h=1e-6):
    f = FORWARD[operation]
    ahead = f(*(a + h * da for a, da in zip(inputs, tangents, strict=True)))
    behind = f(*(a - h * da for a, da in zip(inputs, tangents, strict=True)))
    return np.asarray((ahead - behind) / (2 * h))


def by_jvp(operation, y, inputs, tangents):
    return mg.jvp(FORWARD[operation], list(inputs), list(tangents))[1].numpy()


def by_torch(operation, y, inputs, tangents):
    torch = import_module("torch")
    f = getattr(torch, operation, None) or FORWARD[operation]
    inputs, tangents = (tuple(map(torch.tensor, arrays)) for arrays in (inputs, tangents))
    return torch.autograd.functional.jvp(f, inputs, tangents)[1].numpy()


def library_tangent(operation, y, inputs, tangents, **spoilt):
    a, b = inputs if len(inputs) == 2 else (*inputs, None)
    da, db = tangents if len(inputs) == 2 else (*tangents, None)
    parts = {
        "add": lambda y, a, b, da, db: da + db,
        "multiply": lambda y, a, b, da, db: da * b + a * db,
        "divide": lambda y, a, b, da, db: da / b - y * db / b,
        "matmul": lambda y, a, b, da, db: da @ b + a @ db,
        "exp": lambda y, a, b, da, db: y * da,
        "log": lambda y, a, b, da, db: da / a,
        "relu": lambda y, a, b, da, db: da * (a > 0),
        "sum": lambda y, a, b, da, db: np.sum(da),
    }
    return (parts | spoilt)[operation](y, a, b, da, db)


def product_of_tangents(*case):
    """multiply: da * db is the small part of second order; what counts is da b + a db."""
    return library_tangent(*case, multiply=lambda y, a, b, da, db: da * db)


def first_only(*case):
    """You let only the first input move: both move, and their effects are added."""
    operation, y, inputs, tangents = case
    still = (tangents[0], *(0 * t for t in tangents[1:]))
    return library_tangent(operation, y, inputs, still)


def no_minus(*case):
    """divide: when b grows, a / b shrinks (if both are positive): db's part has a minus."""
    return library_tangent(*case, divide=lambda y, a, b, da, db: da / b + y * db / b)


def not_squared(*case):
    """divide: the slope of 1 / b is -1 / b**2; your b has the wrong power."""
    return library_tangent(*case, divide=lambda y, a, b, da, db: da / b - a * db / b)


def exp_of_input(*case):
    """exp: its slope is exp(a), which is y."""
    return library_tangent(*case, exp=lambda y, a, b, da, db: a * da)


def log_of_output(*case):
    """log: its slope is 1 over the input a."""
    return library_tangent(*case, log=lambda y, a, b, da, db: da / y)


def no_mask(*case):
    """relu: where the input is below 0 the result stays 0, however the input moves."""
    return library_tangent(*case, relu=lambda y, a, b, da, db: da)


def relu_of_tangent(*case):
    """relu: not the tangent is cut off at 0, but it counts only where the input is above 0."""
    return library_tangent(*case, relu=lambda y, a, b, da, db: np.maximum(da, 0))


def sum_not_summed(*case):
    """sum: all elements move, and their sum by the sum of what they move."""
    return library_tangent(*case, sum=lambda y, a, b, da, db: da)


tangent = Check(
    library=library_tangent,
    source="minigrad/derivatives.py::jvp",
    cases=tangent_cases,
    observe=an_array,
    judges=[
        Judge("values at both ends", both_ends, 1e-7),
        Judge("mg.jvp", by_jvp, 1e-12),
        Judge("PyTorch", by_torch, 1e-12, needs="torch"),
    ],
    mistakes=[
        product_of_tangents,
        first_only,
        no_minus,
        not_squared,
        exp_of_input,
        log_of_output,
        no_mask,
        relu_of_tangent,
        sum_not_summed,
    ],
)


# ---------------------------------------------------------------------- 7.2 jacobian
def matrix_cases():
    rng = np.random.default_rng(72)
    return [(rng.standard_normal(shape),) for shape in ((2, 5), (5, 2), (1, 4), (4, 1), (3, 3))]


def with_walks(f, J):
    """(the matrix found, the walks made of them)."""
    walks = []

    def push(v):
        walks.append(1)
        if np.shape(v) != (J.shape[1],):
            raise Wrong(f"push got an array of shape {np.shape(v)}, it wants (n,): {J.shape[1:]}")
        return J @ v

    def pull(g):
        walks.append(1)
        if np.shape(g) != (J.shape[0],):
            raise Wrong(f"pull got an array of shape {np.shape(g)}, it wants (m,): {J.shape[:1]}")
        return g @ J

    return np.asarray(f(push, pull, *J.shape)), len(walks)


def library_jacobian(push, pull, m, n, columns=None):
    if n <= m if columns is None else columns:
        return np.stack([push(v) for v in np.eye(n)], axis=1)
    return np.stack([pull(g) for g in np.eye(m)])


def always_along(push, pull, m, n):
    """Right, but with a walk for every input: where outputs are fewer, rows are cheaper."""
    return library_jacobian(push, pull, m, n, True)


def always_back(push, pull, m, n):
    """Right, but with a walk for every output: where inputs are fewer, columns are cheaper."""
    return library_jacobian(push, pull, m, n, False)


def dearer(push, pull, m, n):
    """Right, but the other way round: as many walks as the larger of m and n."""
    return library_jacobian(push, pull, m, n, n > m)


def as_rows(push, pull, m, n):
    """What push gives is a column of J: you put it in a row."""
    if n <= m:
        return np.stack([push(v) for v in np.eye(n)])
    return library_jacobian(push, pull, m, n)


def as_columns(push, pull, m, n):
    """What pull gives is a row of J: you put it in a column."""
    if n > m:
        return np.stack([pull(g) for g in np.eye(m)], axis=1)
    return library_jacobian(push, pull, m, n)


def one_walk(push, pull, m, n):
    """One walk with ones everywhere gives the sums of the rows or columns: one place at a time."""
    return np.tile(push(np.ones(n))[:, None], n) if n <= m else np.tile(pull(np.ones(m)), (m, 1))


jacobian = Check(
    library=library_jacobian,
    source="minigrad/derivatives.py::jacobian",
    returns="array",
    cases=matrix_cases,
    observe=with_walks,
    judges=[Judge("the matrix, and the fewest walks", lambda J: (J, min(J.shape)), 1e-14)],
    mistakes=[always_along, always_back, dearer, as_rows, as_columns, one_walk],
)
