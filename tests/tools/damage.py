"""Ten thousand damaged model files: each loads to what was saved, or is refused in one sentence.

    python tests/tools/damage.py --files 10000

Damage is drawn from a seed: flipped bits, files cut short or with other bytes in the middle,
members that are swapped, of another shape, of an absurd size, compressed or very many, headers that
were changed or got new names and a right checksum again. A load may take a second and 200 MB, and
runs no code.
"""

import argparse
import io
import json
import resource
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

import autoencoder
from minigrad import checkpoint, nn

SECONDS, MEGABYTES = 1.0, 200


# ---------------------------------------------------------------------- the good files
def weights(folder):
    """A file of plain weights: (path, load, what it must give)."""
    path = folder / "weights.npz"
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(20, 8, activation="relu", rng=rng), nn.Dense(8, 20, rng=rng))
    checkpoint.save(path, model, about={"epochs": 3})
    return path, lambda p: bits(checkpoint.load(p).arrays), bits(model.state_dict())


def estimator(folder):
    """A file of a fitted estimator, with all that its training needs to go on."""
    path = folder / "estimator.npz"
    X = np.random.default_rng(0).random((60, 12))
    model = autoencoder.DenoisingAutoencoder(3, hidden=(6,), max_epochs=2, random_state=0).fit(X)
    model.save(path)

    def load(p):
        return bits({"codes": autoencoder.load(p).transform(X)})

    return path, load, bits({"codes": model.transform(X)})


def bits(arrays):
    return {name: (a.shape, a.dtype.str, a.tobytes()) for name, a in arrays.items()}


# ---------------------------------------------------------------------- damage
def flip_bits(data, rng):
    data = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def cut_short(data, rng):
    return data[: rng.integers(len(data))]


def overwrite(data, rng):
    start = rng.integers(len(data))
    length = min(int(rng.integers(1, 200)), len(data) - start)
    return data[:start] + rng.bytes(length) + data[start + length :]


def lose_the_middle(data, rng):
    start, stop = np.sort(rng.integers(0, len(data), 2))
    return data[:start] + data[stop:]


def swap_members(data, rng):
    members = _members(data)
    a, b = rng.choice(list(members), 2, replace=False)
    members[a], members[b] = members[b], members[a]
    return _archive(members)


def other_shape(data, rng):
    members = _members(data)
    shape = tuple(rng.integers(0, 40, rng.integers(0, 4)))
    dtype = rng.choice(["<f4", "<f8", "<i8", "<U3", "|b1"])
    members[_any(members, rng)] = _npy(np.zeros(shape, dtype))
    return _archive(members)


def absurd_size(data, rng):
    """A member whose own header claims up to 10^18 elements."""
    members = _members(data)
    file = io.BytesIO()
    shape = (int(10 ** rng.integers(6, 19)),) * int(rng.integers(1, 3))
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    members[_any(members, rng)] = file.getvalue() + bytes(40)
    return _archive(members)


def zip_bomb(data, rng):
    members = _members(data)
    bomb = _npy(np.zeros(int(rng.integers(1, 6)) * 10**6, np.float32))
    members[_any(members, rng)] = bomb
    return _archive(members, zipfile.ZIP_DEFLATED)


def pickled(data, rng):
    members = _members(data)
    file = io.BytesIO()
    np.save(file, np.array([Trap()], dtype=object), allow_pickle=True)
    members[_any(members, rng)] = file.getvalue()
    return _archive(members)


class Trap:
    """What a file must never bring to life."""

    sprung = False

    def __reduce__(self):
        return _spring, ()


def _spring():
    Trap.sprung = True


def change_the_header(data, rng):
    """One value of the JSON header becomes another; checksums are right again."""
    members = _members(data)
    header = json.loads(str(np.load(io.BytesIO(members["__minigrad__.npy"]))[()]))
    *path, last = _leaf(header, rng)
    place = header
    for step in path:
        place = place[step]
    absurd = [None, -1, 10**9, 10**30, 0.5, "x", "", [], {}, [[]], True, "../x", [10**9] * 3]
    place[last] = absurd[rng.integers(len(absurd))]
    members["__minigrad__.npy"] = _npy(np.array(json.dumps(header)))
    return _archive(members)


def forge_a_name(data, rng):
    """A name more in the header, or an array more, that would replace a method if it were taken."""
    members = _members(data)
    header = json.loads(str(np.load(io.BytesIO(members["__minigrad__.npy"]))[()]))
    name = ("transform", "fit", "save", "_model", "network_", "__class__")[rng.integers(6)]
    if rng.random() < 0.5:
        group = ("fitted", "network", "optimizer", "nobody")[rng.integers(4)]
        array = np.ones(3)
        members[f"{group}/{name}.npy"] = _npy(array)
        header["arrays"][f"{group}/{name}"] = checkpoint._describe(array)
    else:
        about = header["about"]
        place = about.get(("fitted", "params", "training")[rng.integers(3)], about)
        place[name] = ("x", None, 1, {})[rng.integers(4)]
    members["__minigrad__.npy"] = _npy(np.array(json.dumps(header)))
    return _archive(members)


def very_many_members(data, rng):
    members = _members(data)
    one = _npy(np.zeros(1))
    return _archive(members | {f"a{k}.npy": one for k in range(int(rng.integers(11_000, 70_000)))})


def _leaf(value, rng):
    """The path to some value inside nested JSON."""
    path = []
    while isinstance(value, dict | list) and len(value):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        path.append(keys[rng.integers(len(keys))])
        value = value[path[-1]]
        if path and rng.random() < 0.1:
            break
    return path


def _members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _archive(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _any(members, rng):
    return list(members)[rng.integers(len(members))]


DAMAGE = (
    flip_bits, cut_short, overwrite, lose_the_middle, swap_members, other_shape, absurd_size,
    zip_bomb, pickled, change_the_header, forge_a_name,
)  # fmt: skip


# ---------------------------------------------------------------------- trying them
def attempt(load, path, expected):
    """How a load ends: "same", "refused" or what is wrong with it; and its seconds."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = load(path)
        end = "same" if got == expected else "other values"
    except ValueError as error:
        text = str(error)
        whole = text.startswith("load:") and str(path) in text and "\n" not in text
        end = "refused" if whole else f"no sentence: {text!r}"
    except BaseException as error:
        end = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - began
    if Trap.sprung:
        end, Trap.sprung = "executed code", False
    return (end if seconds < SECONDS else f"took {seconds:.1f} s"), seconds


def run(files, seed=0):
    """Damage `files` files; returns Counters of how they ended, by kind of damage, and of faults.

    A changed header may say something else that is right, such as another learning rate, and plain
    weights may have more arrays: there other values are no fault.
    """
    ends, faults = {}, Counter()
    with tempfile.TemporaryDirectory() as folder:
        sources = [make(Path(folder)) for make in (weights, estimator)]
        contents = [path.read_bytes() for path, _, _ in sources]
        for k in range(files):
            rng = np.random.default_rng([seed, k])
            damage = DAMAGE[k % len(DAMAGE)]
            if damage is zip_bomb and k % (50 * len(DAMAGE)) == DAMAGE.index(zip_bomb):
                damage = very_many_members  # takes long to make
            which = (k // len(DAMAGE)) % len(sources)
            _, load, expected = sources[which]
            path = Path(folder) / "damaged.npz"
            path.write_bytes(damage(contents[which], rng))
            end, _ = attempt(load, path, expected)
            other = damage is change_the_header or (damage is forge_a_name and which == 0)
            if end == "other values" and other:
                end = "same"
            ends.setdefault(damage.__name__, Counter())[end] += 1
            if end not in ("same", "refused"):
                faults[f"{damage.__name__} {k}: {end}"] += 1
    return ends, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run(len(DAMAGE))  # what is imported and allocated once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ends, faults = run(options.files, options.seed)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    for name, counts in ends.items():
        print(f"{name:20}" + "  ".join(f"{end} {n}" for end, n in counts.most_common(3)))
    print(f"{options.files} files, {sum(faults.values())} faults, memory grew by {grown:.0f} MB")
    for fault in list(faults)[:20]:
        print("  " + fault[:300])
    return bool(faults) or grown > MEGABYTES


if __name__ == "__main__":
    raise SystemExit(main())
