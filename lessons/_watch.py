"""What is asked of every call of an answer, whatever it computes.

The call ends within ten seconds, leaves its inputs as they were, and returns the promised kind of
thing. A value can be right and all three be wrong, and the lesson would break later.
"""

import contextlib
import inspect
import signal
import threading

import numpy as np

from minigrad import Tensor

SECONDS = 10


class Wrong(Exception):
    """What is wrong with an answer, as the sentence that the learner reads."""


class TooLong(BaseException):
    """An answer ran for more than SECONDS; no ``except Exception`` of the answer catches it."""


# ---------------------------------------------------------------------- a timer
def why_no_timer():
    """Why an endless loop cannot be stopped here, or None if it can."""
    if not hasattr(signal, "setitimer"):
        return "this system has no timer that interrupts a program"
    if threading.current_thread() is not threading.main_thread():
        return "only the main thread of a program can be interrupted"
    return None


@contextlib.contextmanager
def limited(seconds=None):
    """Raise TooLong in this thread if the block runs longer; where there is no timer, do nothing.

    The alarm repeats each second, so that a bare ``except:`` in a loop does not outlive it.
    """
    if why_no_timer():
        yield
        return

    def ring(number, frame):
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    left = signal.setitimer(signal.ITIMER_REAL, seconds or SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


# ---------------------------------------------------------------------- a call
class Watched:
    """The function `f`; `fault` is the first thing wrong with a call of it, beside the value.

    `returns` is the promise, see `broken`; arguments at the places `changes` may be changed.
    """

    def __init__(self, f, returns=None, changes=()):
        self.f, self.returns, self.changes, self.fault = f, returns, changes, None
        self.__name__ = getattr(f, "__name__", "f")

    def __call__(self, *arguments):
        before = [_copy(x) for x in arguments]
        answer = self.f(*arguments)
        if self.returns and answer is None:
            raise Wrong("returned None, is a return missing?")
        self.fault = self.fault or broken(self.returns, answer, arguments)
        for k, (x, old) in enumerate(zip(arguments, before, strict=True)):
            if k not in self.changes and old is not None and not _unchanged(x, old):
                name = _name(self.f, k)
                self.fault = self.fault or (
                    f"the value is right, but the call changed its input {name}, which the caller "
                    f"goes on using: compute new arrays ({name} = {name} - ..., not {name} -= ...)"
                )
        return answer


def _name(f, k):
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        names = []
    return names[k] if k < len(names) else f"number {k + 1}"


def _values(x):
    """The numbers of an array on any machine, or None."""
    if isinstance(x, Tensor):
        return x.numpy()
    if hasattr(x, "get") and hasattr(x, "dtype"):  # a far array
        return x.get()
    return x if isinstance(x, np.ndarray) else None


def _copy(x):
    """What is needed to see later whether `x` has changed; None if it cannot be seen."""
    if isinstance(x, list | tuple):
        return [_copy(part) for part in x]
    values = _values(x)
    return None if values is None else np.array(values)


def _unchanged(x, old):
    if isinstance(old, list):
        pairs = zip(x, old, strict=False)
        return len(x) == len(old) and all(o is None or _unchanged(p, o) for p, o in pairs)
    new = _values(x)
    same = new.shape == old.shape and new.dtype == old.dtype
    return same and np.array_equal(new, old, equal_nan=new.dtype.kind in "fc")


# ---------------------------------------------------------------------- what is promised
def broken(promise, answer, arguments=()):
    """How `answer` breaks the `promise`, as a sentence, or None.

    A promise is "anything" (but None), "number", "whole number", "bool", "list", "dict", "array"
    (of floats), "whole array", "same" (a Tensor where Tensors came in, else an array or a number),
    or a tuple of these.
    """
    if isinstance(promise, tuple):
        if not isinstance(answer, tuple | list) or len(answer) != len(promise):
            return f"returned {kind(answer)}, expected {len(promise)} values"
        faults = (broken(p, a, arguments) for p, a in zip(promise, answer, strict=True))
        numbered = enumerate(faults, 1)
        return next((f"value {k} of {len(promise)}: {f}" for k, f in numbered if f), None)
    return _PROMISES[promise](answer, arguments) if promise else None


def _number(answer, _):
    if isinstance(answer, Tensor):
        return "returned a Tensor, expected a plain number: .item() gives it"
    if isinstance(answer, bool | int | float | np.number | np.bool_):
        return None if np.isreal(answer) else f"returned {kind(answer)}, expected a real number"
    if isinstance(answer, np.ndarray) and answer.ndim == 0 and answer.dtype.kind in "iuf":
        return None
    return f"returned {kind(answer)}, expected one number"


def _whole(answer, _):
    if isinstance(answer, int | np.integer) and not isinstance(answer, bool):
        return None
    if isinstance(answer, np.ndarray) and answer.ndim == 0 and answer.dtype.kind in "iu":
        return None
    if isinstance(answer, float | np.floating):
        return (
            f"returned {float(answer)!r}, a float: a count is a whole number, which // keeps whole "
            "and int(...) makes"
        )
    return f"returned {kind(answer)}, expected a whole number"


def _bool(answer, _):
    if isinstance(answer, bool | np.bool_):
        return None
    return f"returned {kind(answer)}, expected True or False"


def _array(answer, arguments, kinds="f", of="floats"):
    if isinstance(answer, Tensor):
        return "returned a Tensor where arrays came in, expected an array"
    if isinstance(answer, float):  # as good as an array of shape ()
        return None
    if not isinstance(answer, np.ndarray | np.generic):
        return f"returned {kind(answer)}, expected an array of {of}: np.array(...) makes one"
    if answer.dtype.kind not in kinds:
        return f"returned {kind(answer)}, expected {of}"
    return None


def _whole_array(answer, arguments):
    fault = _array(answer, arguments, "iu", "whole numbers")
    floats = isinstance(answer, np.ndarray) and answer.dtype.kind == "f"
    return f"{fault}: .astype(int) makes them" if floats else fault


def _same(answer, arguments):
    if any(isinstance(x, Tensor) for x in arguments):
        if isinstance(answer, Tensor):
            return None
        return (
            f"returned {kind(answer)} where Tensors came in: no gradient flows through it, and "
            "training would learn nothing of it. Leave out .numpy() and .data, and compute with "
            "Tensors and functions of mg"
        )
    if isinstance(answer, Tensor):
        return "returned a Tensor where arrays came in, expected an array or a number"
    if isinstance(answer, int | float | np.ndarray | np.generic):
        return None
    return f"returned {kind(answer)}, expected an array or a number"


def _list(answer, _):
    return None if isinstance(answer, list | tuple) else f"returned {kind(answer)}, expected a list"


def _dict(answer, _):
    return None if isinstance(answer, dict) else f"returned {kind(answer)}, expected a dict"


_PROMISES = {
    "anything": lambda answer, _: None,  # but None
    "number": _number,
    "whole number": _whole,
    "bool": _bool,
    "array": _array,
    "whole array": _whole_array,
    "same": _same,
    "list": _list,
    "dict": _dict,
}


def kind(x):
    """What `x` is, in a few words."""
    if x is None:
        return "None"
    if isinstance(x, np.ndarray | Tensor):
        what = "a Tensor" if isinstance(x, Tensor) else "an array"
        return f"{what} of {x.dtype} of shape {tuple(x.shape)}"
    if isinstance(x, tuple | list):
        return f"{a(x)} of {len(x)}"
    return a(x)


def a(x):
    """The name of the type of `x` with its article."""
    name = type(x).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
