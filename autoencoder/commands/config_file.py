"""``train --config FILE``: options from a TOML file, or all settings from a run's config.json."""

import difflib
import math
import tomllib
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

from ..runs import Config
from ..runs.checkpoints import understood
from ..runs.records import read_config
from .arguments import DEVICES, FITS, LIKELIHOODS, MODELS, NOISES

LARGEST = 2**20  # bytes
KINDS = {**get_type_hints(Config), "output": str, "overwrite": bool, "checkpoint_every": float}
CHOICES = {"model": MODELS, "likelihood": LIKELIHOODS, "noise": NOISES, "device": DEVICES}
CHOICES["fit"] = FITS
BEYOND = 2**63
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    tuple: "a list of whole numbers, such as [256, 64]",
}


def read_settings(path):
    """The settings in a file, a dict, and with them the whole config.json, or None for TOML."""
    path = Path(path)
    if path.suffix == ".json" and path.is_file():
        recorded = read_config(path)
        with understood(path.parent):
            return dict(vars(Config.recorded(recorded))), recorded
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give a .toml file, or the config.json of a run")
    if path.suffix not in (".toml", ".json"):
        raise ValueError(f"{path} has the wrong ending: give a .toml file or a run's config.json")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return _checked(path, _read(path)), None


def _read(path):
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise OSError(f"{path} cannot be read ({error.strerror}): give another file") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is no TOML ({error!s:.200}): write lines such as epochs = 20"
        ) from None


def _checked(path, content):
    """The settings in a TOML file, each of the kind that it must be."""
    found = {}
    for written, value in content.items():
        name = written.replace("-", "_")
        if name not in KINDS:
            raise ValueError(f"{path}: there is no setting {written!r:.50}{_advice(name, value)}")
        if name in found:
            raise ValueError(f"{path} has {name} twice: leave one of them out")
        wanted = _wrong(name, value)
        if wanted:
            raise ValueError(f"{path}: {name} cannot be {value!r:.50}: write {wanted}")
        found[name] = value
    return found


def _advice(name, value):
    if isinstance(value, dict):
        return ": settings stand in no [table]"
    near = difflib.get_close_matches(name, KINDS, 1)
    return f": do you mean {near[0]}?" if near else ": train --help lists them, as options"


def _wrong(name, value):
    """What to write in place of a `value`, in words, or None if nothing is wrong with it."""
    if name in CHOICES:
        known = value in CHOICES[name] if isinstance(value, str) else False
        return None if known else " or ".join(f'"{choice}"' for choice in CHOICES[name])
    kind = next(k for k in get_args(KINDS[name]) or [KINDS[name]] if k is not NoneType)
    return None if _fits(kind, value) else WORDS[kind]


def _fits(kind, value):
    if isinstance(value, str):
        return kind is str and "\0" not in value
    if isinstance(value, bool) or kind in (bool, str):  # True is an int as well
        return type(value) is kind
    if kind is tuple:
        return isinstance(value, list) and all(_fits(int, item) for item in value)
    if isinstance(value, int):
        return abs(value) < BEYOND
    return kind is float and isinstance(value, float) and math.isfinite(value)
