"""Mutation testing of the course's judge: change the solutions and see whether it notices.

    nice python tests/tools/lesson_mutants.py 1 2 3

Every place of a solution where an operator, a sign, a constant, an axis, a name or a call can be
changed, a line dropped, an input changed in place, a Tensor detached or a dtype lowered, gives a
mutant. It is other than the solution if it gives other results on new random inputs; such a mutant
that the judge accepts has survived, and is printed. Each runs in a child process with a limit of
time and memory. With --lessons those that are accepted also run their lesson, which must not stop.
"""

import argparse
import ast
import copy
import importlib
import inspect
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SECONDS, MEMORY = 240, 6 * 2**30  # of a child; an answer has 10 seconds by the judge itself
SEEDS = (1, 2, 3)  # of new inputs

# Mutants that give other results somewhere and may pass all the same: (exercise, change) or
# (exercise, line of code, change), and why.
REASONS = {
    (
        "24 seconds_of",
        "returns it in float32",
    ): "anything from the work to the sum is right",
}

OPERATORS = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv), ast.Pow: (ast.Mult,), ast.FloorDiv: (ast.Div, ast.Mult),
    ast.MatMult: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.Mod: (ast.FloorDiv,),
}  # fmt: skip
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
NAMES = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "zeros": "ones",
    "empty": "zeros", "sum": "mean", "mean": "sum", "floor": "ceil", "exp": "expm1",
    "log1p": "log", "log": "log2", "log2": "log", "sqrt": "square", "abs": "square",
    "standard_normal": "random", "arccos": "arcsin", "int": "float", "prod": "sum",
    "relu": "tanh", "permutation": "integers", "reversed": "list", "swapaxes": "moveaxis",
}  # fmt: skip


# ---------------------------------------------------------------------- mutants
def mutants(function):
    """All mutants of a function's source: [(line, words, source), ...], each different."""
    source = inspect.getsource(function)
    tree = ast.parse(source)
    found, seen = [], {ast.unparse(tree)}
    for index, node in enumerate(ast.walk(tree)):
        for words, change in _changes(node, tree):
            twin = ast.parse(source)
            change(twin, list(ast.walk(twin))[index])
            try:
                text = ast.unparse(ast.fix_missing_locations(twin))
                compile(text, "mutant", "exec")
            except (SyntaxError, ValueError, AttributeError):
                continue
            if text not in seen:
                seen.add(text)
                found.append((getattr(node, "lineno", 1), words, text))
    return found


def _put(tree, old, new):
    """Replace a node of the tree."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(v is old for v in value):
                value[next(k for k, v in enumerate(value) if v is old)] = new


def _set(name, value):
    return lambda tree, node: setattr(node, name, value)


def _become(make):
    return lambda tree, node: _put(tree, node, make(node))


def _statement(text):
    return ast.parse(text).body[0]


def _changes(node, tree):
    """(words, change) for everything that can be changed at this node."""
    kind = type(node)
    if kind in (ast.BinOp, ast.AugAssign):
        for other in OPERATORS.get(type(node.op), ()):
            yield f"{type(node.op).__name__} -> {other.__name__}", _set("op", other())
    if kind is ast.BinOp:
        yield "left operand only", _become(lambda n: n.left)
        yield "right operand only", _become(lambda n: n.right)
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
            yield "operands exchanged", _become(lambda n: ast.BinOp(n.right, n.op, n.left))
    elif kind is ast.AugAssign:
        yield "no longer in place", _become(lambda n: ast.Assign([n.target], n.value, lineno=1))
        yield (
            "a new array",
            _become(
                lambda n: ast.Assign(
                    [n.target], ast.BinOp(_load(n.target), n.op, n.value), lineno=1
                )
            ),
        )
    elif kind is ast.UnaryOp:
        yield f"{type(node.op).__name__} dropped", _become(lambda n: n.operand)
    elif kind is ast.Compare:
        other = COMPARISONS.get(type(node.ops[0]))
        if other:
            yield f"{type(node.ops[0]).__name__} -> {other.__name__}", _set("ops", [other()])
        yield (
            "comparison turned round",
            _become(lambda n: ast.Compare(n.comparators[0], n.ops, [n.left])),
        )
    elif kind is ast.BoolOp:
        yield "and, or", _set("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif kind is ast.Constant and type(node.value) in (bool, int, float):
        value = node.value
        others = [value + 1, value - 1, 2 * value, -value]
        if isinstance(value, bool):
            others = [not value]
        for other in others:
            yield f"{value!r} -> {other!r}", _set("value", other)
    elif kind is ast.IfExp:
        yield "branches exchanged", _become(lambda n: ast.IfExp(n.test, n.orelse, n.body))
    elif kind is ast.Call:
        yield from _calls(node)
    elif kind is ast.Attribute:
        if node.attr in NAMES:
            yield f"{node.attr} -> {NAMES[node.attr]}", _set("attr", NAMES[node.attr])
        if node.attr == "T":
            yield "not transposed", _become(lambda n: n.value)
    elif kind is ast.Name and isinstance(node.ctx, ast.Load):
        if node.id in NAMES:
            yield f"{node.id} -> {NAMES[node.id]}", _set("id", NAMES[node.id])
        names = [a.arg for a in tree.body[0].args.args]
        for other in [n for n in names if n != node.id][:2] if node.id in names else []:
            yield f"{node.id} -> {other}", _set("id", other)
    elif kind is ast.Subscript and isinstance(node.ctx, ast.Load):
        yield "no index", _become(lambda n: n.value)
    elif kind is ast.Slice:
        for part in ("lower", "upper", "step"):
            if getattr(node, part) is not None:
                yield f"slice without {part}", _set(part, None)
        if node.upper is not None:
            yield "slice one shorter", _set("upper", ast.BinOp(node.upper, ast.Sub(), _number(1)))
    elif kind is ast.Tuple and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield "tuple reversed", _set("elts", node.elts[::-1])
    elif kind is ast.For:
        stops = _set("body", [*node.body, ast.Break()])
        yield "one round only", stops
        skips = ast.parse(f"list({ast.unparse(node.iter)})[1:]").body[0].value
        yield "without the first round", _set("iter", skips)
        skips = ast.parse(f"list({ast.unparse(node.iter)})[:-1]").body[0].value
        yield "without the last round", _set("iter", skips)
    elif kind is ast.FunctionDef and node in tree.body:
        yield from _whole(node)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.If) and node not in tree.body:
        yield "line dropped", _become(lambda n: ast.Pass())
    if kind is ast.Return:
        yield from _returns()


def _load(target):
    twin = copy.deepcopy(target)
    twin.ctx = ast.Load()
    return twin


def _number(n):
    return ast.Constant(n)


def _calls(node):
    if len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred):
        yield "call dropped", _become(lambda n: n.args[0])
    if len(node.args) >= 2:
        yield "first two arguments exchanged", _set("args", [*node.args[1::-1], *node.args[2:]])
        yield "last argument dropped", _set("args", node.args[:-1])
    for k, keyword in enumerate(node.keywords):
        rest = node.keywords[:k] + node.keywords[k + 1 :]
        yield f"without {keyword.arg}=", _set("keywords", rest)
        if keyword.arg in ("axis", "axes"):
            for other in ("None", "0", "1", "-1"):
                if ast.unparse(keyword.value) != other:
                    value = ast.parse(other).body[0].value
                    now = [*rest, ast.keyword(keyword.arg, value)]
                    yield f"axis={other}", _set("keywords", now)
        elif isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            now = [*rest, ast.keyword(keyword.arg, ast.Constant("tanh"))]
            yield f"{keyword.arg}='tanh'", _set("keywords", now)


def _whole(node):
    """An input changed before or after, detached, or of lower precision."""
    for name in [a.arg for a in node.args.args]:
        array = f"getattr({name}, 'ndim', 0)"
        for words, text in (
            ("detached", f"{name} = {name}.numpy() if hasattr({name}, 'numpy') else {name}"),
            ("in float32", f"{name} = {name}.astype('float32') if {array} else {name}"),
            ("doubled in place", f"{name} *= 2 if {array} else 1"),
            ("replaced by its list", f"{name} = {name}.tolist() if {array} else {name}"),
        ):
            yield f"{name} {words}", _set("body", [_statement(text), *node.body])
        after = _statement(f"try:\n    pass\nfinally:\n    {name}[...] = 0")
        after.body = node.body
        yield f"{name} overwritten afterwards", _set("body", [after])


def _returns():
    """What is returned, in another form."""
    for words, text in (
        ("returns None", "None"),
        ("returns its negative", "-(X)"),
        ("returns twice of it", "2 * (X)"),
        ("returns it in float32", "np.float32(X)"),
        ("returns it as whole numbers", "np.asarray(X).astype(int)"),
        ("returns a list", "np.asarray(X).tolist()"),
        ("returns an array", "np.asarray(X)"),
        ("returns it reversed", "(X)[::-1]"),
        ("returns it transposed", "(X).T"),
        ("returns it flat", "np.ravel(X)"),
        ("returns its sum", "np.sum(X)"),
        ("returns its mean", "np.mean(X)"),
        ("returns it rolled", "np.roll(X, 1)"),
        ("returns it detached", "mg.tensor((X).numpy()) if hasattr(X, 'node') else X"),
        ("returns a Tensor", "mg.tensor(X)"),
    ):

        def change(tree, node, text=text):
            if node.value is not None:
                value = ast.unparse(node.value)
                node.value = ast.parse(text.replace("X", f"({value})")).body[0].value

        yield words, change


# ---------------------------------------------------------------------- exercises
def exercises(numbers):
    """(label, module of solutions, name, check) for each exercise of these lessons."""
    from lessons import Check

    for number in numbers:
        checks = importlib.import_module(f"lessons.checks.{number:02d}")
        solutions = importlib.import_module(f"lessons.solutions.{number:02d}")
        for name, check in vars(checks).items():
            if isinstance(check, Check) and hasattr(solutions, name):
                yield f"{number} {name}", solutions, name, check


def new_cases(check, label):
    """The check's cases with other random numbers, and those of lesson_probes.py."""
    from lesson_probes import PROBES

    draw, cases = np.random.default_rng, list(check.cases())
    for seed in SEEDS:
        try:
            np.random.default_rng = lambda s=0, seed=seed: draw([seed, 7, *np.atleast_1d(s)])
            cases += check.cases()
        finally:
            np.random.default_rng = draw
    return [*cases, *PROBES.get(label, lambda rng: [])(draw(99))]


def made(solutions, name, text):
    """The mutant as a function, in the namespace of the solutions."""
    import minigrad as mg

    scope = vars(solutions) | {"np": np, "mg": mg}
    exec(compile(text, f"mutant of {name}", "exec"), scope)
    return scope[name]


def judged(label, solutions, name, check, text, cases, wanted):
    """{"status", "text", "other"} of one mutant."""
    from lessons._compare import same

    f = made(solutions, name, text)
    verdict = check.verdict(f)
    other = False
    if verdict.status == "right":
        for case, right in zip(cases, wanted, strict=True):
            seen = check._run(f, case)
            if not same(seen.value, right.value) or seen.fault != right.fault:
                other = True
                break
        if check.trained and not other:
            from lessons._flow import cut_off

            other = any(
                bool(cut_off(f, case, check.judges[0].expected, check.library)) for case in cases
            )
    return {"status": verdict.status, "text": verdict.text, "other": other}


def in_child(work, seconds=SECONDS):
    """What `work()` returns, as JSON, from a child process; {"text": "hangs"} after `seconds`."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            try:
                result = work()
            except BaseException as error:
                result = {"status": "traceback", "text": repr(error), "other": True}
            os.write(write, json.dumps(result).encode())
        finally:
            os._exit(0)
    os.close(write)
    until, data = time.monotonic() + seconds, b""
    while time.monotonic() < until:
        if select.select([read], [], [], 0.5)[0]:
            more = os.read(read, 1 << 16)
            if not more:
                break
            data += more
    os.close(read)
    if not data:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(data) if data else {"status": "hangs", "text": "hangs", "other": True}


def runs_in_its_lesson(number, name, text):
    """{"text": the error that stops the lesson, or ""} with the mutant as the answer."""
    from lessons._run import run

    def write(source):
        lines = source.splitlines()
        f = next(f for f in ast.parse(source).body if getattr(f, "name", "") == name)
        imports = "import math\nimport numpy as np\nimport minigrad as mg\n"
        imports += "".join(
            line + "\n"
            for line in Path(ROOT, f"lessons/solutions/{number:02d}.py").read_text().splitlines()
            if line.startswith(("import ", "from "))
        )
        lines[f.lineno - 1 : f.end_lineno] = text.splitlines()
        lines[f.lineno - 2 : f.lineno - 2] = imports.splitlines()
        return "\n".join(lines)

    outcome = run(number, "--fast", quiet=True, change=write)
    return {"status": "", "text": outcome.error, "other": False}


def reason(label, line, words):
    """Why a mutant cannot be told from the solution, or may pass, or None."""
    for key, why in REASONS.items():
        if key[0] == label and key[-1] == words and (len(key) == 2 or key[1] in line):
            return why
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("lesson", nargs="*", type=int)
    parser.add_argument("--every", type=int, default=1, help="try only every k-th mutant")
    parser.add_argument("--lessons", action="store_true", help="run lessons of accepted mutants")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    for name in ("torch", "scipy.signal", "sklearn.decomposition"):
        importlib.import_module(name)  # once, before the forks
    counts = dict.fromkeys(("mutants", "rejected", "alike", "excused", "survived", "broken"), 0)
    from lessons._header import lessons

    for label, solutions, name, check in exercises(options.lesson or lessons()):
        cases = new_cases(check, label)
        wanted = [check._run(getattr(solutions, name), case) for case in cases]
        lines = inspect.getsource(getattr(solutions, name)).splitlines()
        for line, words, text in mutants(getattr(solutions, name))[:: options.every]:
            code = lines[line - 1].strip()
            found = in_child(
                lambda: judged(label, solutions, name, check, text, cases, wanted)  # noqa: B023
            )
            counts["mutants"] += 1
            place = f"{label}, line {line}: {words}: {code}"
            if found["status"] not in ("right", "wrong", "todo") or "\n" in found["text"]:
                counts["broken"] += 1
                print(f"broken: {place}: {found['text']}", flush=True)
            elif found["status"] != "right":
                counts["rejected"] += 1
            elif not found["other"]:
                counts["alike"] += 1
            elif reason(label, code, words):
                counts["excused"] += 1
                print(f"excused: {place}: {reason(label, code, words)}", flush=True)
            else:
                counts["survived"] += 1
                print(f"survived: {place}", flush=True)
            if options.lessons and found["status"] == "right":
                number = int(label.split()[0])
                ran = in_child(lambda: runs_in_its_lesson(number, name, text), 120)  # noqa: B023
                if ran["text"]:
                    counts["broken"] += 1
                    print(f"stops its lesson: {place}: {ran['text']}", flush=True)
    other = counts["rejected"] + counts["survived"] + counts["excused"]
    print(", ".join(f"{n} {word}" for word, n in counts.items()))
    print(f"of {other} that give other results, {counts['rejected'] / max(other, 1):.2%} rejected")


if __name__ == "__main__":
    main()
