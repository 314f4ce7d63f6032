"""Training runs that are cut short, and what they must become when they go on; see test_resume."""

import json
import subprocess
import sys
from unittest import mock

import numpy as np

from autoencoder.__main__ import main
from autoencoder.datasets import make_faces
from autoencoder.runs import figures
from autoencoder.runs.checkpoints import Checkpoints
from minigrad import checkpoint

KINDS = {
    "olivetti": "--noise gaussian --n-components 9",
    "dense": "--n-components 3",
    "conv": "--n-components 3 --hidden 3 --noise masking",
    "denoising": "--n-components 3 --hidden 8 --validation-fraction 0.2",
    "sparse": "--n-components 6 --noise gaussian --patience 4",
    "contractive": "--n-components 3 --noise salt_and_pepper",
    "vae": "--n-components 2 --hidden 8 --noise heteroscedastic",
}


def draw_nothing(replace):
    """Figures are compared by kill.py, and take most of the time; `replace` is like setattr."""
    replace(figures, "draw", lambda *_, **__: [])


def whole_runs(place, patch, kinds):
    """Write faces, and a run of ten epochs of each of the `kinds`, into the folder `place`."""
    faces = make_faces(people=4, variations=4, size=16)
    np.savez(place / "faces.npz", images=faces.images, labels=faces.labels)
    draw_nothing(patch.setattr)
    for kind in kinds:
        assert train(place, place / kind, kind) == 0
    return place


def train(place, output, kind, *more, epochs=10):
    """Train as the command line does; returns the exit status."""
    options = ["--data", str(place / "faces.npz"), "--image-size", "8", "--batch-size", "5"]
    options += ["--epochs", str(epochs), *KINDS[kind].split(), *more]
    return main(["train", "--model", kind, *options, "--output", str(output)])


def resume(output, *more):
    """Go on with a run as the command line does; returns the exit status."""
    return main(["train", "--resume", str(output), *map(str, more)])


def stopped(after, how):
    """A block that calls `how` once there is a checkpoint of `after` epochs, of all attempts."""
    offer, calls = Checkpoints.offer, []

    def offer_and_stop(self, contents, at_once=False):
        calls.append(1)
        offer(self, contents, at_once or len(calls) == after)
        if len(calls) == after:
            how()

    return mock.patch.object(Checkpoints, "offer", offer_and_stop)


def die():
    """What a second Ctrl-C does: nothing more is written."""
    raise KeyboardInterrupt


def aborted(place, output, kind, after, *more, **options):
    """Make a run of which only the checkpoint after `after` epochs is there."""
    with stopped(after, die):
        assert train(place, output, kind, *more, **options) == 130
    assert not (output / "model.npz").exists()


def result(folder):
    """Everything that a run wrote, but for how long it took."""
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["seconds"]
    state = checkpoint.load(folder / "checkpoint.npz")
    del state.about["run"]["seconds"]
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.arrays.items()}
    names = ["model.npz", "history.csv", "config.json"]
    names += [f"figures/{path.name}" for path in folder.glob("figures/*")]
    files = {name: (folder / name).read_bytes() for name in names}
    return {"metrics": metrics, "state": (arrays, state.about), **files}


def different(first, second):
    """The names of what is not the same in two results."""
    return sorted(n for n in first | second if first.get(n) != second.get(n))


def same(folder, other):
    assert different(result(folder), result(other)) == []


def snapshot(folder):
    """The contents of all files in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def elsewhere(code, *arguments):
    """The exit status and both outputs of `code` in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr
