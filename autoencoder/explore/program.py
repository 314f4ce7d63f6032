"""The recorded steps in the words that ``decoder.js`` knows, and the weights as bytes.

What only moves values about (transposing, indexing, repeating) becomes one word, "gather": the
places that the values come from, found by moving the numbers 0, 1, 2, ... in the same way.
"""

import base64
import math

import numpy as np

from minigrad.engine import registry

from ..export.record import Value
from ..parts.likelihood import expected_data

UNARY = {
    *("negative", "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "softplus", "abs", "sign"),
    *("leaky_relu", "elu", "hard_sigmoid", "normal_cdf", "sin", "cos", "log1p", "expm1", "clip"),
    "expected_data",
}
BINARY = {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum"}
MOVES = {"transpose", "getitem", "broadcast_to", "reorder"}
REDUCE = {"sum", "max", "min", "logsumexp"}
ALONG = {"softmax", "log_softmax"}
ACTIVATIONS = {None: "linear", "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh"}
SMALL = 4096  # numbers of an array that is written in full all the same
HALF_LARGEST = 1024.0  # to which the largest number of an array is brought before it is cut short


class Program:
    """Steps for ``decoder.js`` and the `blob` of their arrays: see `as_json`.

    `half` writes large arrays as float16 with a scale for each: half as long, and 11 bits.
    """

    def __init__(self, steps, n_inputs, half=False):
        self.half, self.blob, self.arrays, self._places = half, bytearray(), [], {}
        self.shapes = [(1, n_inputs), *(step.shape for step in steps)]
        self.steps = [self._word(step) for step in steps]

    def as_json(self):
        """The program as a dict: `shapes` of all values, `steps`, `arrays`, their bytes `blob`."""
        return {
            "shapes": [list(shape) for shape in self.shapes],
            "steps": self.steps,
            "arrays": self.arrays,
            "blob": base64.b64encode(self.blob).decode(),
        }

    # ------------------------------------------------------------------ arrays
    def _array(self, a):
        """The number of array `a`, which is stored once."""
        if id(a) not in self._places:
            self._places[id(a)] = len(self.arrays), a  # `a` is kept, and so its id
            self.arrays.append(self._stored(a))
        return self._places[id(a)][0]

    def _stored(self, a):
        self.blob += bytes(-len(self.blob) % 8)
        about = {"shape": list(a.shape), "at": len(self.blob)}
        if a.dtype.kind == "i":
            self.blob += np.ascontiguousarray(a, "<i4").tobytes()
            return {**about, "kind": "i4"}
        if self.half and _is_halved(a):
            short, scale = _halved(a)
            self.blob += np.ascontiguousarray(short, "<f2").tobytes()
            return {**about, "kind": "f2", "scale": scale}
        kind = "f8" if _is_exact(a) else "f4"
        self.blob += np.ascontiguousarray(a, f"<{kind}").tobytes()
        return {**about, "kind": kind}

    # ------------------------------------------------------------------ words
    def _word(self, step):
        name, args = step.primitive.name, step.args
        if step.primitive not in (registry.get(name), expected_data):
            raise _unknown(f"{name}, a primitive of your own")
        if name in UNARY:
            settings = [_number(v) for v in args[1:]]
            return {"op": "unary", "f": name, "in": [self._value(args[0])], "settings": settings}
        if name in BINARY or name == "where":
            op = "binary" if name in BINARY else "where"
            return {"op": op, "f": name, "in": [self._value(a) for a in args]}
        if name in ("reshape", "cast"):
            return {"op": "reshape", "in": [self._value(args[0])]}
        if name in MOVES:
            x = args[0]
            places = _numbered(self._shape(x))
            moved = np.asarray(step.primitive.forward(places, *args[1:]))
            return self._gather(x, moved, 0.0)
        if name == "pad":
            x, widths, value = args[0], args[1], args[2] if len(args) > 2 else 0.0
            moved = np.pad(_numbered(self._shape(x)), widths, constant_values=-1)
            return self._gather(x, moved, float(value))
        if name == "concatenate":
            axis, _, *parts = args
            before = math.prod(step.shape[:axis])
            return {"op": "concatenate", "in": [self._value(a) for a in parts], "before": before}
        if name in REDUCE | {"sum_to"}:
            return self._reduced(step)
        if name in ALONG:
            shape = self._shape(args[0])
            axis = (args[1] if len(args) > 1 else -1) % len(shape)
            sizes = [math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])]
            return {"op": "along", "f": name, "in": [self._value(args[0])], "sizes": sizes}
        if name in ("matmul", "dense_layer"):
            return self._product(step)
        if name in ("conv_y", "conv_layer", "conv_x", "conv_transpose_layer"):
            transposed = name in ("conv_x", "conv_transpose_layer")
            layer = name.endswith("layer")
            return {
                "op": "conv_transpose" if transposed else "conv",
                "in": [self._value(a) for a in args[: 3 if layer else 2]],
                "activation": ACTIVATIONS[args[4] if layer else None],
                **_geometry(args[3 if layer else 2]),
            }
        if name in ("max_pool", "pool_x", "pool_y"):
            if name != "max_pool" and args[1] is not None:
                raise _unknown(name)
            return {"op": name, "in": [self._value(args[0])], **_geometry(args[-1])}
        raise _unknown(name)

    def _value(self, a):
        """An argument: the number of a value, an array's, or a number."""
        if isinstance(a, Value):
            return a.number
        if isinstance(a, np.ndarray) and a.ndim:
            return {"array": self._array(a)}
        return {"number": _number(a)}

    def _shape(self, a):
        return self.shapes[a.number] if isinstance(a, Value) else np.shape(a)

    def _gather(self, x, moved, value):
        if np.array_equal(moved.ravel(), np.arange(math.prod(self._shape(x)))):
            return {"op": "reshape", "in": [self._value(x)]}
        places = self._array(np.ascontiguousarray(moved, np.int32))
        return {"op": "gather", "in": [self._value(x)], "places": places, "fill": value}

    def _reduced(self, step):
        name, x, setting, *_ = step.primitive.name, *step.args, None
        shape = self._shape(x)
        if name == "sum_to":
            lead = len(shape) - len(setting)
            axes = [i for i, n in enumerate(shape) if i < lead or setting[i - lead] != n]
        elif setting is None:
            axes = list(range(len(shape)))
        else:
            axes = [axis % len(shape) for axis in np.atleast_1d(setting).tolist()]
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
        kind = "sum" if name == "sum_to" else name
        value = self._value(x)
        return {"op": "reduce", "f": kind, "in": [value], "from": list(shape), "to": list(kept)}

    def _product(self, step):
        a, b = step.args[:2]
        shapes = self._shape(a), self._shape(b)
        if min(map(len, shapes)) < 2:
            raise _unknown("matmul of a vector")
        layer = step.primitive.name == "dense_layer"
        return {
            "op": "matmul",
            "in": [self._value(v) for v in (step.args[:3] if layer else (a, b))],
            "left": list(shapes[0]),
            "right": list(shapes[1]),
            "activation": ACTIVATIONS[step.args[3] if layer else None],
        }


def rounded(steps):
    """The steps with the arrays that `half` makes of theirs, for `recording.replay`."""

    def short(a):
        if not (isinstance(a, np.ndarray) and _is_halved(a)):
            return a
        half, scale = _halved(a)
        return (half.astype(np.float64) * scale).astype(a.dtype)

    return [step._replace(args=tuple(map(short, step.args))) for step in steps]


def _is_halved(a):
    return a.dtype.kind == "f" and a.size >= SMALL and not _is_exact(a)


def _is_exact(a):
    """Whether all digits of `a` count, as those of a mean in the data's own units do."""
    return a.dtype == np.float64 and a.size == max(a.shape, default=1)


def _halved(a):
    """`a` as float16 and the number to multiply that with."""
    largest = float(np.abs(a).max(initial=0))
    scale = largest / HALF_LARGEST if 0 < largest < math.inf else 1.0
    return (a / scale).astype(np.float16), scale


def _numbered(shape):
    return np.arange(math.prod(shape), dtype=np.int64).reshape(shape)


def _number(v):
    """A setting for JSON, which has no infinity."""
    v = float(v)
    if math.isfinite(v):
        return v
    return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"


def _geometry(g):
    pads = [side for pair in g.pads for side in pair[:1]]  # top and left are what counts
    return {
        "size": list(g.size),
        "kernel": list(g.kernel),
        "out": list(g.out),
        "stride": list(g.stride),
        "pads": pads,
        "dilation": list(g.dilation),
        "groups": g.groups,
    }


def _unknown(name):
    return ValueError(
        f"explore: the decoder uses {name}, which the page cannot compute: it knows dense layers, "
        "convolutions, pooling, upsampling, normalisation and the activations of minigrad"
    )
