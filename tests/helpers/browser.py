"""A real browser without a window: what a page has become after its scripts ran."""

import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def page_after(path, folder, query="", milliseconds=3000):
    """(the page's elements as HTML, what its scripts wrote to the console) of the file at `path`.

    `milliseconds` are those of the page's own clock, which does not wait.
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    flags += [f"--user-data-dir={folder / 'profile'}", f"--virtual-time-budget={milliseconds}"]
    done = subprocess.run(
        [browser, *flags, f"file://{path}{query}"], capture_output=True, text=True, timeout=120
    )
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)
