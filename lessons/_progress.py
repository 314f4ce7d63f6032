"""Where a run writes, and what is done of each lesson."""

import json
import tempfile
from pathlib import Path

from ._header import FOLDER

_told = set()


def usual():
    """Where figures and progress go: beside the lessons, of installed ones the user's own folder.

    Where pip has put them is no place to write to: an update would remove it all.
    """
    installed = {"site-packages", "dist-packages"} & set(FOLDER.parts)
    return users() if installed else FOLDER / "out"


def users():
    """The folder that the system has for what programs keep for a user."""
    import platformdirs  # not at the top: the doctor answers without it

    return platformdirs.user_data_path("minigrad-lessons", appauthor=False)


def writable(folder):
    """`folder`, made if need be; where it cannot be written, one of the user's, said in a sentence.

    A checkout can be read-only: on a school's server, in a container, on a medium.
    """
    for place in (folder, users(), Path(tempfile.gettempdir()) / "minigrad-lessons"):
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError:
            continue
        if (place != folder or folder == users()) and place not in _told:
            _told.add(place)
            why = f"{folder} cannot be written: figures" if place != folder else "Figures"
            print(f"{why} and progress go to {place}\n")
        return place
    raise SystemExit(f"There is no folder to write to: tried {folder} and {users()}")


def remember(folder, number, status):
    """Keep the state of the exercises of a lesson for the list of ``python -m lessons``."""
    progress = read_progress(folder) | {str(number): status}
    (folder / "progress.json").write_text(json.dumps(progress), encoding="utf-8")


def read_progress(folder):
    """{"3": ["right", "todo"], ...} of the lessons that were run."""
    try:
        return json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
