"""The course as a book: ``python -m lessons book`` writes a static site that needs no network.

``execute.py`` runs a lesson cell by cell, ``chapter.py`` makes a notebook of it, ``formula.py``
draws its formulas, ``museum.py`` makes a page of each entry of docs/bugs.md, ``source.py`` one of
each file that a link names. ``build.py`` puts them together and calls Sphinx, whose settings are in
``conf.py``. ``static/`` has the figures that run in the page.
"""
