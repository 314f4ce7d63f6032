"""The pages of docs/site: their code runs as printed, links of texts become those of the site."""

import contextlib
import importlib
import io
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "site"
TASKS = sorted(path.name for path in (FOLDER / "tasks").glob("*.md") if path.stem != "index")


@pytest.mark.parametrize("name", TASKS)
def test_the_code_runs_and_prints_what_it_says(name):
    text, names = (FOLDER / "tasks" / name).read_text(encoding="utf-8"), {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, name, "exec"), names)
        expected = re.findall(r"^print\(.*\)(?:  |\n)# (.*)$", block, re.MULTILINE)
        assert out.getvalue().splitlines() == expected
        assert expected


@pytest.fixture
def pages():
    for module in ("sphinx", "myst_nb"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -e '.[docs]'")
    return importlib.import_module("pages")


class Links:
    """As those of the book, with one lesson, and without pages of the source."""

    lessons = {1: "/course/lessons/01"}  # noqa: RUF012

    def target(self, path):
        return f"#{path}"


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("[x](uses/README.md#samples)", "[x](/pages/measured/uses.md#samples)"),
        ("[x](bugs.md)", "[x](/course/bugs/index)"),
        ("[`x](y)`](../minigrad/ops.py)", "[`x](y)`](#minigrad/ops.py)"),
        ("[x](../lessons/01_a_slope_you_can_measure.py)", "[x](/course/lessons/01)"),
        ("![x](uses/samples.png)", "![x](/../../docs/uses/samples.png)"),
        ("[x](https://a.b/c.md)", "[x](https://a.b/c.md)"),
        ("```\n[x](nothing.md)\n```", "```\n[x](nothing.md)\n```"),
    ],
)
def test_a_link_of_a_text_leads_to_the_same_on_the_site(pages, link, there):
    text, figures = pages.linked(f"before\n{link}\nafter", "docs/a.md", Links())
    assert text == f"before\n{there}\nafter"
    assert len(figures) == link.startswith("!")


def test_a_link_into_nothing_is_an_error(pages):
    with pytest.raises(ValueError, match=r"docs/a\.md links to nothing\.md, which is not there"):
        pages.linked("[x](nothing.md)", "docs/a.md", Links())


def test_every_text_of_docs_has_a_page(pages):
    found = pages.texts()
    for path in (FOLDER.parent).glob("*.md"):
        assert f"docs/{path.name}" in found or f"docs/{path.name}" in pages.ELSEWHERE
    assert found["docs/networks.md"] == "/pages/tasks/networks"  # where all others go
    for path in [*pages.PLACES, *pages.ELSEWHERE]:
        assert (FOLDER.parents[1] / path).is_file()
