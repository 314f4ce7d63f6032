"""What an earlier lesson defines, with your answers in it, for a later one to build on."""

import ast
import importlib
import types

from ._header import lessons


def earlier(number, *names, solution=False):
    """What lesson `number` defines: a namespace, or the values of `names`, and a sentence that says
    whose they are.

    Its imports, its constants in capitals, its functions and its classes are run, and what it takes
    from lessons still earlier, nothing else:
    nothing is trained or drawn again. An exercise gives your answer if it is right (judged anew,
    without PyTorch), and the library's otherwise; with `solution` it gives the solution.
    """
    path = lessons()[number]
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise SystemExit(f"This builds on {path.name}, which Python cannot read: {error}") from None
    tree.body = [statement for statement in tree.body if _defines(statement)]
    judge = _Silent(number, solution)
    scope = {"__name__": path.stem, "lesson": judge}
    exec(compile(tree, str(path), "exec"), scope)
    values = tuple(scope[name] for name in names) or types.SimpleNamespace(**scope)
    return values[0] if len(names) == 1 else values, judge.sentence(scope, names)


def _defines(statement):
    if isinstance(statement, ast.Assign):
        constant = all(isinstance(t, ast.Name) and t.id.isupper() for t in statement.targets)
        return constant or "lesson.earlier(" in ast.unparse(statement.value)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


class _Silent:
    """Stands for the ``lesson`` of that file."""

    fast = True

    def __init__(self, number, solution):
        self.number, self.solution, self.yours, self.others = number, solution, [], []

    def exercise(self, label):
        def judge(f):
            name = f.__name__
            check = getattr(importlib.import_module(f"lessons.checks.{self.number:02d}"), name)
            if self.solution:
                f = getattr(importlib.import_module(f"lessons.solutions.{self.number:02d}"), name)
            f.__globals__[name] = f
            right = check.verdict(f, quick=True).status == "right"
            (self.yours if right else self.others).append(name)
            return f if right else check.library

        return judge

    def earlier(self, number, *names):
        return earlier(number, *names, solution=self.solution)[0]

    def sentence(self, scope, names):
        if any(n not in self.yours + self.others and callable(scope[n]) for n in names):
            names = ()  # something that is made of the exercises, perhaps of all
        yours = [name for name in self.yours if name in (names or self.yours)]
        others = [name for name in self.others if name in (names or self.others)]
        parts = [f"your {', '.join(yours)}"] if yours else []
        if others:
            it = "them" if len(others) > 1 else "it"
            parts.append(f"the library's {', '.join(others)}, until you have solved {it} there")
        return f"  from lesson {self.number}: {'; '.join(parts)}" if parts else ""
