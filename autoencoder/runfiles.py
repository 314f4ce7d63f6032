"""The files of a run folder that are plain text, and how the folder is cleared for a new run."""

import csv
import json
import math

STALE = ("model.npz", "metrics.json", "history.csv", "report.html")


def write_json(path, content):
    """Write `content` as JSON of one line for each list of numbers; NaN and infinity become null.

    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> write_json(path, {"test": [1, 2], "PSNR": math.inf})
    >>> print(path.read_text())
    {
      "test": [1, 2],
      "PSNR": null
    }
    <BLANKLINE>
    """
    path.write_text(_json(content, "") + "\n")


def _json(value, indent):
    if isinstance(value, dict) and value:
        inner = indent + "  "
        lines = [f"{inner}{json.dumps(name)}: {_json(v, inner)}" for name, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return json.dumps(value)


def clear(output, figures):
    """Make the folder `output`, without what an earlier run, or one of `figures`, left there."""
    (output / "figures").mkdir(parents=True, exist_ok=True)
    stale = [output / name for name in STALE] + list(output.glob("codec*.npz"))
    stale += [output / "figures" / f"{name}.png" for name in figures]
    for path in stale:
        path.unlink(missing_ok=True)


def write_history(path, history):
    """Write the `history_` of an estimator as CSV, one row for each epoch."""
    with open(path, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(history)
        for values in zip(*history.values(), strict=True):
            rows.writerow([v if isinstance(v, int) else f"{v:.8g}" for v in values])
