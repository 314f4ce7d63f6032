"""What a captured step on the CPU does, as a list of calls (`minigrad.cpu.Captured` replays it).

`calls.py` notes the calls, `alike.py` says whether two calls of the step did the same, `source.py`
writes them as a Python function, and `watched.py` looks after arrays that the step makes without an
operation. Functions of this library that change or draw something outside of operations say so by
`opaque`.
"""

from .alike import same
from .calls import SETTING, Tape, opaque
from .watched import watched

__all__ = ["SETTING", "Tape", "opaque", "same", "watched"]
