"""``python -m lessons doctor``: is everything there that the course needs, and what to mend.

Only Python's own library is imported at the top, so that it also answers where NumPy is missing.
"""

import importlib.metadata
import importlib.util
import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPTIONAL = {  # module: (package, what it is for)
    "torch": ("torch", "a second judge of many exercises"),
    "jupytext": ("jupytext", "lessons as notebooks"),
}


def main():
    """Print one line for each thing examined; 1 if something that is needed is missing."""
    bad = 0
    for examine in (python, packages, project, writing, timer, faces, display, optional, gpu):
        for good, words in examine():
            mark = {True: "+", False: "x", None: "o"}[good]
            print(f"{mark} {words}")
            bad += good is False
    print(
        "\nAll that the course needs is there. Begin with  python -m lessons 1"
        if not bad
        else f"\n{bad} to mend: the lines with an x say what to do."
    )
    return int(bad > 0)


def _wanted():
    """The `[project]` of pyproject.toml; {} where the file is missing."""
    path = ROOT / "pyproject.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"] if path.exists() else {}


def _numbers(version):
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def python():
    now = ".".join(map(str, sys.version_info[:3]))
    least = _wanted().get("requires-python", ">=3.11").removeprefix(">=")
    if sys.version_info < _numbers(least):
        yield False, f"Python {now}: {least} or newer is needed, see https://www.python.org"
    else:
        yield True, f"Python {now}, in {sys.prefix}"


def packages():
    """Each package that the project depends on, in a version that is new enough."""
    for requirement in _wanted().get("dependencies", ["numpy>=2.0", "matplotlib>=3.9"]):
        name, _, least = requirement.partition(">=")
        try:
            now = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield False, f"{name} is missing: run  pip install -e .  in {ROOT}"
            continue
        if _numbers(now) < _numbers(least):
            yield False, f"{name} {now}: {least} or newer is needed, pip install -U {name}"
        else:
            yield True, f"{name} {now}"


def project():
    """Whether ``import minigrad`` finds the one beside these lessons."""
    spec = importlib.util.find_spec("minigrad")
    if spec is None:
        yield False, f"minigrad is not installed: run  pip install -e .  in {ROOT}"
    elif Path(spec.origin).resolve().parents[1] != ROOT:
        where = Path(spec.origin).resolve().parents[1]
        yield False, f"minigrad comes from {where}, not from {ROOT}: pip install -e . there"
    else:
        yield True, f"minigrad, from {ROOT}"


def writing():
    from ._progress import users, usual

    out = usual()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        words = f"{out} cannot be written ({error.strerror}): figures and progress go to"
        yield None, f"{words} {users()}"
    else:
        yield True, f"figures and progress are written to {out}"


def timer():
    import signal

    if hasattr(signal, "setitimer"):
        yield True, "an endless loop in an exercise is stopped after ten seconds"
    else:
        yield None, "this system has no timer: an endless loop has to be stopped with Ctrl-C"


def faces():
    """The real faces, which some lessons use when they are there."""
    try:
        from sklearn.datasets import get_data_home

        home = Path(get_data_home())
    except (ImportError, OSError) as error:
        yield None, f"the cache of data cannot be looked at: {error}"
        return
    cache = home / "olivetti_py3.pkz"
    if cache.exists():
        yield True, f"the Olivetti faces, in {cache}"
    else:
        words = (
            f"the Olivetti faces are not in {home}: lessons 17 to 23 download them (4 MB), or use"
        )
        yield None, f"{words} generated faces without a network"


def display():
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY"):
        yield True, "a display: --show opens the figures in windows"
    elif os.environ.get("WAYLAND_DISPLAY"):
        yield True, "a display (Wayland): --show opens the figures in windows"
    else:
        yield None, "no display: --show cannot open windows, the figures are files in lessons/out"


def optional():
    for module, (package, purpose) in OPTIONAL.items():
        if importlib.util.find_spec(module):
            yield True, f"{package} {importlib.metadata.version(package)}: {purpose}"
        else:
            yield None, f"{package} is not installed, and not needed: {purpose}"


def gpu():
    """Lesson 24 has a make-believe GPU; a real one is not needed anywhere."""
    if importlib.util.find_spec("cupy") is None:
        yield None, "no CuPy, so no GPU: no lesson needs one"
        return
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        yield (
            None,
            f"CuPy is there, but no GPU answers ({type(error).__name__}): no lesson needs one",
        )
    else:
        yield True, f"CuPy {cupy.__version__} with {count} GPU"
