"""The settings of Sphinx for the book; nothing in it asks the network for anything."""

from pathlib import Path

from lessons.book import moving

project = "minigrad: the course"
html_title = "minigrad: the course"
extensions = ["myst_nb"]
html_theme = "furo"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["book.css"]
html_js_files = [(f"{name}.js", {"defer": "defer"}) for name in ("moving", *moving())]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
nb_execution_mode = "off"  # the runner has done it
nb_ipywidgets_js = {}
myst_enable_extensions = []
pygments_dark_style = "github-dark"
exclude_patterns = []
