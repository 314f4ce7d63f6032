"""Proves that the names in docs/names.md exist and take the arguments that they are shown with:
those of this project always, those of other libraries where they are installed."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import minigrad as mg

PAGE = (Path(__file__).parent.parent / "docs" / "names.md").read_text()
SHORT = {"mg": "minigrad", "F": "torch.nn.functional", "np": "numpy"}
OURS = ("mg", "autoencoder")
OTHERS = ("torch", "F", "np", "scipy", "sklearn", "keras", "jax", "optax")


def names_in(text, roots):
    """Names with their arguments: "`np.sum(axis=)`" -> [("np.sum", ["axis"])]."""
    found = re.findall(rf"`((?:{'|'.join(roots)})\.[\w.]+)(?:\(([^`]*)\))?`", text)
    return [(name, re.findall(r"\w+(?==)", arguments)) for name, arguments in found]


def look_up(name):
    """The object of a dotted name; AttributeError if there is none."""
    root, *rest = name.split(".")
    parts = [*SHORT.get(root, root).split("."), *rest]
    found = importlib.import_module(parts[0])
    for k, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part) and inspect.ismodule(found):
            try:
                importlib.import_module(".".join(parts[:k]))
            except ModuleNotFoundError:
                raise AttributeError(f"{name}: there is no {part}") from None
        found = getattr(found, part)
    return found


def unknown_arguments(function, arguments):
    """Those of the arguments that the signature of a function does not have."""
    try:
        parameters = inspect.signature(function).parameters
    except (ValueError, TypeError):  # written in C: it does not say what it takes
        return []
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return []
    return [a for a in arguments if a not in parameters]


@pytest.mark.parametrize("root", [*OURS, *OTHERS])
def test_every_name_exists_and_takes_these_arguments(root):
    pytest.importorskip(SHORT.get(root, root))
    names = names_in(PAGE, [root])
    assert names
    wrong = []
    for name, arguments in names:
        try:
            wrong += [f"{name}({a}=)" for a in unknown_arguments(look_up(name), arguments)]
        except AttributeError as error:
            wrong.append(str(error))
    assert not wrong


def rows(heading):
    """The cells of the rows of the table under a heading."""
    lines = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("heading", re.findall(r"^## (.*)$", PAGE, re.M))
def test_every_row_is_complete(heading):
    title, line, *body = rows(heading)
    assert {len(title)} == {len(row) for row in [line, *body]}
    assert title[0] == ("array" if heading == "Layouts" else "here")
    if heading != "Layouts":
        for row in body:
            assert names_in(" ".join(row[:2]), OURS), row
            assert names_in(" ".join(row[1:]), OTHERS) or "tf." in row[0] or "form" in row[0], row


NOWHERE_ELSE = {"mg.registry", "mg.Tensor"}  # the list of primitives; the rows have its methods


def test_every_public_operation_has_a_row():
    losses = {n for n, f in vars(mg.losses).items() if n[0] != "_" and "reduction" in options(f)}
    public = {
        *(f"mg.{name}" for name in mg.__all__ if not inspect.ismodule(getattr(mg, name))),
        *(f"mg.losses.{name}" for name in losses),
        *(f"mg.{m.__name__.split('.')[1]}.{name}" for m in (mg.nn, mg.optim) for name in m.__all__),
    }
    assert len(losses) == 11 and len(public) > 150
    assert public - {name for name, _ in names_in(PAGE, ["mg"])} == NOWHERE_ELSE


def options(function):
    return inspect.signature(function).parameters if inspect.isfunction(function) else ()


def test_a_name_that_is_not_there_would_be_noticed():
    assert names_in("`mg.sum(axis=, dim=)`, `a`", OURS) == [("mg.sum", ["axis", "dim"])]
    assert unknown_arguments(look_up("mg.sum"), ["axis", "dim"]) == ["dim"]
    for name in ("mg.summation", "mg.nn.Linear", "np.linalg.exp"):
        with pytest.raises(AttributeError):
            look_up(name)
