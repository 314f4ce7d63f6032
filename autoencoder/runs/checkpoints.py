"""Checkpoints: where the training of a run stands, in one file of its folder, to go on from there.

``checkpoint.npz`` holds all that the training needs to continue to the same bits: weights, the
optimizer's state, random streams, history. It is written between two epochs, whole or not at all,
so a kill costs what was computed since the last one, and nothing that was there before.
"""

import contextlib
import math
import time

import numpy as np

from minigrad import checkpoint

from .files import explained, fingerprint, own, remove_leftovers, write_json

NAME = "checkpoint.npz"
SECONDS = 10.0  # of training from one checkpoint to the next
SHARE = 20  # sooner, if that is so many times as long as the last one took to write


def check_interval(every):
    """Refuse a time between two checkpoints that is none."""
    if not every >= 0:
        raise ValueError(f"checkpoint_every must be 0 seconds or more, got {every}")


class Checkpoints:
    """The checkpoints of the run in the folder of `lock`, whose config.json holds `config`.

    One is due after the first epoch, then after `every` seconds of training, or sooner where
    writing takes no more than a twentieth of the time. With ``every=0`` every epoch has one.
    """

    def __init__(self, lock, config, every=SECONDS):
        self.lock, self.folder, self.every = lock, lock.folder, every
        self.path = self.folder / NAME
        self._settings = _same_training(config)
        self._began, self._before = time.perf_counter(), 0.0
        self._due = -math.inf

    @property
    def seconds(self):
        """How long the training has taken until now, in all processes that had a part in it."""
        return self._before + time.perf_counter() - self._began

    def restore(self, build):
        """What ``build(arrays, about)`` makes of the last checkpoint, or None if there is none.

        Raises ValueError where the file is damaged, or belongs to another training.
        """
        if not self.path.exists():
            return None
        arrays, about = checkpoint.load(self.path, lazy=True)
        try:
            run = about.pop("run")
            if run["settings"] != self._settings:
                raise ValueError("it was written under other settings than config.json has")
            self._before = float(run["seconds"])
            return build(arrays, about)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise ValueError(
                f"{self.path} does not fit this run ({type(error).__name__}: {error!s:.200}): "
                "restore the folder from a copy, or train again"
            ) from None

    def offer(self, contents, at_once=False):
        """Write ``contents()``, arrays and a dict of JSON, if a checkpoint is due, or `at_once`.

        Raises OSError, in one sentence, where it cannot be written; the last one is then intact.
        """
        began = time.perf_counter()
        if began < self._due and not at_once:
            return
        arrays, about = contents()
        run = {"settings": self._settings, "seconds": self.seconds}
        self.lock.check()
        with self.explained():
            about = {**about, "run": run}
            checkpoint.save(own(self.path), arrays, about, check=self.lock.check)
        now = time.perf_counter()
        self._due = now + min(self.every, SHARE * (now - began))

    def go_on(self, config, done, say):
        """Make the folder ready to go on after `done` epochs, to the last that `config` names.

        Raises ValueError if that is behind them, OSError if nothing can be written.
        """
        epochs = config["epochs"]
        if done > epochs:
            raise ValueError(f"{self.folder} has made {done} epochs already: {epochs} are fewer")
        with self.explained():
            remove_leftovers(self.folder)
            write_json(self.folder / "config.json", config)
        if config.get("numpy") != np.__version__:
            say(
                f"It was begun with NumPy {config.get('numpy')}, this is {np.__version__}: the "
                "last bits may differ from those of an uninterrupted run."
            )
        say(f"Going on after {done} of {epochs} epochs.")

    @contextlib.contextmanager
    def explained(self):
        """A block whose OSErrors say how to go on, or that the folder is not ours any more."""
        advice = "make that possible, and go on from the last checkpoint with train --resume"
        try:
            with explained(self.folder, f"{advice} {self.folder}"):
                yield
        except OSError:
            self.lock.check()
            raise


@contextlib.contextmanager
def understood(folder):
    """A block that reads the settings of the run in `folder`; some may be missing or wrong."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder}/config.json is damaged, or of an earlier version ({type(error).__name__}: "
            f"{error}): restore it from a copy, or train again"
        ) from None


def _same_training(config):
    """A checksum of the settings without which a training is another: not of how long it is."""
    return fingerprint({n: v for n, v in config.items() if n not in ("epochs", "python", "numpy")})
