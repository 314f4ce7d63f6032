"""The direction of imports."""

import ast
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg

ROOT = Path(mg.__file__).parents[1]


@pytest.fixture
def cupy(monkeypatch):
    """A module that looks like CuPy from where the engine stands; its arrays are NumPy's."""

    class ndarray(np.ndarray):
        def get(self):
            return np.array(self)

    def device(x):
        return np.asarray(x).view(ndarray) if isinstance(x, np.ndarray) else x

    def on_device(name):
        def function(*args, **options):
            return device(getattr(np, name)(*args, **options))

        return function

    fake = types.ModuleType("cupy")
    fake.ndarray = ndarray
    fake.asarray = lambda x, **options: device(np.array(x, **options))
    fake.is_available = lambda: True
    fake.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceProperties=lambda k: {"name": b"make-believe"})
    )

    def compiled(code, options=()):
        def probe(grid, block, args):
            args[0][...] = 42

        return types.SimpleNamespace(get_function=lambda name: probe)

    fake.RawModule = compiled
    fake.__getattr__ = on_device
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


LAYERS = [  # each module imports from the lines above its own
    {"memory", "schedules"},
    {"backend", "node", "state"},
    {"tensor"},
    {"engine"},
    {"gradient", "shapes"},
    {"derivatives"},
    {"ops"},
    {"operators", "conv", "penalties"},
    {"fused", "losses", "resize"},
    {"cpu", "cuda"},
    {"random"},
    {"functional"},
    {"init", "optim", "data", "checkpoint", "testing", "debug", "module"},
    {"nn"},
    {"__init__"},
]
LAZY = {"backend": {"cupy"}, "cuda": {"cupy"}, "cpu": {"threadpoolctl"}}  # slow to import
FOREIGN = {"autoencoder", "sklearn", "scipy", "matplotlib", "torch", "tqdm", "lessons"}


def sources():
    """The files of minigrad and their parse trees."""
    package = ROOT / "minigrad"
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).with_suffix("").parts, ast.parse(path.read_text())


def imports(parts, tree):
    """(minigrad's own modules, all others) that a file imports."""
    own, others = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            others |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            others.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            own |= {(*base, *name.split(".")) for name in names}
    own |= {tuple(n.split(".")[1:]) for n in others if n.split(".")[0] == "minigrad"}
    return own, {n.split(".")[0] for n in others}


def test_imports_run_one_way():
    level = {name: k for k, names in enumerate(LAYERS) for name in names}
    uses = {}
    for parts, tree in sources():
        assert parts[0] in level, f"put {parts[0]} in its place in LAYERS"
        own, _ = imports(parts, tree)
        uses[parts[0]] = uses.get(parts[0], set()) | {target[0] for target in own if target}
    for module, used in uses.items():
        for target in used - {module}:
            assert level[target] < level[module], f"{module}.py must not import {target}.py"
    assert uses["tensor"] == {"backend", "node"}
    assert uses["engine"] == {"backend", "node", "state", "tensor"}


def test_no_file_imports_what_it_must_not():
    for parts, tree in sources():
        name = ".".join(parts)
        foreign = imports(parts, tree)[1]
        assert not foreign & FOREIGN, f"{name} imports {foreign & FOREIGN}"
        assert "cupy" not in foreign or parts[0] in ("backend", "cuda"), name
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.Lambda):
                own, late = imports(parts, function)
                assert not own and late <= LAZY.get(parts[0], set()), f"{name}:{function.lineno}"


def test_import_minigrad_is_light():
    code = (
        "import sys, minigrad; heavy = {'scipy', 'sklearn', 'matplotlib', 'cupy', 'torch', "
        "'autoencoder', 'tqdm', 'pandas'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_public_name_exists_once():
    assert len(set(mg.__all__)) == len(mg.__all__) and mg.__all__ == sorted(mg.__all__)
    assert all(hasattr(mg, name) for name in mg.__all__)
