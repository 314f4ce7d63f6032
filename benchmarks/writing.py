"""How the programs here write their pages: results kept in a file, numbers, Markdown tables."""

import json
import textwrap

import numpy as np


def load(path):
    """The results so far: name -> numbers."""
    return json.loads(path.read_text()) if path.exists() else {}


def keep(path, name, results, names):
    """Put the `results` of one experiment into the file beside those of the others of `names`."""
    every = {**load(path), name: results}
    ordered = {each: every[each] for each in names if each in every}
    path.write_text(json.dumps(ordered, indent=1) + "\n")


def wrapped(text):
    """Paragraphs broken at 100 letters, whatever the lengths of the numbers in them."""
    blocks = text.split("\n\n")
    return "\n\n".join(b if b[:1] in "|#!" else _paragraph(b) for b in blocks)


def _paragraph(block):
    end = "\n" if block.endswith("\n") else ""
    return textwrap.fill(" ".join(block.split()), 100, break_on_hyphens=False) + end


def spread(values):
    """The mean and the standard deviation (of one draw, ddof = 1) of repeated measurements."""
    values = np.asarray(values, np.float64)
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)), "runs": len(values)}


def shown(value, digits=3):
    """A number, or mean and deviation, as the tables print them."""
    if isinstance(value, dict):
        return f"{value['mean']:.{digits}f} ± {value['std']:.{digits}f}"
    return value if isinstance(value, str | int) else f"{value:.{digits}f}"


def table(header, rows, left=1):
    """A Markdown table of texts and whole numbers, with the first `left` columns to the left."""
    lines = [header, ["---"] * left + ["---:"] * (len(header) - left), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
