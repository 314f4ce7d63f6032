"""Random indices of every kind that NumPy takes, as source code.

A part of an index is an int, a slice, None, an Ellipsis, a truth value, or a container of integers
or truth values: a list, a tuple, a range, an array, a Tensor, or one of these in another.
"""

import numpy as np

CONTAINERS = ("list", "tuple", "array", "range", "strided array", "nested", "mixture", "tensor")


def random_index(rng, shape):
    """The source of an index for an array of `shape`, as minigrad takes it and as NumPy does."""
    kind = rng.integers(0, 10)
    if shape and kind == 0:
        return _both(_mask(rng, shape, rng.integers(0, np.prod(shape) + 1), rng.random() < 0.3))
    if shape and kind == 1:  # no tuple around it: a tuple here would be one
        container = rng.choice([c for c in CONTAINERS if c not in ("tuple", "tensor")])
        return _both(_integers(rng, shape[0], rng.integers(0, 4), container))
    parts = list(_parts(rng, shape))
    single = len(parts) == 1 and (parts[0].startswith("(") or rng.random() < 0.5)
    mine = ", ".join(parts) + "," * single if parts else "()"
    return mine, mine.replace("mg.tensor(", "np.array(")


def _both(text):
    return text, text


def _parts(rng, shape):
    """The parts of a tuple: one for each axis, or fewer, and some that need no axis."""
    length = rng.integers(1, 4)  # of all containers, which have to broadcast together
    column = rng.random() < 0.2  # the first container is a column, (length, 1)
    axis, dots = 0, False
    while axis < len(shape):
        kind, n = rng.integers(0, 12), shape[axis]
        if kind == 0:
            yield "None"
        elif kind == 1 and not dots:
            dots = True
            yield "..."
            axis += rng.integers(0, len(shape) - axis + 1)
        elif kind <= 3:
            yield _slice(rng, n)
            axis += 1
        elif kind <= 5 and n:
            k = int(rng.integers(-n, n))
            yield str(rng.choice([f"{k}", f"np.int64({k})", f"np.array({k})"]))
            axis += 1
        elif kind == 6 and length <= n:
            yield _mask(rng, (n,), length, rng.random() < 0.4)
            axis += 1
        elif kind == 7 and axis + 1 < len(shape) and length <= n * shape[axis + 1]:
            yield _mask(rng, (n, shape[axis + 1]), length, rng.random() < 0.4)
            axis += 2
        elif kind == 8:
            if rng.random() < 0.3:
                break
            yield rng.choice(["True", "np.True_"])
        elif n and kind > 8:
            container = "column" if column else rng.choice(CONTAINERS)
            column = False
            yield _integers(rng, n, length, container)
            axis += 1
    if rng.random() < 0.1:
        yield "None"


def _slice(rng, n):
    start, stop = (
        rng.choice(["", *map(str, range(-n, n + 1))], 2)
        if rng.random() < 0.4
        else (str(rng.choice(["", "0"])), "")
    )
    step = rng.choice(["", ":2", ":-1", ":"])
    return f"{start}:{stop}{step}"


def _integers(rng, n, length, container):
    """A container of `length` integers from -n to n - 1; some repeat, those of a range never."""
    if n == 0:
        return "[]"
    numbers = rng.integers(-n, n, length).tolist()
    if container == "tuple":
        return f"({', '.join(map(str, numbers))},)" if numbers else "()"
    if container == "array":
        return f"np.array({numbers}, {rng.choice(['np.int64', 'np.int32', 'np.int8'])})"
    if container == "strided array":
        return f"np.array({[v for v in numbers for _ in '12']}, int)[::2]"
    if container == "range" and length <= n:
        start = int(rng.integers(0, n - length + 1))
        forward = f"range({start}, {start + length})"
        return forward if rng.random() < 0.5 else f"{forward}[::-1]"
    if container == "column":
        rows = [rng.choice([f"[{k}]", f"({k},)", f"np.array([{k}])"]) for k in numbers]
        return rng.choice([f"[{', '.join(rows)}]", f"({', '.join(rows)},)"])
    if container == "nested" and numbers:
        return f"[{numbers}, {tuple(numbers)}, np.array({numbers})]"
    if container == "mixture" and numbers:
        texts = [rng.choice([f"{k}", f"np.int64({k})", f"np.array({k})"]) for k in numbers]
        return rng.choice([f"[{', '.join(texts)}]", f"({', '.join(texts)},)"])
    if container == "tensor" and numbers:
        return f"mg.tensor({numbers})"
    return str(numbers)


def _mask(rng, shape, count, as_list):
    """Truth values of `shape`, `count` of them true."""
    flat = np.zeros(np.prod(shape), bool)
    flat[rng.permutation(flat.size)[:count]] = True
    values = flat.reshape(shape).tolist()
    return str(values) if as_list else f"np.array({values}, bool)"


def has_a_tuple_or_range(index):
    """Whether an index has a part that is a sequence, but neither a list nor an array."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, tuple | range) for part in parts)
