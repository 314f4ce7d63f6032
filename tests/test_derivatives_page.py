"""Proves that docs/derivatives.md is what its program writes for the library of today."""

import importlib.util
from pathlib import Path

import minigrad as mg

PATH = Path(__file__).parent.parent / "docs" / "derivatives.py"
SPEC = importlib.util.spec_from_file_location("derivatives", PATH)
derivatives = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(derivatives)


def test_the_page_is_what_the_program_writes():
    written = derivatives.page(mg.registry)
    assert derivatives.PAGE.read_text() == written, "run python docs/derivatives.py"


def test_every_operation_and_every_vjp_has_its_place():
    for name, primitive in mg.registry.items():
        (row,) = [
            line
            for line in derivatives.PAGE.read_text().splitlines()
            if line.startswith(f"| `{name}(")
        ]
        cell = row.split(" | ")[2]
        assert cell.count("`: `") == len(derivatives.gradients(primitive)) >= len(primitive.vjps)
        assert all(f"`{argument}`: `" in cell for argument in primitive.vjps)


def test_the_lines_are_those_of_the_source():
    rows = {name: derivatives.row(mg.registry[name]) for name in ("divide", "max", "clip", "sign")}
    assert (
        "| `a / b` | `a`: `g / b`<br>`b`: `-g * y / b` | [ops.py](../minigrad/ops.py) |"
        in (rows["divide"])
    )
    assert "`x`: `hit = x == _kept(y, x.shape, axis); " in rows["max"]
    assert "limited to `[low, high]`, two numbers. | `x`: `where(" in rows["clip"]
    assert "| none: a constant |" in rows["sign"]


def test_a_changed_derivative_changes_the_page(monkeypatch):
    before = derivatives.page(mg.registry)
    monkeypatch.setitem(mg.registry["exp"].vjps, "x", lambda g, y: g * y | 2)
    after = derivatives.page(mg.registry)
    assert before != after
    assert "| `exp(x)` | `np.exp(x)` | `x`: `g * y \\| 2` |" in after
