"""Proves with processes, started by mpiexec, what `tests/autoencoder/test_shared.py` proves with
threads: two and four train what one does, and the end of one is the end of all.

Skipped without mpi4py and an MPI library; ``pip install mpi4py mpich`` brings both."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autoencoder as ae
from autoencoder.datasets import load_digits

ROOT = Path(ae.__file__).parents[1]
MPIEXEC = shutil.which(
    "mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
)

TRAINING = """
import hashlib, sys
import numpy as np
from mpi4py import MPI
import autoencoder as ae
from autoencoder.datasets import load_digits
from minigrad import optim
from minigrad.distributed import AllReduce

comm, path = MPI.COMM_WORLD, sys.argv[1]
X = load_digits().images[:150].reshape(150, -1).astype(np.float64)

def shared(parameters, lr):
    return AllReduce(optim.Adam(parameters, lr=lr), comm, check_every=5)

settings = dict(hidden=(20,), batch_size=49, max_epochs=3, random_state=0)
model = ae.VariationalAutoencoder(4, solver=shared, **settings).fit(X)
model.save(path)
arrays = [a.tobytes() for a in model.network_.state_dict().values()]
content = b"".join(arrays) + repr(model.history_).encode()
seen = comm.allgather(hashlib.sha256(content).hexdigest())
if comm.rank == 0:
    print(len(seen), len(set(seen)), flush=True)

def stumble(model, record):
    if comm.rank == 1 and record["epoch"] == 2:
        raise OSError("there is no room")

if "raise" in sys.argv:
    model.set_params(callbacks=stumble).fit(X)
"""

LOOP = """
import os, signal, sys
import numpy as np
from mpi4py import MPI
from minigrad import optim, tensor
from minigrad.distributed import AllReduce

comm, mode = MPI.COMM_WORLD, sys.argv[1]
w = tensor(np.ones(3), requires_grad=True)
optimizer = AllReduce(optim.Adam([w]), comm)
for step in range(100):
    if comm.rank == 1 and step == 5:
        if mode == "raise":
            raise ValueError("of the user's own")
        os.kill(os.getpid(), signal.SIGKILL)
    with optimizer.share(10) as share:
        (w * w).sum().backward(share.weight)
        optimizer.step()
print("they go on")
"""


def usable():
    """Why MPI cannot be used here, or nothing."""
    if MPIEXEC is None:
        return "there is no mpiexec: pip install mpi4py mpich"
    code = "from mpi4py import MPI as m; m.COMM_WORLD.rank or print('found', m.COMM_WORLD.size)"
    done = subprocess.run(
        [MPIEXEC, "-n", "2", sys.executable, "-c", code], capture_output=True, text=True
    )
    if done.stdout.split() != ["found", "2"]:
        last = (done.stderr.strip() or "they do not find each other").splitlines()[-1]
        return f"two processes of {MPIEXEC} with mpi4py do not work: {last}"
    return ""


@pytest.fixture(scope="module", autouse=True)
def _mpi():
    if why := usable():
        pytest.skip(why)


def on_processes(n, program, *arguments):
    one = {"OMP_NUM_THREADS": "1", "MINIGRAD_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [MPIEXEC, "-n", str(n), sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | one,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def alone():
    X = load_digits().images[:150].reshape(150, -1).astype(np.float64)
    settings = dict(hidden=(20,), batch_size=49, max_epochs=3, random_state=0)
    return X, ae.VariationalAutoencoder(4, **settings).fit(X)


@pytest.mark.parametrize("n", [2, 4])  # the last batch has 3 rows
def test_processes_train_what_one_does(alone, tmp_path, n):
    """And at the end of the two of them one stumbles in another fit, which ends both."""
    X, model = alone
    done = on_processes(n, TRAINING, tmp_path / "model.npz", *["raise"] * (n == 2))
    assert done.stdout.split()[:2] == [str(n), "1"], done.stderr  # processes, different results
    if n == 2:
        assert done.returncode != 0
        assert "rank 1 of 2 ended all ranks, it had OSError: there is no room" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    read = ae.load(tmp_path / "model.npz")
    np.testing.assert_allclose(read.transform(X), model.transform(X), rtol=1e-11, atol=1e-13)
    for name, values in model.history_.items():
        np.testing.assert_allclose(read.history_[name], values, rtol=1e-11, err_msg=name)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("raise", "rank 1 of 2 ended all ranks by this error"),
        ("kill", "Killed"),  # what mpiexec says
    ],
)
def test_in_a_loop_of_ones_own_the_end_of_one_is_the_end_of_all(mode, said):
    done = on_processes(2, LOOP, mode)
    assert done.returncode != 0 and "they go on" not in done.stdout
    assert said in done.stdout + done.stderr
