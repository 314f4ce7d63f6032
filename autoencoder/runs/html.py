"""The report of a run: one HTML file that holds everything, figures too, and opens from disk.

It asks nothing of the network: the style is inline, the images are data: URIs, there is no script,
and a Content-Security-Policy forbids the rest. Light and dark follow the reader's settings; on
paper it is black on white and no figure or table is broken across pages.
"""

import base64
from html import escape
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from minigrad.checkpoint import whole

from ..checks import visible
from .files import own

STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --quiet: #5a5a5a; --page: #ffffff;
  --line: #d5d5d5; --tint: #eef4f9; --link: #00598c; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --quiet: #a8a8a8; --page: #17191c;
  --line: #3b3f45; --tint: #20303d; --link: #7cc4f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }
.table { overflow-x: auto; margin: 1rem 0; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { caption-side: top; text-align: left; color: var(--quiet); padding-bottom: .4rem; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
tbody th { font-weight: normal; }
tr.ours { background: var(--tint); }
tr.ours th, tr.ours td { font-weight: 600; }
figure { margin: 1.5rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff;
  border-radius: 4px; }
figcaption { color: var(--quiet); margin-top: .4rem; max-width: 46rem; }
@media print {
  :root { --text: #000000; --quiet: #444444; --page: #ffffff; --line: #bbbbbb; --tint: #f0f0f0;
    --link: #000000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  figure, table, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  tr.ours { print-color-adjust: exact; }
  .table { overflow: visible; }
}
"""

PNG = b"\x89PNG\r\n\x1a\n"  # how a file begins


class Table(NamedTuple):
    """Rows of values under named columns: `rows` is row -> {column -> value}.

    Methods are rows and metrics columns; a row that lacks a column gets a dash. A value is a text,
    a number, or a pair (mean, deviation). `ours` names the row to bring out among its baselines.
    """

    caption: str
    rows: dict
    ours: str | None = None


class Picture(NamedTuple):
    """A PNG file with its caption and what it shows in words, for those who cannot see it.

    A relative `path` counts from the folder of the report.
    """

    path: str | Path
    caption: str
    alt: str


class Link(NamedTuple):
    """A paragraph that leads to a file in the folder of the report."""

    text: str
    file: str


class Section(NamedTuple):
    """A heading and what is below it: texts (paragraphs), `Table`s, `Picture`s and `Link`s."""

    heading: str
    parts: tuple = ()


def settings_table(settings, caption="All settings of the run"):
    """Make a `Table` of name -> value, all digits kept; dicts inside become names with a dot.

    >>> settings_table({"seed": 0, "noise": {"std": 0.2}}).rows
    {'seed': {'value': '0'}, 'noise.std': {'value': '0.2'}}
    """
    rows = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            inner = settings_table(value).rows
            rows.update({f"{name}.{key}": row for key, row in inner.items()})
        else:
            rows[str(name)] = {"value": str(value)}
    return Table(caption, rows)


def write_report(folder, *, title, sections, summary=""):
    """Write report.html into an existing `folder` and return its path.

    `summary` is a paragraph below the title, `sections` a sequence of `Section`. All texts are
    shown as they are: none of them can become markup. The same input gives the same bytes.
    Raises FileNotFoundError for a folder or picture that is not there, ValueError for a picture
    that is no PNG or has no `alt`, and TypeError for a part that is none of the four kinds.

    >>> from tempfile import TemporaryDirectory
    >>> table = Table("On unseen people", {"PCA": {"PSNR": 25.65}, "this run": {"PSNR": 26.1}})
    >>> with TemporaryDirectory() as folder:
    ...     write_report(folder, title="A run", sections=[Section("Results", (table,))]).name
    'report.html'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"write_report writes into an existing folder, but {folder} is none"
        )
    sections = list(sections)
    links = "\n".join(
        f'<li><a href="#section-{k}">{_text(section.heading)}</a></li>'
        for k, section in enumerate(sections, 1)
    )
    nav = f'<nav aria-label="Sections"><ul>\n{links}\n</ul></nav>\n' if len(sections) > 1 else ""
    body = "\n".join(
        f'<section aria-labelledby="section-{k}">\n'
        f'<h2 id="section-{k}">{_text(section.heading)}</h2>\n'
        + fragment(section.parts, folder)
        + "\n</section>"
        for k, section in enumerate(sections, 1)
    )
    page = f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<title>{_text(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{_text(title)}</h1>
{f"<p>{_text(summary)}</p>" if summary else ""}
</header>
{nav}<main>
{body}
</main>
</body>
</html>
"""
    path = own(folder / "report.html")
    with whole(path) as file:
        file.write(page.encode())
    return path


def fragment(parts, folder):
    """Texts, `Table`s and `Picture`s as HTML without a page around it."""
    return "\n".join(_part(part, folder) for part in parts)


def _part(part, folder):
    """Turn a text, a `Table`, a `Picture` or a `Link` into HTML."""
    if isinstance(part, str):
        return f"<p>{_text(part)}</p>"
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Picture):
        return _figure(part, folder)
    if isinstance(part, Link):
        return f'<p><a href="{_text(quote(part.file))}">{_text(part.text)}</a></p>'
    raise TypeError(
        "A section of a report holds texts, Tables, Pictures and Links, but got "
        f"{type(part).__name__}"
    )


def _table(table):
    if table.ours is not None and table.ours not in table.rows:
        raise ValueError(f"The table has no row {table.ours!r}, only {list(table.rows)}")
    columns = list(dict.fromkeys(name for row in table.rows.values() for name in row))
    # A column is set flush right when it holds numbers only.
    values = {name: [row[name] for row in table.rows.values() if name in row] for name in columns}
    kind = {
        name: ' class="number"' if all(map(_is_number, values[name])) else "" for name in columns
    }
    head = "".join(f'<th scope="col"{kind[name]}>{_text(name)}</th>' for name in columns)
    lines = []
    for label, row in table.rows.items():
        cells = "".join(f"<td{kind[name]}>{_value(row.get(name))}</td>" for name in columns)
        ours = ' class="ours"' if label == table.ours else ""
        lines.append(f'<tr{ours}><th scope="row">{_text(label)}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="table"><table>\n<caption>{_text(table.caption)}</caption>\n'
        f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _figure(picture, folder):
    path = folder / picture.path
    if not path.is_file():
        raise FileNotFoundError(f"The report should show {path}, but there is no such file")
    data = path.read_bytes()
    if not data.startswith(PNG):
        raise ValueError(f"The report shows PNG files, but {path} is none")
    if not picture.alt.strip():
        raise ValueError(f"{path} needs an alt text: say in words what the picture shows")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return (
        f'<figure>\n<img src="data:image/png;base64,{base64.b64encode(data).decode()}" '
        f'width="{width}" height="{height}" alt="{_text(picture.alt)}">\n'
        f"<figcaption>{_text(picture.caption)}</figcaption>\n</figure>"
    )


def _is_number(value):
    """Whether a value is set as a number: one, a pair of mean and deviation, or none at all."""
    if isinstance(value, tuple):
        return len(value) == 2 and all(map(_is_number, value))
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _value(value):
    """Write a value of a table: four significant digits, whole numbers in full, None as a dash."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, tuple) and _is_number(value) and None not in value:
        mean, deviation = map(float, value)
        return f"{mean:.4g} ± {deviation:.2g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value):.4g}"
    return _text(value)


def _text(text):
    """Make a text harmless, in attributes too, and without control characters."""
    return escape(visible(text), quote=True)
