"""Print the names of CuPy and their arguments as JSON; see ``names.py`` for how to run it."""

import inspect
import json
import re
import types

SECTIONS = """cupy cupy.ndarray cupy.ufunc cupy.cuda cupy.cuda.Stream cupy.cuda.Graph
cupy.cuda.Event cupy.cuda.Device cupy.cuda.MemoryPool cupy.cuda.MemoryPointer cupy.cuda.runtime
cupy.lib cupy.lib.stride_tricks cupy.linalg cupy.random cupy.testing cupy.RawModule
cupy.RawKernel"""


def arguments(function):
    """The names of a function's arguments as a list, or None where they cannot be found out.

    Compiled functions have no signature, but most write one at the top of their docstring.
    """
    if isinstance(function, type | types.ModuleType):
        return None
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        first = (getattr(function, "__doc__", None) or "").replace("\\", "").partition("\n")[0]
        found = re.fullmatch(r"[\w.]+\((.*)\)(?: -> .*)?", first.strip())
        if found is None:
            return None
        parts = re.split(r",\s*(?![^()\[\]]*[)\]])", found[1])
        names = [p.partition("=")[0].strip().split()[-1] for p in parts if p.strip()]
        return [n for n in names if n not in ("self", "/", "*")]
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in parameters if p.name != "self"]


def names(owner):
    """The public names of a module or class, and the special methods of a class."""
    found = {}
    for name in sorted(dir(owner)):
        special = name.startswith("__") and isinstance(owner, type)
        if not name.startswith("_") or special:
            found[name] = arguments(getattr(owner, name, None))
    return found


if __name__ == "__main__":
    import cupy

    tree = {}
    for section in SECTIONS.split():
        owner = cupy
        for part in section.split(".")[1:]:
            owner = getattr(owner, part)
        tree[section] = names(owner)
    lines = [f' "{section}": {json.dumps(found)}' for section, found in tree.items()]
    print(f'{{"version": "{cupy.__version__}", "names": {{')
    print(",\n".join(lines))
    print("}}")
