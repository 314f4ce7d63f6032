"""Run folders from strangers: absurd settings, numbers and models end well or in one sentence.

    python tests/tools/strangers.py --runs 1000

Damage is drawn from a seed: values of config.json, metrics.json and of the header of model.npz
become something of another kind or size, get new names, or are nested a thousand deep; history.csv
becomes anything; files become links, folders or pipes. The checksum that ties settings and model is
made right again each time, as somebody would do who means harm. Then a command is run.
"""

import argparse
import contextlib
import io
import json
import os
import re
import resource
import shutil
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np

from autoencoder.__main__ import main as autoencoder
from autoencoder.datasets import make_faces
from autoencoder.runs import figures
from autoencoder.runs.files import fingerprint
from minigrad import checkpoint

SECONDS, MEGABYTES, ROOM = 10.0, 300, 3 * 2**30  # of an attack; bytes that there are at all
BAR = re.compile("VariationalAutoencoder:|.*: warning: |$")
DEEP = json.loads("[" * 900 + "]" * 900)
ABSURD = (
    *(None, True, -1, 0, 10**9, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x"),
    *("$\\frac$", "../x", "\x00", "\ud800", "<script>", "a" * 100_000, [], {}, [[]], [None]),
    [10**9] * 3,
    *([-1, 2, 3], {"a": {"b": {"c": 1}}}, DEEP, [0.5] * 100_000, {"x" * 1000: 1}),
)  # fmt: skip
NAMES = (
    "transform",
    "fit",
    "save",
    "__class__",
    "__dict__",
    "network_",
    "x",
    "",
    "evaluation",
    "run",
)
COMMANDS = (
    ["info"],
    ["evaluate"],
    ["plot", "--only", "loss"],
    ["plot", "--only", "codes"],
    ["train", "--epochs", "4", "--resume"],
    ["encode"],
    ["sample"],
)  # fmt: skip


# ---------------------------------------------------------------------- damage
def change(content, rng):
    """Somewhere inside nested JSON one value becomes another, or a new name appears."""
    place, path = content, []
    while isinstance(place, dict | list) and len(place) and (not path or rng.random() < 0.7):
        keys = list(place) if isinstance(place, dict) else range(len(place))
        path.append((place, keys[rng.integers(len(keys))]))
        place = place[path[-1][1]]
    inside, key = path[-1]
    value = ABSURD[rng.integers(len(ABSURD))]
    if isinstance(inside, dict) and rng.random() < 0.3:
        inside[NAMES[rng.integers(len(NAMES))]] = value
    elif isinstance(inside, dict) and rng.random() < 0.2:
        del inside[key]
    else:
        inside[key] = value


def settings(folder, rng):
    config = json.loads((folder / "config.json").read_text())
    for _ in range(rng.integers(1, 3)):
        change(config, rng)
    (folder / "config.json").write_text(json.dumps(config))


def numbers(folder, rng):
    metrics = json.loads((folder / "metrics.json").read_text())
    change(metrics, rng)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def wide(folder, rng):
    """A history, or metrics, of very many columns."""
    count = int(10 ** rng.uniform(2, 5))
    names = [f"column {k}" for k in range(count)]
    if rng.random() < 0.5:
        rows = ["epoch,loss," + ",".join(names), "1,1," + ",".join("1" * count)]
        (folder / "history.csv").write_text("\n".join(rows))
        arrays, about = checkpoint.load(folder / "model.npz")
        about["history"] |= {name: [1.0] * len(about["history"]["epoch"]) for name in names}
        checkpoint.save(folder / "model.npz", arrays, about)
        return
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["evaluation"]["reconstruction"]["model"] |= dict.fromkeys(names, 0.5)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def other_text(folder, rng):
    """A text file that is empty, cut short, no text, or nested too deep."""
    path = folder / ("config.json", "metrics.json", "history.csv")[rng.integers(3)]
    data = path.read_bytes()
    cut = data[: rng.integers(len(data))]
    others = (b"", cut, rng.bytes(100), b"[" * 100_000, b"\xef\xbb\xbf" + data)
    path.write_bytes(others[rng.integers(len(others))])


def header(folder, rng):
    """The header of the model, or of the checkpoint."""
    path = folder / ("model.npz", "checkpoint.npz")[rng.integers(2)]
    arrays, about = checkpoint.load(path)
    change(about, rng)
    checkpoint.save(path, arrays, about)


def arrays_of(folder, rng):
    """An array of the model goes, comes, or has another shape."""
    arrays, about = checkpoint.load(folder / "model.npz")
    name = list(arrays)[rng.integers(len(arrays))]
    kind = rng.integers(3)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[f"fitted/{NAMES[rng.integers(len(NAMES))]}"] = np.ones(3)
    else:
        arrays[name] = np.full(rng.integers(0, 5, rng.integers(0, 3)), np.nan)
    checkpoint.save(folder / "model.npz", arrays, about)


def no_file(folder, rng):
    """A file is a folder, a pipe, a device or a link to something else."""
    names = ("config.json", "metrics.json", "history.csv", "model.npz", "checkpoint.npz", ".lock")
    path = folder / names[rng.integers(len(names))]
    path.unlink(missing_ok=True)
    kind = rng.integers(5)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    else:
        path.symlink_to(("/dev/zero", "precious", path.name)[kind - 2])


DAMAGE = (settings, numbers, wide, other_text, header, arrays_of, no_file)


def tie(folder):
    """Make the checksum right that ties settings and model."""
    if not all((folder / name).is_file() for name in ("config.json", "model.npz")):
        return
    with contextlib.suppress(ValueError, RecursionError):  # where they can no longer be read
        config = json.loads((folder / "config.json").read_text())
        arrays, about = checkpoint.load(folder / "model.npz")
        about["run"] = {"settings": fingerprint(config)}
        checkpoint.save(folder / "model.npz", arrays, about)


# ---------------------------------------------------------------------- trying them
def attempt(arguments):
    """How a command ends: "well", "refused" or what is wrong with it."""
    err, began = io.StringIO(), time.process_time()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            status = autoencoder(arguments)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    if (seconds := time.process_time() - began) > SECONDS:
        return f"took {seconds:.1f} s"
    lines = [line for line in err.getvalue().splitlines() if not BAR.match(line)]
    if status == 0:
        return "well" if not lines else f"status 0 with {lines[:3]}"
    whole = len(lines) == 1 and lines[0].startswith("python -m autoencoder ")
    return (
        "refused" if whole and status == 2 and len(lines[0]) < 6500 else f"no sentence: {lines[:3]}"
    )


def run(runs, seed=0, first=0):
    """Damage `runs` run folders; returns Counters of how they ended, by damage, and of faults."""
    ends, faults = {}, Counter()
    few = {name: figures.FIGURES[name] for name in ("codes", "loss")}
    with tempfile.TemporaryDirectory() as place, mock.patch.object(figures, "FIGURES", few):
        place = Path(place)
        faces = make_faces(people=4, variations=4, size=8)
        np.savez(place / "faces.npz", images=faces.images, labels=faces.labels)
        good = place / "good"
        train = ["train", "--model", "vae", "--data", str(place / "faces.npz"), "--epochs", "3"]
        train += ["--n-components", "2", "--hidden", "8", "--output", str(good)]
        if (end := attempt(train)) != "well":
            raise RuntimeError(f"the training itself does not work: {end}")
        for k in range(first, first + runs):
            rng = np.random.default_rng([seed, k])
            damage = DAMAGE[k % len(DAMAGE)]
            command = COMMANDS[(k // len(DAMAGE)) % len(COMMANDS)]
            folder = place / "run"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(good, folder)
            (folder / "precious").write_text("precious")
            damage(folder, rng)
            tie(folder)
            arguments = [command[0], *([str(folder)] if command[0] != "train" else command[1:])]
            arguments += [str(folder)] if command[0] == "train" else command[1:]
            if command[0] in ("encode", "sample"):
                given = [str(place / "faces.npz")] if command[0] == "encode" else []
                arguments += [*given, str(place / "out.npz")]
            end = attempt(arguments)
            if (folder / "precious").read_text() != "precious":
                end = "wrote through a link"
            ends.setdefault(damage.__name__, Counter())[
                end if end in ("well", "refused") else "fault"
            ] += 1
            if end not in ("well", "refused"):
                faults[f"{damage.__name__} {k}, {' '.join(command)}: {end}"] += 1
    return ends, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    run(2 * len(DAMAGE) * len(COMMANDS) if options.runs > 200 else 1, options.seed + 1)  # imports
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ends, faults = run(options.runs, options.seed, options.first)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    for name, counts in ends.items():
        print(f"{name:12}" + "  ".join(f"{end} {n}" for end, n in counts.most_common()))
    print(
        f"{options.runs} run folders, {sum(faults.values())} faults, memory grew by {grown:.0f} MB"
    )
    for fault in list(faults)[:30]:
        print("  " + fault[:400])
    return bool(faults) or grown > MEGABYTES


if __name__ == "__main__":
    raise SystemExit(main())
