"""Ready callbacks: the numbers of each epoch as a table in a CSV file, and as TensorBoard's curves.

Of several ranks that share a training the first writes.

>>> import os, tempfile
>>> import numpy as np
>>> from autoencoder import Autoencoder
>>> path = os.path.join(tempfile.mkdtemp(), "history.csv")
>>> X = np.random.default_rng(0).random((40, 6))
>>> model = Autoencoder(2, max_epochs=3, callbacks=CSVLogger(path), random_state=0).fit(X)
>>> with open(path) as file:
...     print(file.readline()[:24])
epoch,loss,reconstructio
"""

from __future__ import annotations

import csv
import io
import os
import time
from typing import Any

from minigrad.checkpoint import PathLike

from . import shared

__all__ = ["CSVLogger", "TensorBoardLogger"]


class CSVLogger:
    """A callback that adds a line to the CSV file `path` after every epoch.

    A line is written at once and flushed to the disk, so a kill leaves whole lines; half a line
    that a power cut left is taken away before the next is written. The columns are those of
    `history_`. A fit that follows another of the same logger goes on below it, its epochs from 1.

    Parameters
    ----------
    path : str or Path
        Of the file, which must not be there yet.
    append : bool, default=False
        Whether lines may be added to a file that is there, if it has the same columns: for a
        training that goes on in another process.

    Raises
    ------
    FileExistsError
        At the first epoch, where the file is there and `append` is False.
    ValueError
        Where the file that is there has other columns.
    """

    def __init__(self, path: PathLike, append: bool = False) -> None:
        self.path = os.fspath(path)
        self.append = append
        self._begun = False

    def __call__(self, estimator: Any, record: dict[str, Any]) -> None:
        """Add the line of a `record`, a dict of numbers."""
        if not _speaks(estimator):
            return
        header, line = _line(record), _line(record.values())
        with open(self.path, "a+b") as file:
            if not self._begun:
                self._begin(file, header)
            elif _first_line(file) != header:
                raise ValueError(_other_columns(self.path, header))
            end = file.seek(0, os.SEEK_END)
            file.write(line if end else header + line)  # one write
            file.flush()
            os.fsync(file.fileno())
        self._begun = True

    def __deepcopy__(self, memo):
        """A logger that has written nothing: clones of an estimator do not share a file."""
        return type(self)(self.path, self.append)

    def _begin(self, file, header):
        if not file.seek(0, os.SEEK_END):
            return
        if not self.append:
            raise FileExistsError(
                f"CSVLogger: {self.path} is there already: give another name, or append=True to "
                "add to it"
            )
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)  # a line that a power cut left unfinished
        if file.seek(0, os.SEEK_END) and _first_line(file) != header:
            raise ValueError(_other_columns(self.path, header))


class TensorBoardLogger:
    """A callback that writes the numbers of every epoch for TensorBoard, into a `folder`.

    Every number of `history_` is a curve of its name over the epochs, and is on the disk when the
    epoch is over. A folder holds one training: give each a new one below a common folder, and
    ``tensorboard --logdir`` that. It needs the package tensorboardX (the extra "tensorboard").

    Parameters
    ----------
    folder : str or Path
        Is made if it is not there. One that holds events of TensorBoard already is refused at the
        first epoch, because two trainings would become one curve.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = os.fspath(folder)
        self._writer = None

    def __call__(self, estimator: Any, record: dict[str, Any]) -> None:
        """Write the numbers of a `record`, a dict with an "epoch"."""
        if not _speaks(estimator):
            return
        library = _tensorboard()
        if self._writer is None:
            self._writer = self._new_writer(library)
        values = [
            library.summary.scalar(name, value).value[0]
            for name, value in record.items()
            if name != "epoch"
        ]
        event = library.proto.event_pb2.Event(wall_time=time.time(), step=record["epoch"])
        event.summary.value.extend(values)
        self._writer.write_event(event)
        self._writer.flush()

    def close(self) -> None:
        """Close the file; the next epoch begins another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __del__(self):
        self.close()

    def __deepcopy__(self, memo):
        """A logger that has written nothing."""
        return type(self)(self.folder)

    def __getstate__(self):
        return {"folder": self.folder, "_writer": None}

    def _new_writer(self, library):
        there = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        if any(name.startswith("events.") for name in there):
            raise FileExistsError(
                f"TensorBoardLogger: {self.folder} holds the events of another training: give a "
                "new folder"
            )
        os.makedirs(self.folder, exist_ok=True)
        # not its SummaryWriter, of which another thread writes, later
        return library.event_file_writer.EventsWriter(os.path.join(self.folder, "events"))


def _speaks(estimator):
    """Whether it is trained here alone, or this is the first of the ranks that train it."""
    return estimator is None or shared.speaks(estimator._training)


def _tensorboard():
    try:
        import tensorboardX
    except ImportError as error:
        raise ImportError(
            f"TensorBoardLogger needs the package tensorboardX ({error}): pip install "
            '"minigrad-autoencoder[tensorboard]"'
        ) from None
    return tensorboardX


def _line(values):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def _first_line(file):
    file.seek(0)
    return file.readline()


def _other_columns(path, header):
    return f"CSVLogger: {path} has other columns than {header.decode().strip()}: give another name"
