"""Anything at all as input, and a judge of what comes of it: an answer or a documented refusal.

A refusal is documented when this library or scikit-learn's validation raised it in a sentence. The
last frame of its traceback tells: a `raise` statement there is somebody's decision, while an error
out of NumPy's C code, or of a frame inside NumPy, is what nobody thought of.
"""

import dis
import os
import tempfile
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import sklearn
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import autoencoder
import minigrad

LIBRARIES = tuple(str(Path(p.__file__).parent) for p in (autoencoder, minigrad, sklearn))
VALIDATION = str(Path(sklearn.utils.__file__).parent)
DOCUMENTED = (ValueError, TypeError, IndexError, FileNotFoundError)
WARNINGS = ("n_components=", "save:")  # how this library's own begin
REFUSED = object()
# examples of each test: the same ones in every run of the suite, others if a number is given
GIVEN = os.environ.get("MINIGRAD_FUZZ_EXAMPLES")


def answer(call, *args, quiet=False, **kwargs):
    """What the call returns, or REFUSED where it refuses as documented; fails for all else.

    `quiet` lets NumPy's warnings of overflow pass, which absurd numbers deserve.
    """
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            result = call(*args, **kwargs)
        except DOCUMENTED as error:
            if not is_explained(error):
                raise
            result = REFUSED
    for warning in seen:
        known = issubclass(warning.category, ConvergenceWarning | DataConversionWarning)
        # scikit-learn, when it looks for infinity, subtracts it from itself
        known |= (quiet or result is REFUSED) and issubclass(warning.category, RuntimeWarning)
        assert known or str(warning.message).startswith(WARNINGS), warning
    return result


def is_explained(error):
    """Whether a `raise` of this library, or scikit-learn, says in a sentence what is wrong."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code, trace.tb_lasti))
        trace = trace.tb_next
    if len(str(error)) < 20 or " " not in str(error):
        return False
    known = [code.co_filename for code, _ in frames if code.co_filename.startswith(LIBRARIES)]
    if known and known[-1].startswith(
        VALIDATION
    ):  # which lets NumPy convert, and pass its words on
        return True
    code, last = frames[-1]
    raised = code.co_code[last] == dis.opmap["RAISE_VARARGS"]
    return raised and code.co_filename.startswith(LIBRARIES)


def fuzz(examples):
    """A test of so many examples."""
    return settings(
        max_examples=int(GIVEN or examples),
        derandomize=GIVEN is None,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


# ---------------------------------------------------------------------- anything
SCALES = st.sampled_from([1, 1, 1, 1, 0, 1e-30, 1e-310, 1e4, 1e30, 1e200])
DTYPES = st.sampled_from(
    [np.float64] * 4 + [np.float32] * 4
    + [np.float16, np.int64, np.uint8, np.bool_, np.complex128, "U4", object, "M8[s]", ">f8", "g"]
)  # fmt: skip
LAYOUTS = st.sampled_from(
    ["C", "C", "F", "reversed", "every other", "read-only", "mapped", "list", "unaligned"]
)
JUNK = st.sampled_from(
    [
        *(None, True, 0, -1, 2, 1.5, float("nan"), float("inf"), -float("inf"), 10**30, 1j),
        *("", "x", b"x", (), [], {}, (1, 2), [0.5], [[]], [[1, 2], [3]], {"a": 1}, int, print),
        *(np.int8(3), np.float32(0.5), np.float64("nan"), np.array([1, 2]), np.array("x")),
        *(
            np.array(2),
            np.bool_(True),
            Decimal("0.5"),
            Fraction(1, 2),
            autoencoder.Autoencoder,
            object(),
        ),
    ]
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def whole(*numbers):
    """These whole numbers, of Python's type and of NumPy's that hold the least."""
    return st.sampled_from([*numbers, *map(np.int8, numbers), *map(np.uint8, numbers)])


def between(*numbers):
    """These fractions, of Python's type and of NumPy's."""
    return st.sampled_from([*numbers, *map(np.float32, numbers), *map(np.float64, numbers)])


@st.composite
def arrays(draw, shapes=SHAPES):
    """Arrays of any dtype, layout and content; most are in [0, 1]."""
    shape, dtype = draw(shapes), np.dtype(draw(DTYPES))
    values = np.random.default_rng(draw(st.integers(0, 99))).random(shape)
    values = np.asarray(values * draw(SCALES) - draw(st.sampled_from([0, 0, 0.5])))
    if values.size and draw(st.integers(0, 5)) == 0:
        values.flat[-1] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    if dtype.kind in "iu":
        values = np.asarray(values * 3)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = values.astype("i8") if dtype.kind == "M" else values
        return laid_out(values.astype(dtype), draw(LAYOUTS))


def laid_out(x, layout):
    """The same numbers in another order of bytes in memory."""
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "reversed" and x.ndim:
        return np.ascontiguousarray(x[::-1])[::-1]
    if layout == "every other" and x.ndim:
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "read-only":
        x.flags.writeable = False
    if layout == "mapped" and x.size and x.dtype != object:
        with tempfile.TemporaryFile() as file:
            mapped = np.memmap(file, x.dtype, "w+", shape=x.shape)
        mapped[...] = x
        return mapped
    if layout == "list":
        return x.tolist()
    if layout == "unaligned" and x.size and x.dtype != object:
        whole = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
        whole[...] = x
        return whole
    return x
