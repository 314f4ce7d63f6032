"""Proves that the declared types are those of the values, and that stubs and source agree.

What mypy says of the package and of ``user_script.py`` is checked by ``.ci/run``; here the script
runs, and the stubs are compared with what they stand for.
"""

import ast
import inspect
import runpy
import subprocess
import sys
import types
import typing
from pathlib import Path

import numpy as np
import pytest

import autoencoder
import minigrad as mg
from minigrad import function_layers
from minigrad.backend import Array
from minigrad.tensor import Tensor

ROOT = Path(mg.__file__).parents[1]
ATTACHED = ROOT / "minigrad" / "attached.pyi"
LAYERS = ROOT / "minigrad" / "function_layers.pyi"


def checked(value, kind):
    """What `typing.assert_type` says to type checkers, of the value itself."""
    if kind is typing.Any:
        return value
    numbers = np.ndarray, np.generic  # NumPy makes numbers of arrays without axes
    expected = numbers if kind == Array else typing.get_origin(kind) or kind
    assert isinstance(value, expected), f"{value!r} is declared as {kind}"
    if expected in (list, tuple) and typing.get_args(kind):
        inner = typing.get_args(kind)[0]
        assert all(isinstance(each, inner) for each in value), f"{value!r} is declared as {kind}"
    return value


def classes(path):
    """The classes of a stub: name -> {method: its syntax}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        c.name: {node.name: node for node in c.body if isinstance(node, ast.FunctionDef)}
        for c in found
    }


def arguments(function):
    """The arguments in a stub without self: those by place, whether any number, those by name."""
    every = function.args
    named = [a.arg for a in every.posonlyargs + every.args][1:]
    return named, every.vararg is not None, [a.arg for a in every.kwonlyargs]


def arguments_of(function):
    """The same of a function itself, without its first argument, the array."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    kinds = inspect.Parameter
    return (
        [p.name for p in parameters if p.kind == kinds.POSITIONAL_OR_KEYWORD],
        any(p.kind == kinds.VAR_POSITIONAL for p in parameters),
        [p.name for p in parameters if p.kind == kinds.KEYWORD_ONLY],
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_values_have_the_types_that_the_script_asserts(monkeypatch):
    monkeypatch.setattr(typing, "assert_type", checked)
    script = runpy.run_path(str(Path(__file__).with_name("user_script.py")))
    assert script["assert_type"] is checked
    script["main"]()


def test_the_check_of_values_can_fail():
    with pytest.raises(AssertionError, match="is declared as"):
        checked(mg.tensor(1.0), Array)
    with pytest.raises(AssertionError, match="is declared as"):
        checked([1.0], list[Tensor])


ON_TENSOR = classes(ATTACHED)["Attached"]


def test_the_stub_names_all_that_is_put_on_tensor():
    source = inspect.getsource(sys.modules["minigrad.tensor"])
    own = next(c for c in ast.parse(source).body if getattr(c, "name", "") == "Tensor")
    written = {node.name for node in own.body if isinstance(node, ast.FunctionDef)}
    usual = set(dir(type("Usual", (), {"__slots__": ()}))) | {"__hash__", "_mask"}
    usual |= set(Tensor.__slots__)
    put = {n for n in vars(Tensor) if n not in written} - usual - {"__annotations__", "__module__"}
    compared = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
    assert set(ON_TENSOR) == (put | compared) - {"__array__"}


@pytest.mark.parametrize("name", sorted(n for n in ON_TENSOR if not n.startswith("_")))
def test_methods_have_the_arguments_of_their_functions(name):
    variadic = {"reshape", "transpose", "tolist", "T"}  # written for the method alone
    if name in variadic:
        return
    function = mg.gradient.backward if name == "backward" else getattr(mg, name)
    assert arguments(ON_TENSOR[name]) == arguments_of(function)


@pytest.mark.parametrize("name", sorted(set(classes(LAYERS)) - {"FunctionLayer"}))
def test_layers_have_the_settings_of_their_functions(name):
    made = getattr(function_layers, name)
    assert arguments(classes(LAYERS)[name]["__init__"]) == arguments_of(made.function)


def test_the_stub_names_all_layers():
    made = {
        name
        for name, value in vars(function_layers).items()
        if isinstance(value, type) and issubclass(value, function_layers.FunctionLayer)
    }
    assert set(classes(LAYERS)) == made


def test_type_checkers_see_every_lazy_name():
    tree = ast.parse(Path(autoencoder.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: home for home, names in autoencoder._HOMES.items() for name in names}
    assert seen == homes | {"__version__": "minigrad"}


def test_everything_public_of_minigrad_is_annotated():
    bare = []
    for module in (mg, mg.losses, mg.optim, mg.init, mg.testing, mg.checkpoint, mg.interchange):
        for name in getattr(module, "__all__", vars(module)):
            thing = getattr(module, name)
            own = isinstance(thing, types.FunctionType) and thing.__module__.startswith("minigrad")
            if own and name[0] != "_" and not _annotated(thing):
                bare.append(f"{module.__name__}.{name}")
    assert not bare


def _annotated(function):
    signature = inspect.signature(function)
    given = [p.annotation for p in signature.parameters.values()] + [signature.return_annotation]
    return inspect.Signature.empty not in given


def test_the_import_of_the_library_imports_nothing_for_the_types():
    late = "typing_extensions", "numpy.typing"
    words = f"import sys, minigrad; print([m for m in {late} if m in sys.modules])"
    clean = f"import sys, numpy; print([m for m in {late} if m in sys.modules])"
    told = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
        ).stdout
        for code in (words, clean)
    ]
    assert told[0] == told[1] != ""
