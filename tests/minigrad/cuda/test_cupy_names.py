"""The library uses no name and no keyword that CuPy 14.2 lacks, and neither does the double."""

import ast
import importlib.util
import inspect
from pathlib import Path

import device
import pytest
from device.names import known, snapshot
from device.namespace import MODULES

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path for package in ("minigrad", "autoencoder") for path in (ROOT / package).rglob("*.py")
)
ASKING = {"array_module", "_import_cupy", "get_array_module"}  # functions that return the module


def uses(code):
    """(line, names after the module, keywords) of all that `code` takes from an array module.

    The module is what is called ``xp`` or ``cupy``, what `ASKING` functions return,
    ``sys.modules["cupy"]``, and every variable that is given one of these.
    """
    tree = ast.parse(code)
    variables = {"xp", "cupy"}

    def is_module(node):
        if isinstance(node, ast.Call):
            return getattr(node.func, "id", getattr(node.func, "attr", "")) in ASKING
        if isinstance(node, ast.Subscript):
            return isinstance(node.slice, ast.Constant) and node.slice.value == "cupy"
        if isinstance(node, ast.IfExp):
            return is_module(node.body) or is_module(node.orelse)
        return isinstance(node, ast.Name) and node.id in variables

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_module(node.value):
            variables |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    keywords = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords[node.func] = [k.arg for k in node.keywords if k.arg]
    inner = set()
    for node in ast.walk(tree):  # outermost attributes come first
        if isinstance(node, ast.Attribute) and node not in inner:
            chain, below = [node.attr], node.value
            while isinstance(below, ast.Attribute):
                inner.add(below)
                chain.insert(0, below.attr)
                below = below.value
            if is_module(below):
                yield node.lineno, chain, keywords.get(node, [])


def faults(code):
    """What `code` uses that CuPy does not have, as sentences."""
    found = []
    for line, chain, keywords in uses(code):
        section, takes = "cupy", None
        for name in chain:
            if section not in snapshot():
                section = "cupy.ufunc" if isinstance(takes, list) else None
            if section is None or name.startswith("__"):
                break
            if not known(section, name):
                found.append(f"line {line}: {section}.{name}")
                break
            takes = snapshot()[section][name]
            section = f"{section}.{name}"
        else:
            takes = takes or ["**"]
            if not any(a.startswith("**") for a in takes):
                found += [f"line {line}: {section}({k}=)" for k in keywords if k not in takes]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_is_in_cupy(path):
    assert faults(path.read_text("utf-8")) == []


def test_the_search_finds_what_there_is():
    """The negative control."""
    assert sum(1 for path in FILES for _ in uses(path.read_text("utf-8"))) > 40
    code = """
def f(x):
    module = array_module(x)
    a = xp.block([x]) + array_module(x).insert(x, 0) + cupy.cuda.Steam()
    b = module.vecdot(x, x) + backend.array_module(x).errstate() + sys.modules["cupy"].memmap
    c = xp.sum(x, initial=0) + module.clip(x, min=0) + xp.zeros(3, like=x)
    d = xp.lib.stride_tricks.as_stride(x) + xp.add.outer_at(x)
    e = xp.add.at(x, 0, 1) + xp.pad(x, 1, constant_values=0) + xp.exp(x, out=x) + x.block
    s = xp.cuda.Stream(non_blocking=True)
    return xp.cuda.runtime.getDeviceCount()
"""
    assert {fault.partition(": ")[2] for fault in faults(code)} == {
        "cupy.block",
        "cupy.insert",
        "cupy.cuda.Steam",
        "cupy.vecdot",
        "cupy.errstate",
        "cupy.memmap",
        "cupy.sum(initial=)",
        "cupy.clip(min=)",
        "cupy.zeros(like=)",
        "cupy.lib.stride_tricks.as_stride",
        "cupy.ufunc.outer_at",
    }


# ---------------------------------------------------------------------- the double
OWNERS = dict(MODULES) | {"cupy.ndarray": device.ndarray}
for name in ("Stream", "Graph", "Event", "Device", "MemoryPool", "MemoryPointer"):
    OWNERS[f"cupy.cuda.{name}"] = getattr(MODULES["cupy.cuda"], name)


def test_the_double_offers_nothing_that_cupy_lacks():
    for section, owner in OWNERS.items():
        offered = {name for name in dir(owner) if not name.startswith("_")}
        assert offered - set(snapshot()[section]) == set(), section


def test_the_double_takes_no_argument_that_cupy_does_not():
    """Functions written out in the double; the others ask the snapshot when they are called."""
    checked = 0
    for section, owner in OWNERS.items():
        for name, takes in snapshot()[section].items():
            mine = vars(owner).get(name)
            if (
                name.startswith("__")
                or takes is None
                or not inspect.isfunction(mine)
                or "*" in str(takes)
            ):
                continue
            parameters = inspect.signature(mine, follow_wrapped=False).parameters.values()
            named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
            assert named - {"self"} <= set(takes), f"{section}.{name}"
            checked += 1
    assert checked > 20


def test_the_snapshot_is_of_this_cupy():
    """Only where CuPy is installed."""
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed, so the snapshot of its names cannot be compared")
    import cupy
    from device.snapshot import names

    assert set(names(cupy)) == set(snapshot()["cupy"])
