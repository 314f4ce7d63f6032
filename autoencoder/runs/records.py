"""What the JSON files of a run folder may say: they may come from strangers, so all is looked at.

A value of the wrong kind or of an absurd size is refused in a sentence that names it, before it can
ask for memory or end in an error of Python's own.
"""

import json
import math
from numbers import Real
from typing import get_type_hints

from ..parts import CHOICES
from .config import FORMAT, MODELS, SIZED, Config

LARGEST = {"config.json": 2**26, "metrics.json": 2**22}  # bytes
KINDS = {  # of the values in config.json
    **get_type_hints(Config),
    "format": int,
    "data_used": str,
    "data_crc32": int,
    "labels_crc32": int,
    "image_shape": list,
    "columns": list | None,
    "split": dict | None,
    "python": str,
    "numpy": str,
}
LONGEST_TEXT, MOST_LEVELS, BEYOND = 5000, 6, 2**63  # characters; of nesting; of numbers


def read_config(path):
    """The settings in the config.json of a run; ValueError if that is something else."""
    config = _read(path)
    if not isinstance(config, dict) or not {"data", "data_used"} <= set(config):
        raise ValueError(f"{path} does not describe a run: give a folder that train wrote")
    if config.get("format") != FORMAT:
        raise ValueError(
            f"{path.parent} was written by another version (format {config.get('format', 1)!r:.20},"
            f" this one reads {FORMAT}; format 1 is version 0.1): open it with that version, or "
            "train again"
        )
    for name, value in config.items():
        if not _fits(name, value):
            raise ValueError(
                f"{path} is damaged, {name!r:.50} cannot be {value!r:.100}: restore it from a copy"
            )
    return config


def read_metrics(folder):
    """What metrics.json in `folder` holds, an empty dict if it is not there.

    Raises ValueError if it is something else than numbers and names, and rows of them.
    """
    path = folder / "metrics.json"
    if not path.exists() and not path.is_symlink():
        return {}
    metrics = _read(path, "delete it, and evaluate again")
    tables = metrics.get("evaluation", {}) if isinstance(metrics, dict) else None
    if not _is_plain(metrics) or not _is_evaluation(tables) or not _is_summary(metrics):
        raise ValueError(f"{path} is damaged, it holds no metrics: delete it, and evaluate again")
    return metrics


def _read(path, advice="restore it from a copy"):
    """What a JSON file holds."""
    try:
        if not path.is_file():
            raise ValueError("it is no ordinary file" if path.exists() else "it is not there")
        largest = LARGEST.get(path.name, LARGEST["config.json"])  # which may have another name
        if path.stat().st_size > largest:
            raise ValueError(f"it has more than {largest} bytes")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} is damaged ({reason:.200}): {advice}") from None


def _fits(name, value):
    """Whether a config.json may have this `value` under this `name`."""
    if name not in KINDS:
        return False
    if name == "hidden":
        return isinstance(value, list) and len(value) < 1000 and all(map(_is_size, value))
    if name == "image_shape":
        return isinstance(value, list) and len(value) == 3 and all(map(_is_size, value))
    if name == "columns" and value is not None:
        texts = isinstance(value, list) and value and all(isinstance(t, str) for t in value)
        return texts and max(map(len, value)) <= LONGEST_TEXT
    if name == "split" and value is not None:
        return _is_split(value)
    if name in ("model", "likelihood"):
        known = MODELS if name == "model" else CHOICES["likelihood"]
        return isinstance(value, str) and value in known
    if name in SIZED and value is None:
        return False
    kind = KINDS[name]
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if isinstance(value, int | float):
        wide = isinstance(value, kind) or isinstance(0.5, kind)  # 1 is a float as well
        return wide and abs(value) < (BEYOND if isinstance(value, int) else math.inf)
    return isinstance(value, kind) and (not isinstance(value, str) or len(value) <= LONGEST_TEXT)


def _is_size(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_split(value):
    """Whether `value` says which images are held out, see `dataset.hold_out`."""
    if not isinstance(value, dict) or set(value) - {"files"} != {"how", "test"}:
        return False
    how, test = value["how"], value["test"]
    numbers = isinstance(test, list) and all(k == 0 or _is_size(k) for k in test)
    named = value.get("files", [])
    texts = [how, *named] if isinstance(named, list) else [None]
    return numbers and all(isinstance(t, str) and len(t) <= LONGEST_TEXT for t in texts)


def _is_plain(value, levels=MOST_LEVELS):
    """Whether `value` is a name, a number, or few levels of dicts and lists of them."""
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(_is_plain(v, levels - 1) for v in inside)
    return value is None or (isinstance(value, Real) and abs(value) < 1e300)


def _is_summary(metrics):
    """Whether those of the `metrics` of which the report makes sentences are numbers and texts."""
    found = metrics.get("diagnosis") or []
    texts = isinstance(found, list) and all(isinstance(s, str) and s for s in found)
    texts = texts and isinstance(metrics.get("ended", ""), str)
    numbers = [metrics.get(name, 0) for name in ("epochs", "seconds")]
    return texts and all(isinstance(n, Real) and not isinstance(n, bool) for n in numbers)


def _is_evaluation(tables):
    """Whether `tables` are what `evaluate` returns: section -> row -> column -> number."""
    return isinstance(tables, dict) and all(
        isinstance(rows, dict)
        and all(
            isinstance(row, dict) and all(isinstance(v, Real | None) for v in row.values())
            for row in rows.values()
        )
        for rows in tables.values()
    )
