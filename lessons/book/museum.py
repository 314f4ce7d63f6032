"""docs/bugs.md, a museum of real bugs, as a page for each."""

import re

from .source import ROOT

PATH = ROOT / "docs" / "bugs.md"


def write(folder, links):
    """Write the pages and their index, in the order and under the headings of the one source."""
    folder.mkdir(parents=True, exist_ok=True)
    text = PATH.read_text(encoding="utf-8")
    introduction, *rooms = re.split(r"^## ", text, flags=re.MULTILINE)
    (common,) = re.findall(r"^```python\n.*?^```$", introduction, re.DOTALL | re.MULTILINE)
    trees = []
    for room in rooms:
        caption, *entries = re.split(r"^### ", room, flags=re.MULTILINE)
        names = [_write_page(folder, entry, common, links) for entry in entries]
        trees.append(f"## {caption.strip()}\n\n```{{toctree}}\n:maxdepth: 1\n" + "\n".join(names))
    index = links.to_source(introduction) + "".join(f"\n{tree}\n```\n" for tree in trees)
    (folder / "index.md").write_text(index, encoding="utf-8")


def _write_page(folder, entry, common, links):
    title, _, body = entry.partition("\n")
    number, _, words = title.partition(". ")
    name = f"{int(number):02d}-{re.sub('[^a-z0-9]+', '-', words.lower()).strip('-')}"
    said, block, rest = re.split(
        r"^(```python\n.*?^```$)", body, maxsplit=1, flags=re.DOTALL | re.MULTILINE
    )
    first = f"<details><summary>The lines before it</summary>\n\n{common}\n\n</details>\n"
    where, mark, caught = rest.partition("*Caught by:*")
    rest = f"{where.strip()}\n\n{mark}{caught}"
    page = f"# {title}\n\n{said.strip()}\n\n{first}\n{block}\n\n{links.to_source(rest)}"
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    return name
