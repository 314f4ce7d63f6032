"""One HTML file that holds everything: it opens from disk and asks nothing of the network.

A Content-Security-Policy forbids all but the page's own script and style, known by their SHA-256,
and images inside the page. What comes from outside (titles, labels, names of files) is JSON in a
block that is no script, in which no ``<`` can stand, and the script shows it as text.
"""

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("numbers.js", "decoder.js", "pictures.js", "map.js", "words.js", "page.js")
START = "<!DOCTYPE html>\n<!-- autoencoder explore -->\n"  # how our files begin


def render(contents):
    """The bytes of the page for `contents`, a dict that goes into JSON."""
    script = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    style = (HERE / "page.css").read_text("utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "title": escape(contents["title"], quote=True),
        "style": style,
        "script": script,
        "data": _harmless(json.dumps(contents, allow_nan=False, separators=(",", ":"))),
    }
    template = (HERE / "page.html").read_text("utf-8")
    text = re.sub(r"@(\w+)@", lambda found: parts[found[1]], template)  # in one go
    return (START + text).encode()


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _harmless(text):
    """JSON that cannot end the element in which it stands."""
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
