"""Many processes that want to write into the same run folders: nothing is lost, nothing mixed.

    python tests/tools/writers.py --rounds 20

Each round starts trainings of different settings at once. Half of the rounds give them no --output,
so that each must get a folder of its own; in the others they all resume or replace one finished
run. Some are stopped for a while, some killed. In the end every folder is opened: a finished run
must be whole and of one training, one that was there before must be that or its whole replacement,
no two may have written into one folder in turns, and nothing may hold a lock any more.
"""

import argparse
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from cut_short import draw_nothing, snapshot
from kill import fork

from autoencoder.datasets import make_faces
from autoencoder.runs import lock, open_run
from autoencoder.runs.checkpoints import Checkpoints
from autoencoder.runs.lock import Lock

WRITERS = 4  # in each round


def wait(children):
    """How the children ended: a Counter of exit statuses, negative ones of signals."""
    return Counter(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def disturb(children, rng):
    """Stop some children for a moment, kill others."""
    for child in children:
        time.sleep(rng.uniform(0, 0.3))
        if rng.random() < 0.3:
            os.kill(child, signal.SIGSTOP)
            time.sleep(rng.uniform(0, 0.5))
            os.kill(child, signal.SIGCONT)
        elif rng.random() < 0.3:
            os.kill(child, signal.SIGKILL)


def begin(place, arguments):
    """A child that runs a command, and notes in ``place/log`` into which folder it writes."""

    def prepare():
        offer = Checkpoints.offer

        def offer_and_note(self, *given, **more):
            offer(self, *given, **more)
            with open(place / "log", "a") as log:
                log.write(f"{os.stat(self.folder).st_ino} {os.getpid()}\n")

        Checkpoints.offer = offer_and_note

    return fork(arguments, prepare)


def in_turns(place):
    """The folders into which two processes wrote at a time."""
    writers = {}
    for line in (place / "log").read_text().splitlines():
        folder, pid = line.split()
        writers.setdefault(folder, []).append(pid)
    (place / "log").unlink()
    for folder, pids in writers.items():
        changes = sum(a != b for a, b in itertools.pairwise(pids))
        if changes >= len(set(pids)):
            yield f"{len(set(pids))} processes wrote into folder {folder} in turns"


def train(place, components, *more):
    """The command line of a training whose code length tells it from the others."""
    standard = ["train", "--model", "dense", "--data", str(place / "faces.npz"), "--epochs", "40"]
    return [*standard, "--n-components", str(components), "--checkpoint-every", "0", *more]


def faults_of(folder, ends):
    """What is wrong with the runs in a folder after the children ended so."""
    finished = 0
    for run in sorted(path for path in folder.iterdir() if ".part" not in path.name):
        with Lock(run):  # which the dead do not hold
            pass
        if (run / "metrics.json").exists():
            finished += 1
            try:
                opened = open_run(run)
                if opened.config["n_components"] != opened.n_components:
                    yield f"{run.name}: the settings of one and the model of another"
            except ValueError as error:
                yield f"{run.name}: {error}"
    if finished < ends[0]:
        yield f"{ends[0]} trainings ended well, and {finished} runs are there"


def apart(place, folder, rng):
    """Trainings without --output: each has a folder of its own."""
    os.chdir(folder.parent)
    children = [begin(place, train(place, 2 + k)) for k in range(WRITERS)]
    disturb(children, rng)
    ends = wait(children)
    yield from ends.items()
    yield from faults_of(folder, ends)


def together(place, folder, rng):
    """Trainings into one finished run, which resume or replace it."""
    run = folder / "one"
    wait([begin(place, train(place, 2, "--output", str(run)))])
    before = snapshot(run)
    more = ["--output", str(run), "--overwrite"]
    resumes = ["train", "--resume", str(run), "--epochs", "60"]
    children = [
        begin(place, train(place, 3, *more)),
        begin(place, resumes),
        begin(place, train(place, 4, *more)),
    ]
    children.append(begin(place, resumes))
    disturb(children, rng)
    ends = wait(children)
    yield from ends.items()
    if set(ends) - {0, 2, -signal.SIGKILL}:
        yield f"exit statuses {dict(ends)}"
    if snapshot(run) != before and not (run / "checkpoint.npz").exists():
        yield "the finished run is gone"
    elif (run / "config.json").read_bytes() == before[run / "config.json"]:
        yield from faults_of(folder, Counter({0: 1}))


def run(rounds, seed=0):
    """Let processes meet `rounds` times; returns Counters of exit statuses and of faults."""
    rng, ends, faults = np.random.default_rng(seed), Counter(), Counter()
    with tempfile.TemporaryDirectory() as place:
        place, home = Path(place), Path.cwd()
        faces = make_faces(people=4, variations=4, size=8)
        np.savez(place / "faces.npz", images=faces.images, labels=faces.labels)
        for k in range(rounds):
            folder = place / f"round-{k}" / "runs"
            folder.mkdir(parents=True)
            for found in (apart, together)[k % 2](place, folder, rng):
                if isinstance(found, tuple):
                    ends[found[0]] += found[1]
                else:
                    faults[f"round {k}: {found}"] += 1
            for found in in_turns(place):
                faults[f"round {k}: {found}"] += 1
            os.chdir(home)
            shutil.rmtree(folder.parent)
    return ends, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--careless", action="store_true", help="as if there were no locks")
    options = parser.parse_args()
    draw_nothing(setattr)
    if options.careless:
        lock._lock, lock.Lock.check = (lambda handle: True), (lambda self: None)
    ends, faults = run(options.rounds, options.seed)
    print(
        f"{sum(ends.values())} processes in {options.rounds} rounds, {ends[0]} ended well, "
        f"{ends[2]} were refused, {ends[-signal.SIGKILL]} killed; {sum(faults.values())} faults"
    )
    for fault in list(faults)[:20]:
        print("  " + fault[:300])
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
