"""minigrad needs NumPy and threadpoolctl: it imports and trains with all else out of reach."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

BEYOND = ["scipy", "sklearn", "matplotlib", "PIL", "pooch", "constriction", "tqdm", "pandas"]
TRAINING = """
import sys
import tempfile
from pathlib import Path

class Blocked:
    "What the autoencoders need beyond NumPy, and what a machine may have besides."
    names = set(sys.argv[2:])

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

before = set(sys.modules)  # an environment may import some of its own at the start
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[1])

import numpy as np
import minigrad as mg
from minigrad import checkpoint, data, debug, losses, nn, optim, penalties, schedules, testing

rng = np.random.default_rng(0)
model = nn.Sequential(
    nn.Conv2D(1, 4, 3, activation="relu", rng=rng),
    nn.Flatten(),
    nn.Dense(64, 3, activation="sigmoid", rng=rng),
    nn.Dense(3, 16, rng=rng),
)
adam = optim.Adam(model.parameters(), lr=1e-2)
x = mg.tensor(rng.random((8, 4, 4, 1)), dtype=np.float32)
history = []
for _ in range(20):
    loss = losses.mse_loss(model(x), x.reshape(8, 16))
    adam.zero_grad()
    loss.backward()
    adam.step()
    history.append(loss.item())
with tempfile.TemporaryDirectory() as folder:
    checkpoint.save(Path(folder) / "model.npz", model.state_dict())
    loaded = checkpoint.load(Path(folder) / "model.npz")
assert history[-1] < history[0], history
assert set(loaded.arrays) == set(model.state_dict())
assert testing.gradcheck(mg.tanh, [np.array([0.5])]) < 1e-7
assert "leaf" in debug.explain(losses.mse_loss(model(x), x.reshape(8, 16)))
foreign = {name.split(".")[0] for name in set(sys.modules) - before} & Blocked.names
assert not foreign, foreign
print("trained")
"""


def blocked():
    """The import names of all that is installed but NumPy, threadpoolctl and minigrad."""
    installed = importlib.metadata.packages_distributions()
    return sorted(
        name
        for name, owners in installed.items()
        if not set(owners) & {"numpy", "threadpoolctl"} and name not in ("minigrad", "")
    )


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_minigrad_trains_with_numpy_and_threadpoolctl_alone():
    done = run(TRAINING, str(ROOT), *BEYOND, *blocked())
    assert (done.stdout, done.stderr) == ("trained\n", "")


def test_what_is_blocked_cannot_be_imported():
    """Or else the test above would prove nothing."""
    done = run(TRAINING.replace("import minigrad as mg", "import scipy"), str(ROOT), *blocked())
    assert "scipy is blocked" in done.stderr and done.stdout == ""
