"""``python -m lessons nbgrader FOLDER``: the lessons as assignments for nbgrader.

Each exercise becomes two cells: its solution, between the marks that nbgrader takes out for
learners, and a test that asks the judge, once as learners see it and once, hidden from them, with a
fresh seed.
"""

import argparse
import ast
import importlib
import secrets
from pathlib import Path

import nbformat
import nbformat.v4 as nb

from ._header import FIELDS, lessons, read_header
from ._paste import pasted
from ._percent import cells_of, exercises_apart

_CONFIG = """# Written by python -m lessons nbgrader
c = get_config()
c.CourseDirectory.course_id = "minigrad"
c.ClearSolutions.code_stub = {"python": 'raise Todo("not written yet")'}
c.ExecutePreprocessor.timeout = 300
"""


def main(arguments):
    """Write FOLDER/source/NN_slug/NN_slug.ipynb for each lesson; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lessons nbgrader", description=__doc__)
    parser.add_argument("folder", type=Path, help="the course directory of nbgrader")
    parser.add_argument("lesson", nargs="*", type=int, help="only these lessons; none: all")
    parser.add_argument("--seed", type=int, help="of the hidden tests; default: a new one")
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    if unknown := [n for n in options.lesson if n not in lessons()]:
        parser.error(f"there is no lesson {', '.join(map(str, unknown))}")
    options.folder.mkdir(parents=True, exist_ok=True)
    config = options.folder / "nbgrader_config.py"
    if not config.exists():
        config.write_text(_CONFIG, encoding="utf-8")
    for number in options.lesson or lessons():
        stem = lessons()[number].stem
        path = options.folder / "source" / stem / f"{stem}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(assignment(number, seed), path)
        print(path)
    print(f"\nseed {seed}; next:  cd {options.folder} && nbgrader generate_assignment NAME")
    return 0


def assignment(number, seed):
    """Lesson `number` as a notebook with solutions, tests and the metadata of nbgrader."""
    header = read_header(lessons()[number])
    made = [_fixed(nb.new_markdown_cell, _title(header), "title")]
    cells = cells_of(header.path.read_text(encoding="utf-8"))
    for k, cell in enumerate(exercises_apart(cells)):
        if cell.exercise:
            made += _exercise(number, *cell.exercise, cell.text, seed)
        elif cell.kind == "markdown":
            made.append(_fixed(nb.new_markdown_cell, cell.text, f"text-{k}"))
        else:
            code = cell.text.replace(f"Lesson({number})", f'Lesson({number}, "--fast")')
            made.append(_fixed(nb.new_code_cell, code.strip(), f"code-{k}"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nb.new_notebook(cells=made, metadata={"kernelspec": kernel})


def _title(header):
    lines = [f"- **{name}:** {header.fields[name]}" for name in FIELDS if name != "Time"]
    return f"# {header.number}  {header.title}\n\n" + "\n".join(lines)


def _fixed(make, source, name):
    """A cell that learners cannot change."""
    return make(source, metadata=_metadata(name, locked=True))


def _metadata(name, **values):
    marks = {"grade": False, "locked": False, "solution": False, "task": False}
    return {"nbgrader": {"schema_version": 3, "grade_id": name, **marks, **values}}


def _exercise(number, label, name, source, seed):
    """The cell with the solution between nbgrader's marks, and the cell that grades it."""
    tree = ast.parse(source).body[0]
    todo = next(s for s in tree.body if isinstance(s, ast.Raise))
    hint = "".join(ast.literal_eval(a) for a in todo.exc.args)
    solutions = importlib.import_module(f"lessons.solutions.{number:02d}")
    text = pasted(solutions, name, lessons()[number])
    function = ast.parse(text).body[-1]
    body = text.splitlines()[function.body[0].lineno - 1 :]
    imports = [f"    {ast.unparse(s)}" for s in ast.parse(text).body[:-1]]
    lines = source.rstrip().splitlines()
    above, below = lines[: todo.lineno - 1], lines[todo.end_lineno :]
    marked = [f"    # {hint}", "    ### BEGIN SOLUTION", *imports, *body, "    ### END SOLUTION"]
    name = f"{label}-{name}".replace(".", "-").replace("_", "-")
    solution = nb.new_code_cell(
        "\n".join([*above, *marked, *below]), metadata=_metadata(name, solution=True)
    )
    test = (
        f'lesson.grade("{label}")\n### BEGIN HIDDEN TESTS\n'
        f'lesson.grade("{label}", seed={seed})\n### END HIDDEN TESTS'
    )
    grading = _metadata(f"test-{name}", grade=True, locked=True, points=1)
    return [solution, nb.new_code_cell(test, metadata=grading)]
