"""The course as a book: ``python -m lessons book`` writes a static site that needs no network.

``execute.py`` runs a lesson cell by cell, ``chapter.py`` makes a notebook of it, ``museum.py`` a page
of each of docs/bugs.md, ``source.py`` a page of each file that a link names, ``formula.py`` MathML of
the formulas. ``build.py`` puts them together and calls Sphinx, whose settings are in ``conf.py``.
``static/`` has the figures that run in the page.
"""
