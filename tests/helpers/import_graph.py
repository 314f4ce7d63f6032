"""Which module imports which, read from the source without running it."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Import(NamedTuple):
    """One module that a module names in an import."""

    module: str
    line: int
    target: str  # as far as it is a module of ours; the top name of others, such as "numpy"
    late: bool  # inside a function, which runs after the import of the module itself


def imports(root, *packages):
    """All imports of the packages in the folder `root`, by module: name -> [Import, ...]."""
    files = {_name(path, root): path for p in packages for path in Path(root, p).rglob("*.py")}
    return {name: list(_imports(name, path, files)) for name, path in sorted(files.items())}


def graph(found):
    """Module -> the modules of ours that have to be imported first.

    A package comes before what is inside it, except for a module that is inside it too.
    """
    edges = {}
    for module, all_imports in found.items():
        inside = set(_with_parents(module))
        targets = {t for i in all_imports for t in _with_parents(i.target) if t in found}
        edges[module] = targets - (inside - {i.target for i in all_imports}) - {module}
    return edges


def rooms(edges, package):
    """The graph of a package's modules in which everything below a subpackage is one room."""
    merged = {}
    for module, targets in edges.items():
        if module.startswith(f"{package}."):
            room = _room(module, package)
            used = {_room(t, package) for t in targets if t.startswith(f"{package}.")}
            merged[room] = (merged.get(room, set()) | used) - {room}
    return merged


def longest_chain(edges):
    """The longest chain of imports, from the top down; a cycle raises graphlib.CycleError."""
    below = {}
    for module in graphlib.TopologicalSorter(edges).static_order():
        longest = max((below[t] for t in sorted(edges.get(module, ()))), key=len, default=[])
        below[module] = [module, *longest]
    return max((below[module] for module in sorted(below)), key=len)


# ---------------------------------------------------------------------- one file
def _name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(module, path, files) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    late = {
        node
        for function in ast.walk(tree)
        if isinstance(function, functions)
        for node in ast.walk(function)
    }
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    unread = {
        node
        for part in ast.walk(tree)
        if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING"
        for statement in part.body  # read by type checkers, never run
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for name in _names(node, package) if node not in unread else ():
            yield Import(module, getattr(node, "lineno", 0), _target(name, files), node in late)


def _names(node, package):
    """The full names in an import; of ``from a import b`` it is a.b, whether a module or not."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = [*above, *(node.module or "").split(".")] if node.module else above
        return [".".join([*base, alias.name]) for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
        ("import_module", "__import__")
    ):
        return ["importlib"]  # of what, only the running program knows
    return []


def _target(name, files):
    if name.partition(".")[0] not in {n.partition(".")[0] for n in files}:
        return name.partition(".")[0]
    return next(n for n in reversed(_with_parents(name)) if n in files)


def _with_parents(name):
    """a, a.b, a.b.c of a.b.c."""
    parts = name.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _room(module, package):
    return ".".join(module.split(".")[: package.count(".") + 2])
