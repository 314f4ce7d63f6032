"""The course as a book: ``python -m lessons book`` writes a static site that needs no network.

``execute.py`` runs a lesson cell by cell, ``chapter.py`` makes a notebook of it, ``formula.py``
draws its formulas, ``museum.py`` makes a page of each entry of docs/bugs.md, ``source.py`` one of
each file that a link names. ``build.py`` puts them together and calls Sphinx, whose settings are in
``conf.py``. ``static/`` has the figures that run in the page.
"""

# The figures that run in the page, by the name of the lesson's figure below which they stand.
MOVING = {
    "two_orders": "walk",
    "where_the_pad_goes": "windows",
    "overlaps": "windows",
    "first_steps": "adam",
    "clouds": "clouds",
}


def moving():
    """The names of the figures that run in the page: each is a file in ``static/``."""
    return tuple(dict.fromkeys(MOVING.values()))
