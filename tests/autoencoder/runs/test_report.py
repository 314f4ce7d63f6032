"""A report is one well-formed HTML file that asks nothing of the network and escapes every text."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from autoencoder.plots import kl_per_unit
from autoencoder.runs.html import Picture, Section, Table, settings_table, write_report

VOID = {"meta", "img", "br", "hr", "link", "input"}
EVIL = "<script>alert('x')</script> & \"quoted\" </td></table> é\x00\x1b\u202e\ud800"
SEEN = "<script>alert('x')</script> & \"quoted\" </td></table> é"


class Page(HTMLParser):
    """Reads a page strictly: every element that opens closes, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else None, data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def inside(self, tag):
        return [text for where, text in self.texts if where == tag]


@pytest.fixture
def page(tmp_path):
    """Write a report with everything in it, and read it."""
    figure = kl_per_unit([1.0, 0.0], tmp_path / "kl.png", title="one unit")
    table = Table(
        "Held out",
        {
            "mean image": {"PSNR": 12.761234},
            EVIL: {"PSNR": (19.9, 0.25), "ELBO": np.float32(-21.0), "note": EVIL},
        },
        ours=EVIL,
    )
    sections = [
        Section(EVIL, ("All held out.", EVIL, table)),
        Section("Figures", (Picture("kl.png", EVIL, EVIL), Picture(figure, "b", "again"))),
        Section("Settings", (settings_table({"seed": 0, "noise": {"std": 1 / 3}, "x": None}),)),
    ]
    path = write_report(tmp_path, title=EVIL, summary=EVIL, sections=sections)
    assert path == tmp_path / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_whole(page):
    assert [tag for tag, _ in page.elements].count("h1") == 1
    for tag in ("html", "head", "body", "title", "style", "main", "nav"):
        assert len(page.all(tag)) == 1, tag
    assert page.all("html") == [{"lang": "en-GB"}]
    assert {"charset": "utf-8"} in page.all("meta")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids) == 3
    assert [link["href"] for link in page.all("a")] == [f"#{name}" for name in ids]


def test_nothing_is_asked_of_the_network(page):
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "srcset", "action", "data", "poster"):
                start = "data:image/png;base64," if tag == "img" else "#"
                assert value.startswith(start), (tag, name, value[:40])
    (style,) = page.inside("style")
    assert "url(" not in style
    assert "@import" not in style
    policy = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_images_are_the_files_with_a_size_and_a_text(page, tmp_path):
    first, second = page.all("img")
    data = base64.b64decode(first["src"].split(",")[1], validate=True)
    assert data == (tmp_path / "kl.png").read_bytes()
    assert first["src"] == second["src"]
    assert (first["alt"], second["alt"]) == (SEEN, "again")
    assert (int(first["width"]), int(first["height"])) == (814, 374)


def test_every_text_is_shown_as_it_is(page):
    assert page.inside("title") == page.inside("h1") == [SEEN]
    assert page.inside("h2") == [SEEN, "Figures", "Settings"]
    assert page.inside("a") == [SEEN, "Figures", "Settings"]
    assert page.inside("p") == [SEEN, "All held out.", SEEN]
    assert page.inside("figcaption") == [SEEN, "b"]


def test_tables_say_what_is_whose(page):
    rows = [attributes.get("class") for attributes in page.all("tr")]
    assert rows[:3] == [None, None, "ours"]
    assert page.inside("th")[:5] == ["PSNR", "ELBO", "note", "mean image", SEEN]
    assert {"scope": "col", "class": "number"} in page.all("th")
    dash = "\N{EN DASH}"
    assert page.inside("td")[:6] == ["12.76", dash, dash, "19.9 ± 0.25", "-21", SEEN]
    assert page.inside("caption")[0] == "Held out"
    assert page.inside("td")[6:] == ["0", "0.3333333333333333", "None"]  # settings: every digit


def test_numbers_are_readable(tmp_path):
    rows = {"a": {"n": 8579841, "p": 1.23456e-7, "nan": float("nan"), "yes": True, "no": None}}
    write_report(tmp_path, title="t", sections=[Section("One", (Table("t", rows),))])
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.inside("td") == ["8579841", "1.235e-07", "nan", "yes", "\N{EN DASH}"]


def test_light_dark_and_paper_have_their_colours_with_contrast(page):
    (style,) = page.inside("style")
    assert "color-scheme: light dark" in style
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colours = dict(re.findall(r"--(\w+): #(\w{6})", block))
        for ink in ("text", "quiet", "link"):
            for paper in ("page", "tint"):
                assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    assert len(re.findall(r":root \{", style)) == 3
    assert "@media print" in style
    assert "prefers-color-scheme: dark" in style


def contrast(first, second):
    """The contrast ratio of WCAG 2.1 of two colours."""

    def luminance(colour):
        s = np.array([int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)])
        linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


def test_a_dark_reader_does_not_print_dark_pages(page):
    (style,) = page.inside("style")
    assert style.index("@media print") > style.index("prefers-color-scheme: dark")


def test_equal_input_gives_equal_bytes_and_an_old_report_is_replaced(tmp_path):
    sections = [Section("One", ("text",))]
    first = write_report(tmp_path, title="t", sections=sections).read_bytes()
    (tmp_path / "report.html").write_text("old" * 10_000)
    again = write_report(str(tmp_path), title="t", sections=iter(sections)).read_bytes()
    assert first == again
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_what_cannot_be_reported_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    kl_per_unit([1.0], tmp_path / "kl.png", title="t")

    def write(*parts):
        write_report(tmp_path, title="t", sections=[Section("One", parts)])

    with pytest.raises(FileNotFoundError, match=r"should show .*missing\.png, but there is no"):
        write(Picture("missing.png", "a", "b"))
    with pytest.raises(ValueError, match=r"shows PNG files, but .*text\.png is none"):
        write(Picture("text.png", "a", "b"))
    with pytest.raises(ValueError, match=r"kl\.png needs an alt text"):
        write(Picture("kl.png", "a", " "))
    with pytest.raises(TypeError, match="texts, Tables, Pictures and Links, but got dict"):
        write({"a": 1})
    with pytest.raises(ValueError, match=r"no row 'b', only \['a'\]"):
        write(Table("t", {"a": {"x": 1}}, ours="b"))
    with pytest.raises(FileNotFoundError, match=r"existing folder, but .*nowhere is none"):
        write_report(tmp_path / "nowhere", title="t", sections=[])
    assert not (tmp_path / "report.html").exists()
