"""Kills trainings with SIGKILL, again and again, and looks whether anything is lost.

    python tests/tools/kill.py --kills 200

Each training is killed ten times, goes on every time from what is on the disk, is then let finish,
and must have written what the same training wrote that nobody disturbed. Half of the kills come
from outside after a random time, the others from inside a write: amid the bytes, before they are
flushed, before or after the renaming. One process imports everything and trains nothing; it forks
for every life of a training, which begins with nothing but the files.
"""

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from cut_short import different, draw_nothing, result

from autoencoder.__main__ import main as autoencoder
from autoencoder.datasets import make_faces
from autoencoder.runs import files as runfiles
from minigrad import checkpoint

for module in ("commands.train", "detector", "plots.canvas", "variants"):
    importlib.import_module(f"autoencoder.{module}")  # here once, and not in every life

TRAININGS = (
    ("olivetti", "--noise", "gaussian", "--n-components", "16"),
    ("denoising", "--validation-fraction", "0.2", "--n-components", "4", "--hidden", "16"),
    ("vae", "--n-components", "2", "--hidden", "16"),
    ("sparse", "--n-components", "8", "--patience", "9"),
)
PER_TRAINING = 10
POINTS = ("amid the bytes", "before the flush", "before the renaming", "after the renaming")
LAST = 0.8  # seconds until the latest kill from outside


def write_in_place(path, check=None):
    """How a careless program writes: what a kill leaves has the right name."""
    return open(path, "wb")


# ---------------------------------------------------------------------- one life
def fork(arguments, prepare=None):
    """A child process that runs the command in silence; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        out, err = contextlib.redirect_stdout, contextlib.redirect_stderr
        with open(os.devnull, "w") as nowhere, out(nowhere), err(nowhere):
            if prepare:
                prepare()
            status = autoencoder(arguments)
    finally:
        os._exit(status)


def arm(point, countdown, fraction):
    """Let this process kill itself in the `countdown`-th write."""
    left = [countdown]

    def now():
        left[0] -= 1
        return left[0] == 0

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    savez, fsync, replace = np.savez, os.fsync, os.replace

    def deadly_savez(file, **arrays):
        if not now():
            return savez(file, **arrays)
        with tempfile.TemporaryFile() as whole:
            savez(whole, **arrays)
            whole.seek(0)
            data = whole.read()
        file.write(data[: int(fraction * len(data))])
        file.flush()
        die()

    def deadly_fsync(handle):
        return die() if now() else fsync(handle)

    def deadly_replace(source, target):
        if point == POINTS[3]:
            replace(source, target)
        if now():
            die()
        if point == POINTS[2]:
            replace(source, target)

    if point == POINTS[0]:
        np.savez = deadly_savez
    elif point == POINTS[1]:
        os.fsync = deadly_fsync
    else:
        os.replace = deadly_replace


def careless():
    """Let this process write files in place."""
    checkpoint.whole = runfiles.whole = write_in_place


# ---------------------------------------------------------------------- many lives
class Fault(Exception):
    """What must not happen."""


def live(arguments, rng=None, prepare=None):
    """Run the command, and kill it if there is an `rng`; returns how, or None if it ended."""
    inside = rng is not None and rng.random() < 0.5
    if inside:
        point, countdown, fraction = POINTS[rng.integers(4)], int(rng.integers(1, 9)), rng.random()

    def get_ready():
        if prepare:
            prepare()
        if inside:
            arm(point, countdown, fraction)

    child = fork(arguments, get_ready)
    if rng is not None and not inside:
        time.sleep(rng.uniform(0, LAST))
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGKILL:
        return point if inside else "at a random moment"
    if status:
        raise Fault(f"exit status {status} of {' '.join(arguments)}")
    return None


def kept(folder):
    """The restarts and epochs that a killed run can go on after; every file of it must be whole."""
    try:
        for name in ("config.json", "metrics.json"):
            if (folder / name).exists():
                json.loads((folder / name).read_text())
        for name in ("model.npz", "checkpoint.npz"):
            if (folder / name).exists():
                about = checkpoint.load(folder / name).about
    except ValueError as error:
        raise Fault(f"half-written: {error}") from None
    if not (folder / "checkpoint.npz").exists():
        return 0, 0
    return about["training"]["restarts"], len(about["history"]["epoch"])


def survive(begin, folder, whole, kills, rng, prepare=None):
    """Kill a training up to `kills` times and let it finish; yields (how, epochs kept, leftovers).

    Raises Fault where the results are not those of the training that is `whole`.
    """
    go_on = ["train", "--resume", str(folder), "--checkpoint-every", "0"]
    before = 0, 0
    for k in range(kills + 1):
        arguments = go_on if (folder / "config.json").exists() else begin
        how = live(arguments, rng if k < kills else None, prepare)
        if how is None:
            break
        now = kept(folder)
        if now < before:
            raise Fault(f"restarts and epochs {before} had been kept, and now {now}")
        before = now
        yield how, now[1], [path.name for path in folder.glob("*.part")]
    wrong = different(whole, result(folder))
    if wrong:
        raise Fault(f"another {', '.join(wrong)} than without a kill")
    if list(folder.glob("*.part")):
        raise Fault("half-written files were left")


def phase(done, epochs):
    """What a run was about that has a checkpoint of `done` epochs."""
    if not done:
        return "before the first checkpoint"
    return "in training" if done < epochs else "in the last epoch or after it"


def run_all(place, kills, epochs, seed=0, prepare=None):
    """Kill trainings in the folder `place` `kills` times in all; prints a table, returns faults."""
    faces = make_faces(people=6, variations=4, size=16)
    np.savez(place / "faces.npz", images=faces.images, labels=faces.labels)
    rng = np.random.default_rng(seed)
    ways, faults, left, done = Counter(), Counter(), 0, 0
    wholes, when = {}, Counter()
    while sum(ways.values()) < kills and done < 4 * kills:  # some end before the kill comes
        model, *options = TRAININGS[done % len(TRAININGS)]
        standard = ["train", "--model", model, "--data", str(place / "faces.npz")]
        standard += ["--image-size", "8", "--batch-size", "8", "--epochs", str(epochs), *options]
        if model not in wholes:
            folder = place / model
            live([*standard, "--output", str(folder)])
            wholes[model] = result(folder)
        done += 1
        folder = place / f"killed-{done}"
        begin = [*standard, "--output", str(folder), "--checkpoint-every", "0"]
        more = min(PER_TRAINING, kills - sum(ways.values()))
        try:
            for how, count, leftovers in survive(begin, folder, wholes[model], more, rng, prepare):
                ways[how] += 1
                left += bool(leftovers)
                when[phase(count, epochs)] += 1
        except Fault as fault:
            faults[f"{model}: {fault}"] += 1
        shutil.rmtree(folder, ignore_errors=True)
    for title, counts in (("killed", ways), ("and it was", when)):
        print("\n".join(f"{title:12}{name:30}{n:6}" for name, n in sorted(counts.items())))
    print(
        f"{sum(ways.values())} kills in {done} trainings, {left} of them left a half-written "
        f"temporary file; {sum(faults.values())} faults"
    )
    for fault in faults:
        print(f"  {fault[:300]}")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=100, help="of each training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in-place", action="store_true", help="write as careless programs do")
    parser.add_argument("--quick", action="store_true", help="draw no figures")
    options = parser.parse_args()
    if options.quick:
        draw_nothing(setattr)
    with tempfile.TemporaryDirectory() as place:
        faults = run_all(
            Path(place),
            options.kills,
            options.epochs,
            options.seed,
            careless if options.in_place else None,
        )
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
