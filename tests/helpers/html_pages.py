"""Pages of HTML on the disk: what they link to is there, what they load comes from nowhere else.

``python tests/helpers/html_pages.py FOLDER`` says so of a site, and which links do not.
"""

import html.parser
import re
import sys
import urllib.parse
from pathlib import Path


class Page(html.parser.HTMLParser):
    """The targets in a page, what it loads, and its text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.ids, self.text = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        if tag == "a":
            self.links.append(found.get("href", ""))
        elif tag in ("script", "img", "iframe") and "src" in found:
            self.loaded.append(found["src"])
        elif tag == "link":
            self.loaded.append(found["href"])

    def handle_data(self, data):
        self.text.append(data)


def faults(folder):
    """(the pages of the folder, a sentence for each link that leads nowhere and each load)."""
    folder = folder.resolve()
    paths = [path for path in folder.rglob("*.html") if "_static" not in path.parts]  # templates
    pages, found = {path: Page(path) for path in paths}, []
    for path, page in pages.items():
        for link in page.loaded + page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme in ("https", "http"):
                if link in page.loaded:
                    found.append(f"{path} loads {link}")
                continue
            target = (path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else path
            if url.scheme not in ("", "data") or url.netloc:
                found.append(f"{path} links to {link}")
            elif not url.scheme and not target.is_file():
                found.append(f"{path} links to {link}, which is not there")
            elif url.fragment and target in pages and url.fragment not in pages[target].ids:
                found.append(f"{path} links to {link}, where no such place is")
    for path in folder.rglob("*.css"):
        if re.search(r"(url\(|@import)\s*[\"']?https?:", path.read_text(encoding="utf-8")):
            found.append(f"{path} loads something")
    return pages, found


if __name__ == "__main__":
    pages, found = faults(Path(sys.argv[1]))
    print("\n".join([*found, f"{len(pages)} pages, {len(found)} faults"]))
    sys.exit(bool(found) or not pages)
