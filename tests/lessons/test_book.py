"""A book of two lessons: it is built without a warning, its links lead somewhere, it needs no
network, and its pages run in a browser. The whole book is built by hand: python -m lessons book."""

import re
import warnings

from lessons import __main__ as runner
from lessons._header import FOLDER, lessons, scripts
from lessons._percent import cells_of, exercises_apart
from lessons.book import MOVING, moving
from lessons.book.formula import formula

import pytest
from browser import page_after
from html_pages import Page, faults

REASON = "{} is not installed: pip install -e '.[docs]'"
BUGS = (1, 5)  # entries of the museum in the small book


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a book of lessons 1 and 2 and of two bugs."""
    for module in ("sphinx", "myst_nb", "pydata_sphinx_theme"):
        pytest.importorskip(module, reason=REASON.format(module))
    from lessons.book import museum

    folder, patch = tmp_path_factory.mktemp("book"), pytest.MonkeyPatch()
    introduction, *entries = re.split(r"^(?=##)", museum.PATH.read_text(), flags=re.MULTILINE)
    rooms = [e for e in entries if not e.startswith("### ") or int(e.split()[1][:-1]) in BUGS]
    rooms = [e for k, e in enumerate(rooms) if e.startswith("### ") or k in (0, 2)]
    (folder / "bugs.md").write_text(introduction + "".join(rooms), encoding="utf-8")
    patch.setattr(museum, "PATH", folder / "bugs.md")
    words = ["lessons", "book", "1", "2", "--fast", "--output", str(folder / "html")]
    patch.setattr(runner.sys, "argv", words)
    try:
        with warnings.catch_warnings():  # of the tools, about themselves
            warnings.simplefilter("ignore")
            assert runner.main() == 0
    finally:
        patch.undo()
    return folder / "html"


def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(book):
    pages, found = faults(book)
    assert len(pages) > 20 and not found


def test_a_lesson_is_shown_with_what_it_prints_and_draws(book):
    path = book / "lessons" / f"{lessons()[2].stem}.html"
    text, source = "".join(Page(path).text), path.read_text(encoding="utf-8")
    assert "+ 2.1 product_rule  right: largest difference" in text
    assert "raise Todo(" in text  # as a learner finds it
    assert "A solution of 2.2" in text and "done.append(node)  # after all its parents" in text
    assert "Parents come before the nodes that use them" in text  # a mistake that is recognised
    assert "minigrad/gradient.py::grad" in text and "dy/da, dy/db without waiting: 29, 22" in text
    assert '"""02  ' not in text and "lesson.finish()" not in text
    assert 'alt="A node that passes on before all its users' in source
    assert source.count('class="moving" data-figure="walk"') == 1
    first = (book / "lessons" / f"{lessons()[1].stem}.html").read_text(encoding="utf-8")
    assert "h<sup>2</sup>" in first


def test_each_bug_has_a_page_that_links_to_its_check(book):
    names = sorted(path.name for path in (book / "bugs").glob("*-*.html"))
    assert [int(name[:2]) for name in names] == list(BUGS)
    page = Page(book / "bugs" / names[0])
    assert "minigrad/testing.py::gradcheck" in "".join(page.text)
    assert any("source/minigrad-testing.py.html#source-minigrad-testing-" in k for k in page.links)
    assert "Dead" not in page.text and "rng = np.random.default_rng(0)" in "".join(page.text)


def test_the_other_pages(book):
    index = Page(book / "index.html")
    assert sum(link.startswith("lessons/0") for link in index.links) >= 4
    glossary = Page(book / "glossary.html")
    assert f"lessons/{lessons()[2].stem}.html" in glossary.links
    assert "nbgrader" in "".join(Page(book / "teaching.html").text)
    source = (book / "source" / "minigrad-gradient.py.html").read_text(encoding="utf-8")
    assert re.search(r'id="source-minigrad-gradient-\d+"', source)


def test_the_figure_runs_in_its_page(book, tmp_path):
    page = book / "lessons" / f"{lessons()[2].stem}.html"
    text, console = page_after(page, tmp_path, "?order=once&step=14")
    said = "Changed to auto mode using the light theme"  # by the theme
    assert not [line for line in console if said not in line]
    values = re.findall(r'data-name="dy/d[ab]"[^>]*data-value="([\d.]+)"', text)
    assert values == ["29", "22"]


def test_no_other_folder_is_overwritten(book, tmp_path):
    from lessons.book import build

    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(SystemExit, match="holds something that is not a book"):
        build.main(["1", "--output", str(tmp_path)])
    with pytest.raises(SystemExit):
        build.main(["99"])


# ---------------------------------------------------------------------- parts
def test_each_figure_stands_below_one_of_a_lesson():
    sources = [path.read_text(encoding="utf-8") for path in scripts().values()]
    for name in MOVING:
        assert sum(f'"{name}"' in source for source in sources) == 1, name
    for figure in moving():
        assert (FOLDER / "book" / "static" / f"{figure}.js").is_file()


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("w <- w - lr g", "<mi>w</mi><mo>&larr;</mo><mi>w</mi><mo>&minus;</mo><mi>lr</mi>"),
        ("m / (1 - beta1**t)", "<mfrac><mrow><mi>m</mi></mrow><mrow><mn>1</mn><mo>&minus;</mo>"),
        ("a / b c", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac><mi>c</mi>"),
        ("v' = sqrt(v)", "<msup><mi>v</mi><mo>&prime;</mo></msup><mo>=</mo><msqrt>"),
        ("(a + b)^2", "<msup><mrow><mo>(</mo><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow>"),
        ("sum over i, j of X[i, j]", "<munder><mo>&sum;</mo><mrow><mi>i</mi>"),
        ("<g, x>", "<mo>&lang;</mo><mrow><mi>g</mi><mo>,</mo><mi>x</mi></mrow><mo>&rang;</mo>"),
        ("-log2(p)", "<mo>&minus;</mo><msub><mi>log</mi><mi>2</mi></msub><mo>(</mo>"),
        ("y = x   for all x", "<span>for all x</span>"),
    ],
)
def test_formulas(text, drawn):
    assert drawn in formula(text)
    assert formula(text).count("<mrow>") == formula(text).count("</mrow>")


@pytest.mark.parametrize("text", ["G written as a matrix.", "a = b, where c", "x = (", "a ** b)"])
def test_what_is_no_formula_stays_as_it_is(text):
    assert formula(text) is None


def test_most_formulas_of_the_lessons_are_drawn():
    blocks = [
        block
        for path in scripts().values()
        for cell in cells_of(path.read_text(encoding="utf-8"))
        if cell.kind == "markdown"
        for block in re.findall(r"(?:^    .*\n?)+", cell.text, re.MULTILINE)
    ]
    drawn = [formula(re.sub("^    ", "", block, flags=re.MULTILINE)) for block in blocks]
    assert sum(map(bool, drawn)) > 0.7 * len(blocks)


def test_prose_raises_powers_and_links_lessons():
    pytest.importorskip("nbformat", reason=REASON.format("nbformat"))
    from lessons.book.chapter import prose
    from lessons.book.source import Links

    text = "h**2 and (1 - g)^2, 2**-23, |J|^2; `h**2`, 3 * 4; see lesson 1 and lesson 2."
    text += "\n\n    w <- w\n"
    drawn = prose(text, 2, Links([1, 2]))
    assert (
        "h<sup>2</sup> and (1 - g)<sup>2</sup>, 2<sup>-23</sup>, |J|<sup>2</sup>; `h**2`" in drawn
    )
    assert f"3 &times; 4; see [lesson 1](/lessons/{lessons()[1].stem}) and lesson 2." in drawn
    assert drawn.rstrip().endswith("</math></div>")


def test_exercises_stand_alone_and_no_line_is_lost():
    source = '"""01  T"""\n\nimport a\n\n# %%\n@lesson.exercise("1.1")\ndef f(x):\n    """?"""\n'
    source += "\n\ny = f(1)\n"
    header, exercise, rest = exercises_apart(cells_of(source))
    assert (header.text.strip(), header.line) == ("import a", 2)
    assert (exercise.exercise, exercise.line) == (("1.1", "f"), 6)
    assert (rest.text.strip(), rest.line) == ("y = f(1)", 9)
    for path in scripts().values():
        text = path.read_text(encoding="utf-8")
        code = "".join(c.text for c in exercises_apart(cells_of(text)) if c.kind == "code")
        kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        docstring = kept.index('"""', 1) + 1
        assert [k for k in code.splitlines() if k.strip() and k[0] != "#"] == kept[docstring:]
