"""The small changes of a source file that its tests should notice: what mutation.py tries.

A change replaces the text of one expression or statement and nothing else, so that lines keep their
numbers. Docstrings, messages of errors, annotations, imports, ``__repr__`` and what cannot matter
(``strict=True`` of zip, the -1 of reshape, sizes of blocks) are left alone.
"""

import ast
import copy
from collections import Counter
from typing import NamedTuple

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
NAMES = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "zeros": "ones",
         "exp": "log1p", "sigmoid": "tanh"}  # fmt: skip
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
CALLED = FUNCTION | ast.ClassDef


class Mutant(NamedTuple):
    """One change: `words` say which, `text` is the line of it, `lines` are run with it."""

    file: str
    line: int
    words: str
    text: str
    lines: range
    source: str  # of the whole file, changed
    which: int = 1  # of several alike on one line

    @property
    def key(self):
        which = f" ({self.which})" if self.which > 1 else ""
        return f"{self.file}:{self.line}: {self.words}{which}: {self.text}"


def mutants(file, source):
    """All mutants of a file's source, in its order."""
    tree = ast.parse(source)
    _mark(tree)
    data, lines = source.encode(), source.splitlines()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found, seen = [], set()
    for node in ast.walk(tree):
        for changed, words in _changes(node):
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(changed)
            lost = "\n" * (data[begin:end].count(b"\n") - text.count("\n"))
            text = f"({text}{lost})" if isinstance(changed, ast.expr) else f"{text}{lost}"
            if (begin, end, text) not in seen:
                seen.add((begin, end, text))
                mutated = (data[:begin] + text.encode() + data[end:]).decode()
                line = lines[node.lineno - 1].strip()
                mutant = Mutant(file, node.lineno, words, line, node.lines, mutated)
                found.append((begin, mutant))
    alike, numbered = Counter(), []
    for _, mutant in sorted(found, key=lambda pair: pair[0]):
        alike[mutant.key] += 1
        numbered.append(mutant._replace(which=alike[mutant.key]))
    return sorted(numbered, key=lambda m: (m.line, m.words, m.which))


def _mark(tree):
    """Mark what is left alone, and give every node the lines of the piece of code it runs in."""
    tree.left_out, tree.lines, tree.is_test = False, range(1, 10**6), False
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    child.left_out = parent.left_out or _is_left_out(parent, name, child)
                    child.lines = _lines(parent, child)
                    child.is_test = name == "test"


def _is_left_out(parent, name, child):
    if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(parent, ast.Raise):
        return True
    if isinstance(child, CALLED) and child.name in ("__repr__", "__str__", "_repr_html_"):
        return True
    if isinstance(child, ast.If) and ast.unparse(child.test) == "__name__ == '__main__'":
        return True
    if isinstance(child, ast.Assign):
        return getattr(child.targets[0], "id", "").endswith("_BLOCK")
    if isinstance(child, ast.UnaryOp) and ast.unparse(child) == "-1":
        return True
    if isinstance(child, ast.keyword) and child.arg in ("strict", "stacklevel", "help"):
        return True
    return name in ("annotation", "returns")


def _lines(parent, child):
    """The lines of the lambda or simple statement, or of a compound statement's head.

    What is done at import counts for all of the function, class or file that it is a part of.
    """
    inside = isinstance(parent, FUNCTION) and child in parent.body  # not a default, or a decorator
    outside = isinstance(parent, FUNCTION) and not inside
    child.at_import = outside or (getattr(parent, "at_import", True) and not inside)
    if isinstance(child, ast.Lambda):
        child.at_import = False
    if isinstance(child, ast.Lambda) or (
        isinstance(child, ast.stmt) and not child.at_import and not hasattr(child, "body")
    ):
        return range(child.lineno, child.end_lineno + 1)
    if isinstance(child, CALLED):
        return range(child.lineno, child.end_lineno + 1)
    if child.at_import or not isinstance(child, ast.stmt):
        in_head = isinstance(parent, ast.stmt) and hasattr(parent, "body") and not child.at_import
        if in_head and isinstance(child, ast.expr):
            return range(child.lineno, child.end_lineno + 1)
        return parent.lines
    return range(child.lineno, child.body[0].lineno)


def _changes(node):
    """The changed copies of one node, each with its words."""
    if node.left_out:
        return
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        other = OPERATORS[type(node.op)]
        yield _with(node, op=other()), f"{type(node.op).__name__} -> {other.__name__}"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
            swapped = _with(node, left=node.right, right=node.left)
            yield swapped, f"operands of {type(node.op).__name__} exchanged"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield node.operand, f"{type(node.op).__name__} dropped"
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        first = type(node.ops[0])
        other = COMPARISONS[first]
        yield _with(node, ops=[other(), *node.ops[1:]]), f"{first.__name__} -> {other.__name__}"
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield _with(node, op=other()), f"{type(node.op).__name__} -> {other.__name__}"
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        other = not node.value if isinstance(node.value, bool) else node.value + 1
        yield ast.Constant(other), f"{node.value!r} -> {other!r}"
    elif isinstance(node, ast.IfExp):
        yield _with(node, body=node.orelse, orelse=node.body), "branches exchanged"
    elif isinstance(node, ast.Call):
        plain = [a for a in node.args if isinstance(a, ast.Name)]
        if len(plain) == len(node.args) == 2 and plain[0].id != plain[1].id:
            yield _with(node, args=node.args[::-1]), "arguments exchanged"
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield _with(node, attr=NAMES[node.attr]), f"{node.attr} -> {NAMES[node.attr]}"
    if node.is_test and isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        yield ast.UnaryOp(ast.Not(), node), "condition reversed"
    yield from _left_out(node)


def _left_out(node):
    """A statement that is not executed, and a condition that is the other way round."""
    does = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
    keeps = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    if does or keeps or isinstance(node, ast.AugAssign | ast.Raise):
        yield ast.Pass(), "statement left out"
    elif isinstance(node, ast.Continue):
        yield ast.Break(), "continue -> break"
    elif isinstance(node, ast.Break):
        yield ast.Continue(), "break -> continue"


def _with(node, **fields):
    twin = copy.copy(node)
    for name, value in fields.items():
        setattr(twin, name, value)
    return twin
