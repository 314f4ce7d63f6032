"""The folder of a run: a new one is made, or a finished run put in the place of another.

A folder that holds anything is never trained into.
"""

import itertools
import os
import re
import shutil
from pathlib import Path

from minigrad.checkpoint import flush_folder, make_folder, part_of

from .files import LEFTOVER, explained, remove_leftovers
from .lock import NAME as LOCK
from .lock import Lock, NotOurs

OURS = re.compile(  # what a run folder may hold
    r"config\.json|metrics\.json|report\.html|explore\.html|history\.csv|model\.npz|checkpoint\.npz"
    r"|codec(-[^/]*)?\.npz|scores\.csv|figures/\w+\.png"
)


def new_folder(output, numbered=False):
    """A new or empty folder `output`, and the `Lock` on it: the right to train into it.

    If `numbered`, ``output-2``, ``output-3`` and so on take its place where it holds anything;
    otherwise FileExistsError says so.
    """
    for k in itertools.count(1):
        folder = Path(output) if k == 1 else Path(f"{output}-{k}")
        if not (numbered and folder.exists() and _is_taken(folder)):
            with explained(folder, "give another --output, or make room"):
                make_folder(folder)
                try:
                    lock = Lock(folder)
                except NotOurs:
                    if not numbered:
                        raise
                    continue
                if not contents(folder):  # looked at when nobody else can write there
                    remove_leftovers(folder)
                    return lock
                lock.release()
        if not numbered:
            raise FileExistsError(_occupied(folder))


def _is_taken(folder):
    return not folder.is_dir() or bool(contents(folder))


def lock_of(folder, patience=0.0):
    """The `Lock` on the folder of a run; OSError, in a sentence, where nothing can be written."""
    with explained(folder, "make that possible first"):
        return Lock(folder, patience)


def _occupied(folder):
    if not (folder / "config.json").is_file():
        return f"{folder} holds something else than a run: give another --output"
    state = "a finished" if (folder / "metrics.json").is_file() else "an unfinished"
    return (
        f"{folder} is there already and holds {state} run: give another --output, go on with it by "
        f"--resume {folder}, or replace it by --overwrite"
    )


def contents(folder):
    """The names of what is in a `folder` and its figures, but for locks and leftovers."""
    paths = list(folder.iterdir()) if folder.is_dir() else []
    if folder / "figures" in paths and not (folder / "figures").is_symlink():
        paths.remove(folder / "figures")
        paths += (folder / "figures").iterdir()
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if name != LOCK and not LEFTOVER.fullmatch(name)]


def check_replaceable(folder):
    """ValueError unless all that `folder` holds is a run, or nothing."""
    names = contents(folder)
    foreign = [name for name in names if not OURS.fullmatch(name)]
    if names and ("config.json" not in names or foreign):
        what = foreign[0] if foreign else "no config.json"
        raise ValueError(
            f"{folder} is not replaced, because it holds something else than a run ({what}): give "
            "another --output, or move that"
        )


def replace_run(old, new):
    """Put the run in the folder of the Lock `new` in the place of the one of the Lock `old`."""
    old.check()
    new.check()
    check_replaceable(old.folder)
    place = Path(os.path.realpath(old.folder))
    aside = part_of(place)
    with explained(old.folder, f"the new run is in {new.folder}"):
        os.rename(place, aside)
        try:
            os.rename(new.folder, place)
        except OSError:
            os.rename(aside, place)
            raise
        flush_folder(place.parent)
        new.moved(old.folder)
        old.moved(aside)
        shutil.rmtree(aside)
