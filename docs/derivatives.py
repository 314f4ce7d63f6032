"""Writes docs/derivatives.md: every operation of minigrad with its derivatives, in one table.

Run ``python docs/derivatives.py`` after a change of an operation. The rows are read from the
registry of primitives, and the formulas from the source of the functions found there.
"""

import ast
import functools
import inspect
from pathlib import Path

import minigrad as mg

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "derivatives.md"

TOP = """\
# All derivatives

Every operation of minigrad that has a derivative of its own, as the source has it. `python
docs/derivatives.py` writes this page, and a test holds it to the source.

In the last column but one stands, for each argument, its vector-Jacobian product: `g` is the
gradient of the loss with respect to the result, the line gives the gradient with respect to that
argument. `y` is the result; all other names are arguments of the operation. Sums over broadcast
axes are left out, since the engine makes them for all operations. These lines are made of
operations of the same table, so they give derivatives of every order. What is not in the table,
such as `mean`, `var`, `conv2d` or `mse_loss`, is made of what is in it.

In the layers the first line is shared by the others: it takes the gradient back through the
activation. They use what it returns, in place of `g` and as `h` or by the names in front of it.

| operation | value | gradients | file |
|---|---|---|---|
"""


def page(registry):
    """The text of the page for a registry: name -> Primitive."""
    operations = sorted(registry.values(), key=lambda p: file_of(p.forward).name != "ops.py")
    lines = [row(primitive) for primitive in operations]
    vjps = [vjp for primitive in operations for vjp in gradients(primitive).values()]
    words = sorted({f"* `{f.__name__}` ({file_of(f).name}): {in_words(f)}" for f in helpers(vjps)})
    return "\n".join(
        [TOP + "\n".join(lines), "", "Other functions in these lines:", "", *words, ""]
    )


def row(primitive):
    """One line of the table."""
    vjps = [f"`{name}`: {code(formula(vjp))}" for name, vjp in gradients(primitive).items()]
    path = file_of(primitive.forward).relative_to(Path(mg.__file__).parent.parent)
    cells = [
        code(f"{primitive.name}({', '.join(primitive.names)})"),
        in_words(primitive.forward) if is_long(primitive.forward) else code(formula(primitive)),
        "<br>".join(vjps) or "none: a constant",
        f"[{path.name}](../{path})",
    ]
    return f"| {' | '.join(cells)} |"


def gradients(primitive):
    """The VJPs of a primitive by the names of their arguments, after what they share."""
    shared = getattr(primitive, "shared", None)
    return ({", ".join(primitive.shared_names): shared} if shared else {}) | primitive.vjps


def code(text):
    """`text` as code in a cell of a table, where a bar would end the cell."""
    return f"`{text}`".replace("|", "\\|")


# ---------------------------------------------------------------------- reading the source
def formula(function):
    """What a function returns, in one line; a long one's name and what its docstring says."""
    function = inspect.unwrap(function)
    if is_long(function):
        return f"{function.__name__}({', '.join(inspect.signature(function).parameters)})"
    return "; ".join(ast.unparse(part) for part in body(function)).replace("return ", "")


def is_long(function):
    """Whether a function is more than a line or two."""
    return len(body(function)) > 2 or any(hasattr(part, "body") for part in body(function))


def body(function):
    """The statements of a function without its docstring; the expression of a lambda."""
    node = node_of(function)
    if isinstance(node, ast.Lambda):
        return [node.body]
    return node.body[1:] if ast.get_docstring(node) else node.body


def node_of(function):
    """The place of a function in the syntax tree of its file."""
    lines = function.__code__.co_positions()
    line, _, column, _ = next(p for p in lines if p[2] is not None and p[2] != p[3])
    return min(
        (
            node
            for node in functions_of(file_of(function))
            if (node.lineno, node.col_offset) <= (line, column)
            and (line, column) < (node.end_lineno, node.end_col_offset)
        ),
        key=lambda node: (node.end_lineno - node.lineno, node.end_col_offset - node.col_offset),
    )


def file_of(function):
    return Path(inspect.unwrap(function).__code__.co_filename)


@functools.cache
def functions_of(path):
    """All functions and lambdas in the syntax tree of a file."""
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda | ast.FunctionDef)]


def helpers(vjps):
    """The functions that VJPs call and that are no operations."""
    for vjp in vjps:
        if is_long(vjp):
            yield vjp
            continue
        for node in ast.walk(ast.Module(body(vjp), [])):
            found = vjp.__globals__.get(node.id) if isinstance(node, ast.Name) else None
            if inspect.isfunction(found) and node.id.startswith("_"):
                yield found


def in_words(function):
    """The first sentence of a function's docstring, or its formula where it has none."""
    words = inspect.getdoc(function)
    if words is None:
        return code(formula(function))
    return " ".join(words.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(mg.registry))
    print(f"{PAGE}: {len(mg.registry)} operations")
