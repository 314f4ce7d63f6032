"""The verbs of ``python -m autoencoder``: one small function each, which takes the parsed options.

`arguments` is the grammar, `files` reads what they are given and writes what they make. A verb
raises ValueError, OSError or RuntimeError with one sentence, and `autoencoder.__main__` prints it.
"""
