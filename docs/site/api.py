"""The pages of the API, one for each public module, from its docstrings.

A module is public if it says in ``__all__`` what is public in it; a name that several have is
described once, with the first of them.
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

PACKAGES = "minigrad", "autoencoder"


def modules():
    """The names of the public modules: each package, then those in it."""
    found = []
    for package in map(importlib.import_module, PACKAGES):
        found.append(package.__name__)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            source = Path(module.module_finder.find_spec(module.name).origin)
            if re.search("^__all__ = ", source.read_text(encoding="utf-8"), re.MULTILINE):
                found.append(module.name)
    return found


def public():
    """{module: {name: object}} of all that is public and can be called, each object once."""
    seen, found = set(), {}
    for name in modules():
        module = importlib.import_module(name)
        objects = {key: getattr(module, key) for key in module.__all__}
        found[name] = {
            key: thing
            for key, thing in objects.items()
            if callable(thing) and not inspect.ismodule(thing) and id(thing) not in seen
        }
        seen |= {id(thing) for thing in found[name].values()}
    return found


def write(folder):
    """A page for each module."""
    folder.mkdir(parents=True, exist_ok=True)
    for module, objects in public().items():
        (folder / f"{module}.rst").write_text(_page(module, objects), encoding="utf-8")


def _page(module, objects):
    lines = [module, "=" * len(module), "", f".. automodule:: {module}", "", ""]
    lines += [f".. currentmodule:: {module}", ""]
    lines += [".. list-table::", "   :class: names", ""] if objects else []
    for name, thing in objects.items():
        said = " ".join(inspect.getdoc(thing).partition("\n\n")[0].split())
        lines += [f"   * - :py:obj:`{name}`", f"     - {said}"]
    lines += [""]
    for name, thing in objects.items():
        if inspect.isclass(thing):
            lines += [f".. autoclass:: {name}", "   :members:", "   :member-order: bysource", ""]
        else:
            lines += [f".. autofunction:: {name}", ""]
    return "\n".join(lines)
