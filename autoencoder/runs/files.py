"""The files of a run folder that are plain text, and what becomes of the folder of an earlier run.

Every file appears whole or not at all (`minigrad.checkpoint.whole`), and metrics.json is the last
one: a folder that has it is finished, or was brought to an end by Ctrl-C.
"""

import contextlib
import csv
import io
import json
import math
import os
import re

from minigrad.checkpoint import whole

RESULTS = ("metrics.json", "report.html", "history.csv", "model.npz", "checkpoint.npz")
LEFTOVER = re.compile(r".+\.[0-9a-f]{8}\.part")  # of a process that was killed while it wrote


def write_json(path, content):
    """Write `content` as `as_json` gives it."""
    with whole(path) as file:
        file.write(as_json(content).encode())


def as_json(content):
    """`content` as JSON of one line for each list of numbers; NaN and infinity become null.

    >>> print(as_json({"test": [1, 2], "PSNR": math.inf}))
    {
      "test": [1, 2],
      "PSNR": null
    }
    <BLANKLINE>
    """
    return _json(content, "") + "\n"


def _json(value, indent):
    if isinstance(value, dict) and value:
        inner = indent + "  "
        lines = [f"{inner}{json.dumps(name)}: {_json(v, inner)}" for name, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return json.dumps(value)


def begin(output, config, figures):
    """Make the folder `output` for a new run, with its config.json and nothing of an earlier run.

    The settings are written before anything is removed, so that a full disk or a folder that is
    read-only destroys nothing. `figures` are the names of those that may be there.
    """
    with explained(output, "give another --output, or make room"):
        output.mkdir(parents=True, exist_ok=True)
        remove_leftovers(output)
        with whole(output / "config.json") as file:
            file.write(as_json(config).encode())
            file.flush()
            os.fsync(file.fileno())
            stale = [output / name for name in RESULTS] + list(output.glob("codec*.npz"))
            stale += [output / "figures" / f"{name}.png" for name in figures]
            for path in stale:
                path.unlink(missing_ok=True)


def reopen(output):
    """Take away what says that a run is finished, and what was made for the model it had."""
    for path in [output / "metrics.json", *output.glob("codec*.npz")]:
        path.unlink(missing_ok=True)
    (output / "figures").mkdir(exist_ok=True)


def remove_leftovers(folder):
    """Remove half-written files that a killed process left."""
    for path in folder.iterdir():
        if LEFTOVER.fullmatch(path.name):
            path.unlink()


@contextlib.contextmanager
def explained(folder, advice):
    """Raises an OSError of the block again, as one sentence about `folder` with this `advice`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{folder} cannot be written to ({reason}): {advice}") from error


def write_history(path, history):
    """Write the `history_` of an estimator as CSV, one row for each epoch."""
    rows = zip(*history.values(), strict=True)
    write_rows(path, history, ([v if isinstance(v, int) else f"{v:.8g}" for v in r] for r in rows))


def write_rows(path, header, rows):
    """Write a header and rows as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    with whole(path) as file:
        file.write(text.getvalue().encode())
