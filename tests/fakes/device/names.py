"""What CuPy 14.2 has: the snapshot ``cupy_names.json``, made from the real package.

To make it again, in an environment with CuPy (no GPU is needed):
``python tests/fakes/device/snapshot.py > tests/fakes/device/cupy_names.json``.
"""

import functools
import json
from pathlib import Path


@functools.cache
def snapshot():
    """Section ("cupy", "cupy.ndarray", "cupy.cuda.Stream", ...) -> name -> names of the arguments,
    or None where they are not known."""
    return json.loads(Path(__file__).with_name("cupy_names.json").read_text("utf-8"))["names"]


def known(section, name):
    """Whether `section` of CuPy has `name`."""
    return name in snapshot()[section]


def lacks(section, name):
    """The sentence with which an unknown name is refused."""
    if section in snapshot() and known(section, name):
        return f"CuPy 14.2 has {section}.{name}, but the device double does not know it: add it"
    return f"CuPy 14.2 has no {section}.{name}"


def check_keywords(section, name, given):
    """Raise TypeError where a keyword is given that CuPy's function does not take."""
    takes = snapshot()[section].get(name)
    if takes is None or any(a.startswith("**") for a in takes):
        return
    for keyword in given:
        if keyword not in takes:
            raise TypeError(
                f"{section}.{name}: CuPy 14.2 takes no keyword {keyword!r}, only {', '.join(takes)}"
            )
