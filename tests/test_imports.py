"""Imports run one way: over the whole product, derived from its source.

A room is a module or a subpackage at the top of a package; a floor is one step of the longest chain
of imports between rooms.
"""

import graphlib
import subprocess
import sys
from pathlib import Path

import pytest
from import_graph import graph, imports, longest_chain, rooms

import minigrad as mg

ROOT = Path(mg.__file__).parents[1]
PACKAGES = ("minigrad", "autoencoder")  # each may import from those before it
FOREIGN = {  # what else they may import, beside Python's own library
    "minigrad": {"numpy", "threadpoolctl", "cupy", "safetensors"},
    "autoencoder": {
        *("numpy", "scipy", "sklearn", "matplotlib"),
        *("PIL", "pooch", "constriction", "tqdm", "pyarrow"),
        *("onnx", "tensorboardX"),
    },
}
LATE = {  # what is slow to import, and where a function may import it
    "cupy": ("minigrad.gpu", "minigrad.cuda"),
    "threadpoolctl": ("minigrad.cpu",),
    "onnx": ("autoencoder.export",),
    "safetensors": ("minigrad.safetensors",),
    "tensorboardX": ("autoencoder.callbacks",),
    **dict.fromkeys(
        ("matplotlib", "PIL", "pooch", "pyarrow", "scipy", "sklearn", "tqdm"), ("autoencoder",)
    ),
}
BY_NAME = {  # import modules when they are first asked for
    "autoencoder",
    "autoencoder.__main__",
    "autoencoder.commands.arguments",
}
MOST_ROOMS = {"minigrad": 53, "autoencoder": 35}  # the 53rd: native, the compiled kernels
MOST_FLOORS = {"minigrad": 12, "autoencoder": 10}
# What does not hold yet: (test, package). A test that passes although it is named here fails.
NOT_YET = set()

FOUND = imports(ROOT, *PACKAGES)


@pytest.fixture(params=PACKAGES)
def package(request):
    if (request.node.originalname, request.param) in NOT_YET:
        request.applymarker(pytest.mark.xfail(strict=True, raises=AssertionError))
    return request.param


def inside(module, *places):
    return any(f"{module}.".startswith(f"{place}.") for place in places)


def of(package):
    """The imports in the modules of a package."""
    return [i for module, found in FOUND.items() if inside(module, package) for i in found]


def said(wrong):
    """Imports as file:line, for the message of an assertion."""
    return [f"{i.module}, line {i.line}, imports {i.target}" for i in wrong]


# ---------------------------------------------------------------------- the rules
def test_no_cycle():
    try:
        longest_chain(graph(FOUND))
    except graphlib.CycleError as error:
        pytest.fail("a cycle of imports: " + " is imported by ".join(error.args[1]))


def test_no_cycle_of_rooms(package):
    try:
        longest_chain(rooms(graph(FOUND), package))
    except graphlib.CycleError as error:
        pytest.fail("a cycle of rooms: " + " is imported by ".join(error.args[1]))


def test_rooms_and_floors(package, capsys):
    found = rooms(graph(FOUND), package)
    chain = longest_chain(found)
    with capsys.disabled():
        print(f"\n{package}: {len(found)} rooms on {len(chain)} floors: {' > '.join(chain)}")
    assert len(found) <= MOST_ROOMS[package] and len(chain) <= MOST_FLOORS[package]


def test_only_what_a_package_may_import(package):
    lower = PACKAGES[: PACKAGES.index(package) + 1]
    allowed = FOREIGN[package] | sys.stdlib_module_names
    wrong = [i for i in of(package) if i.target not in allowed and not inside(i.target, *lower)]
    assert not wrong, said(wrong)


def test_no_import_inside_a_function(package, capsys):
    late = sorted({i.target for i in of(package) if i.late})
    with capsys.disabled():
        print(f"\n{package}: imported inside functions: {', '.join(late)}")
    wrong = [
        i
        for i in of(package)
        if i.late
        and not inside(i.module, *LATE.get(i.target, ()))
        and not (i.target == "importlib" and i.module in BY_NAME)
    ]
    assert not wrong, said(wrong)


def test_no_module_imports_the_face_of_its_package(package):
    """It hands on what lies above them, as late as it likes, so that a cycle could hide in it."""
    wrong = [i for i in of(package) if i.target == package]
    assert not wrong, said(wrong)


def test_cupy_is_imported_in_one_place():
    wrong = [i for p in PACKAGES for i in of(p) if i.target == "cupy"]
    assert {i.module for i in wrong} == {"minigrad.gpu"}, said(wrong)


DEVICES = ("minigrad.cpu", "minigrad.native", "minigrad.cuda")


@pytest.mark.parametrize("package", ["minigrad"], indirect=True)
def test_devices_register_themselves(package):
    """Only the face imports them; what they make faster knows nothing of them."""
    wrong = [
        i
        for i in of(package)
        if inside(i.target, *DEVICES) and not inside(i.module, *DEVICES) and i.module != package
    ]
    assert not wrong, said(wrong)


def test_the_engine_knows_no_operation():
    edges = graph(FOUND)
    below, todo = set(), ["minigrad.engine", "minigrad.gradient"]
    while todo:
        new = edges[todo.pop()] - below - {"minigrad"}
        below |= new
        todo += new
    operations = {"minigrad.ops", "minigrad.conv", "minigrad.fused"}  # shapes: to unbroadcast
    assert "minigrad.tensor" in below and not below & operations
    assert edges["minigrad.tensor"] == {
        "minigrad.backend",
        "minigrad.node",
        "minigrad.notebook",  # which knows nothing of the package
    }


# ---------------------------------------------------------------------- the graph itself
def planted(folder, **files):
    """The imports of a package p whose modules have these texts; `__init__` is __init__.py."""
    for name, text in files.items():
        path = folder / "p" / f"{name.replace('_in_', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return imports(folder, "p")


def test_imports_of_every_form_are_found(tmp_path):
    found = planted(
        tmp_path,
        __init__="from . import a\nfrom .q import c",
        a="import numpy.linalg as l, os\nfrom p.q.c import f\nf = lambda: __import__('b')",
        q_in___init__="from ..a import x\nfrom .c import y",
        q_in_c="def f():\n    class A:\n        from .. import a\nimport p.a",
    )
    got = {m: [(i.line, i.target, i.late) for i in found[m]] for m in found}
    assert got == {
        "p": [(1, "p.a", False), (2, "p.q.c", False)],
        "p.a": [(1, "numpy", False), (1, "os", False), (2, "p.q.c", False), (3, "importlib", True)],
        "p.q": [(1, "p.a", False), (2, "p.q.c", False)],
        "p.q.c": [(4, "p.a", False), (3, "p.a", True)],
    }
    assert graph(found) == {
        "p": {"p.a", "p.q", "p.q.c"},
        "p.a": {"p.q", "p.q.c"},  # p.q comes before p.q.c, and p is on its way already
        "p.q": {"p.a", "p.q.c"},
        "p.q.c": {"p.a"},
    }
    assert rooms(graph(found), "p") == {"p.a": {"p.q"}, "p.q": {"p.a"}}
    with pytest.raises(graphlib.CycleError):
        longest_chain(graph(found))


def test_the_longest_chain(tmp_path):
    found = planted(
        tmp_path,
        __init__="",
        a="from . import b, d",
        b="from .c import x",
        c="",
        d="from . import c",
    )
    assert longest_chain(graph(found)) == ["p.a", "p.b", "p.c"]
    found = planted(tmp_path, c="def later():\n    from . import a")
    with pytest.raises(graphlib.CycleError):
        longest_chain(graph(found))


# ---------------------------------------------------------------------- in a new process
def test_import_minigrad_is_light():
    code = (
        "import sys, minigrad; heavy = {'scipy', 'sklearn', 'matplotlib', 'cupy', 'torch', "
        "'autoencoder', 'tqdm', 'pandas'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_public_name_exists_once():
    assert len(set(mg.__all__)) == len(mg.__all__) and mg.__all__ == sorted(mg.__all__)
    assert all(hasattr(mg, name) for name in mg.__all__)
