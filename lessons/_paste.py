"""A solution as a text that works where it is pasted: into the lesson."""

import ast
import inspect


def pasted(module, name, lesson):
    """The source of function `name` of `module`, after the imports that the `lesson` lacks."""
    source = inspect.getsource(getattr(module, name))
    used = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    used -= _bound(ast.parse(lesson.read_text(encoding="utf-8")))
    lines = []
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            wanted = [a for a in statement.names if (a.asname or a.name) in used]
            if wanted:
                statement.names = wanted
                lines.append(ast.unparse(statement))
    return "\n".join([*lines, *([""] * 2 if lines else []), source])


def _bound(tree):
    """The names that a script's imports, definitions and assignments at its top give."""
    names = set()
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {a.asname or a.name.partition(".")[0] for a in statement.names}
        elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            targets = [n for t in statement.targets for n in ast.walk(t)]
            names |= {n.id for n in targets if isinstance(n, ast.Name)}
    return names
