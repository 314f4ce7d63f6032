"""The settings of Sphinx for the site: ``sphinx-build -W docs/site OUTPUT``, without a network.

The pages of this folder are written by hand; `pages.py` and `api.py` write the others, from the
texts of the repository, the lessons and the docstrings, before Sphinx looks for pages. All lessons
are run on the way (some three minutes); ``-D lessons=1,2`` takes these alone.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

from lessons.book.conf import *  # noqa: E402, F403
from lessons.book.conf import extensions, html_css_files, html_static_path, html_theme_options  # noqa: E402

import api  # noqa: E402
import pages  # noqa: E402

import minigrad  # noqa: E402

project = "minigrad and autoencoder"
release = minigrad.__version__
html_title = project
extensions = [*extensions, "sphinx.ext.autodoc", "numpydoc"]
html_static_path = [*html_static_path, "static"]
html_css_files = [*html_css_files, "site.css"]
html_theme_options = html_theme_options | {
    "header_links_before_dropdown": 8,
    "logo": {"text": "minigrad"},
    "collapse_navigation": True,
    "navigation_depth": 2,
    "secondary_sidebar_items": {place: ["page-toc"] for place in ("explanation/*", "pages/*")},
}
html_sidebars = {"index": [], "start": [], "gallery": [], "pages/trust/*": []}
nitpicky = True
exclude_patterns = ["pages/readme/*", "pages/gallery.md"]  # parts of other pages
myst_heading_anchors = 3
default_role = "code"
add_module_names = False
autosummary_generate = False
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # the docstrings say what each argument is
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


def setup(app):
    """Write what is written for this build before the pages are looked for."""
    app.add_config_value("lessons", "", "env", types=(str,))
    app.connect("config-inited", write)
    app.connect("autodoc-skip-member", is_scikit_learns)


def is_scikit_learns(app, what, name, thing, skip, options):
    """True of the methods that scikit-learn writes for each estimator, in its own words."""
    return True if re.fullmatch("[gs]et_.*_request", name) else None


def write(app, config):
    numbers = [int(number) for number in config.lessons.split(",") if number]
    pages.write(Path(app.srcdir), numbers)
    api.write(Path(app.srcdir) / "pages" / "api")
