"""Mutation testing: change one thing in the engine's mathematics and see whether a test notices.

    python tests/tools/mutation.py --jobs 2 ops conv losses optim

Every place of a file where a sign, a constant, an operator, an operand, a comparison or an axis can
be changed gives mutants. Each is imported in a child process in place of the file and the tests of
the file run until the first failure; a mutant that passes them all has survived, and its line is
printed. Error messages, docstrings and annotations are not mutated.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = [
    "test_backward",
    "test_create_graph",
    "test_derivatives",
    "test_devices",
    "test_dtypes",
    "test_grad",
    "test_hooks",
    "test_leaves",
    "test_memory",
    "test_no_grad",
    "test_primitives",
    "test_provenance",
    "test_seals",
    "test_seals_false_alarms",
    "test_tensor",
    "test_topological_order",
]
GRADIENTS = ["test_gradients", "test_gradients_of_any_input", "test_compositions"]
OPERATIONS = ["test_torch_operations", "test_torch_extremes"]
CONVOLUTION = ["test_torch_convolution", "test_torch_resize"]
LOSSES = ["test_torch_losses", "test_torch_layers"]
TESTS = {  # the quick and telling ones first
    "ops": [*GRADIENTS, "test_retention", *OPERATIONS, "test_errors", "cpu/test_linear", *ENGINE],
    "conv": ["cpu/test_convolution", *GRADIENTS, *CONVOLUTION, "test_errors"],
    "losses": [*GRADIENTS, *OPERATIONS, "test_errors", *LOSSES],
    "optim": [
        "test_torch_optimizers",
        "test_torch_penalties",
        "test_errors",
        "cpu/test_linear",
        "cuda/test_capture",
        "cuda/test_device_library",
    ],
    "optimizer": ["test_torch_optimizers", "test_errors", "cuda/test_capture"],
    "schedules": ["test_torch_schedules"],
    "penalties": ["test_torch_penalties", "test_errors"],
}
# Mutants that change nothing that can be seen, and why: (beginning of the line, change).
EQUIVALENT = {
    ("return np.minimum(a, b)", "arguments exchanged"): "min(a, b) = min(b, a)",
    ("return np.maximum(a, b)", "arguments exchanged"): "max(a, b) = max(b, a)",
    ("return where(condition, 1.0, x)", "1.0 -> 2.0"): "where condition holds, the factor is 0",
    ("return p * (log(where(zero, 1.0", "1.0 -> 2.0"): "where zero holds, the factor p is 0",
    ('if tuple(getattr(a, "shape", (-1,)))', "2 -> 3"): "no array has the shape (-2,) or (-3,)",
    ("step = max(1, _BLOCK", "1 -> 2"): "the size of a block decides the speed only",
    ("blocks = pieces(p.size, _BLOCK", "Or -> And"): "the size of a block decides the speed only",
    ("blocks = pieces(p.size, _BLOCK", "branches exchanged"): "the same",
    ("blocks = pieces(p.size, _BLOCK", "1 -> 2"): "the same",
    ("blocks = pieces(p.size, _BLOCK", "Eq -> NotEq"): "the same",
    ("deviation = x - mean(x", "operands of Sub exchanged"): "only its square is used",
    ("d = prediction - target", "operands of Sub exchanged"): "only its square is used",
    ("d = p - t", "operands of Sub exchanged"): "only its square is used",
    ("total = squared_distance(", "arguments exchanged"): "symmetric, derivatives included",
    ("axes = range(len(shape)) if axis is None", "1 -> 2"): "the shape () has no axes",
    ("self._counts = Counts(graded[0][0]", "0 -> 1"): "all parameters are on the device",
    ("if scale < 1:", "Lt -> LtE"): "multiplies by exactly 1",
    ("p.node.leaf.version += 1", "Add -> Sub"): "any other number says that it changed",
    ("p.node.leaf.version += 1", "1 -> 2"): "the same",
}
SECONDS = 240  # a mutant that takes longer hangs, which is noticed

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


def mutants(source):
    """All mutants of a source: [(line, what was changed, tree), ...]."""
    tree = ast.parse(source)
    _mark(tree)
    found = []
    for index, node in enumerate(ast.walk(tree)):
        for change, words in _changes(node):
            twin = copy.deepcopy(tree)
            place = next(n for k, n in enumerate(ast.walk(twin)) if k == index)
            change(place)
            found.append((node.lineno, words, ast.fix_missing_locations(twin)))
    return found


def _mark(tree):
    """Mark what is not mathematics: messages, docstrings, annotations, imports, names of things."""
    tree.left_out = False
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    child.left_out = (
                        parent.left_out
                        or isinstance(
                            child, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom
                        )
                        or _is_no_mathematics(child)
                        or (
                            name in ("annotation", "returns", "decorator_list")
                            and not _is_primitive(child)
                        )
                    )


def _is_no_mathematics(node):
    """zip's ``strict=True``, which guards against slips of ours, sizes of blocks, and the -1 of
    reshape, for which any negative number serves."""
    if isinstance(node, ast.Assign):
        return getattr(node.targets[0], "id", "").endswith("_BLOCK")
    if isinstance(node, ast.UnaryOp):
        return ast.unparse(node) == "-1"
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _is_primitive(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "primitive"


def _changes(node):
    if node.left_out:
        return
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        other = OPERATORS[type(node.op)]
        yield _set("op", other()), f"{type(node.op).__name__} -> {other.__name__}"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
            yield _swap_sides, f"operands of {type(node.op).__name__} exchanged"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield _drop_sign, f"{type(node.op).__name__} dropped"
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        other = COMPARISONS[type(node.ops[0])]
        yield (
            _set("ops", [other(), *node.ops[1:]]),
            f"{type(node.ops[0]).__name__} -> {other.__name__}",
        )
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield _set("op", other()), f"{type(node.op).__name__} -> {other.__name__}"
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
        value = node.value
        other = not value if isinstance(value, bool) else value + 1
        yield _set("value", other), f"{value!r} -> {other!r}"
    elif isinstance(node, ast.IfExp):
        yield _swap_branches, "branches exchanged"
    elif isinstance(node, ast.Call):
        plain = [a for a in node.args if isinstance(a, ast.Name)]
        if len(plain) == len(node.args) == 2 and plain[0].id != plain[1].id:
            yield _swap_arguments, "arguments exchanged"
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield _set("attr", NAMES[node.attr]), f"{node.attr} -> {NAMES[node.attr]}"


def _set(field, value):
    return lambda node: setattr(node, field, value)


def _swap_sides(node):
    node.left, node.right = node.right, node.left


def _swap_branches(node):
    node.body, node.orelse = node.orelse, node.body


def _swap_arguments(node):
    node.args.reverse()


def _drop_sign(node):
    node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
    if isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)


# ---------------------------------------------------------------------- one mutant
class _Importer(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Gives the mutant when its module is imported."""

    def __init__(self, name, path, tree):
        super().__init__(name, str(path))
        self.tree = tree

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)
        return None

    def get_code(self, name):
        return compile(self.tree, self.path, "exec", dont_inherit=True)


def survives(module, tree, tests):
    """Whether all `tests` pass with the mutant, in a child process."""
    child = os.fork()
    if child:
        return _wait(child)
    code = 2
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        path = ROOT / "minigrad" / f"{module}.py"
        sys.meta_path.insert(0, _Importer(f"minigrad.{module}", path, tree))
        import pytest

        files = [str(ROOT / "tests/minigrad" / f"{name}.py") for name in tests]
        options = [
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]
        code = int(pytest.main([*options, *files]))
    finally:
        os._exit(code)


def _wait(child):
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="try only every k-th mutant")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in ("hypothesis", "numpy", "pytest", "sklearn", "torch"):
        importlib.import_module(name)  # once, before the forks; not minigrad
    total = killed = 0
    for module in options.modules:
        source = (ROOT / "minigrad" / f"{module}.py").read_text()
        if not survives(module, ast.parse(source), TESTS[module]):
            raise SystemExit(f"the tests fail for {module}.py as it is")
        lines = [line.strip() for line in source.splitlines()]
        found = mutants(source)[:: options.every]
        same = [m for m in found if equivalent(lines[m[0] - 1], m[1])]
        found = [m for m in found if m not in same]
        for line, words, _ in same:
            reason = equivalent(lines[line - 1], words)
            print(f"left out: {module}.py:{line}: {words}: {lines[line - 1]}: {reason}", flush=True)
        with ThreadPoolExecutor(options.jobs) as pool:
            alive = list(pool.map(lambda m: survives(module, m[2], TESTS[module]), found))  # noqa: B023
        for (line, words, _), lives in zip(found, alive, strict=True):
            if lives:
                print(f"survived: {module}.py:{line}: {words}: {lines[line - 1]}", flush=True)
        dead = len(found) - sum(alive)
        print(f"{module}.py: {len(found)} mutants, {dead} killed", flush=True)
        total, killed = total + len(found), killed + dead
    print(f"in all: {total} mutants, {killed} killed ({killed / total:.1%})")


def equivalent(line, words):
    """Why a mutant of this line cannot be told from the original, or None."""
    reasons = EQUIVALENT.items()
    return next((why for (text, w), why in reasons if line.startswith(text) and w == words), None)


if __name__ == "__main__":
    main()
