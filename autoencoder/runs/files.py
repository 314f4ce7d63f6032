"""The files of a run folder that are plain text, and what keeps them whole.

Every file appears whole or not at all (`minigrad.checkpoint.whole`), and metrics.json is the last
one: a folder that has it is finished, or was brought to an end by Ctrl-C.
"""

import contextlib
import csv
import io
import json
import math
import re
import zlib

from minigrad.checkpoint import flush_folder, whole

EXPLORER = "explore.html"  # the name of the page that the command explore writes
LEFTOVER = re.compile(r".+\.[0-9a-f]{8}\.part")  # of a process that was killed while it wrote


def write_json(path, content):
    """Write `content` as `as_json` gives it."""
    with whole(own(path)) as file:
        file.write(as_json(content).encode())


def own(path):
    """The `path` of a file or folder of a run; a link there is taken away, not written through."""
    if path.is_symlink():
        path.unlink()
    return path


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


def fingerprint(settings):
    """A checksum of `settings`, a dict of JSON."""
    return zlib.crc32(json.dumps(settings, sort_keys=True).encode())


def begin(output, config):
    """Write the config.json of a new run into its folder."""
    with explained(output, "give another --output, or make room"):
        write_json(output / "config.json", config)


def reopen(output):
    """Take away what says that a run is finished, and what was made for the model it had."""
    for path in [output / "metrics.json", output / EXPLORER, *output.glob("codec*.npz")]:
        path.unlink(missing_ok=True)
    flush_folder(output)  # else they could come back beside the next model


def remove_leftovers(folder):
    """Remove half-written files that a killed process left."""
    for path in folder.iterdir():
        if LEFTOVER.fullmatch(path.name) and not path.is_dir():
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
    rows = ([v if isinstance(v, int) else f"{v:.8g}" for v in row] for row in rows)
    write_rows(own(path), history, rows)


def write_rows(path, header, rows):
    """Write a header and rows as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    with whole(path) as file:
        file.write(text.getvalue().encode())
