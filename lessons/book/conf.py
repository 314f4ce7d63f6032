"""The settings of Sphinx for the book; nothing in it asks the network for anything."""

from pathlib import Path

from lessons.book import moving

project = "minigrad: the course"
html_title = project
extensions = ["myst_nb"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "footer_start": [],
    "footer_center": [],
    "footer_end": [],
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": [],
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system has it
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["book.css"]
html_js_files = [(f"{name}.js", {"defer": "defer"}) for name in ("moving", *moving())]
html_show_sourcelink = False
html_copy_source = False
nb_execution_mode = "off"  # the runner has done it
nb_ipywidgets_js = {}
myst_enable_extensions = []
exclude_patterns = []
