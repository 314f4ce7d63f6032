"""How much memory each operation takes beyond the data (or file) that it is given.

    python tests/tools/memory.py --megabytes 200
    python tests/tools/memory.py --megabytes 200 "VAE: elbo"

Every operation runs in a new process on float32 rows of 256 numbers. Printed is the largest
amount beyond what was there before, results included, over the size of the data: what Python and
NumPy asked for (tracemalloc), and by how much the process grew (VmHWM). At most 1.3 times the data
is promised, 0.3 times where nothing of their size is asked for, and CONSTANT megabytes for blocks
of rows.
"""

import argparse
import gc
import io
import json
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
D, CONSTANT, MOST = 256, 24, 1.3


def rows(megabytes):
    """Rows (N, D) of numbers in [0, 1]."""
    count = int(megabytes * 1e6) // (4 * D)
    rng = np.random.default_rng(0)
    X = np.empty((count, D), np.float32)
    for start in range(0, count, 1000):
        X[start : start + 1000] = rng.random((len(X[start : start + 1000]), D), np.float32)
    return X


def fitted(kind="Autoencoder", X=None, **params):
    import autoencoder

    how = {"max_epochs": 1, "random_state": 0, "batch_size": 128, **params}
    return getattr(autoencoder, kind)(4, **how).fit(rows(1) if X is None else X)


def detector(**params):
    from autoencoder import Autoencoder, AutoencoderAnomalyDetector

    inner = Autoencoder(4, max_epochs=1, batch_size=128)
    return AutoencoderAnomalyDetector(inner, random_state=0, **params)


def missing(X):
    X[::7, ::5] = np.nan
    return X


def asked(method, kind="Autoencoder", *more, **params):
    """An operation that asks a fitted estimator about the data."""

    def prepare(X):
        model = fitted(kind, **params)
        return lambda: getattr(model, method)(X, *more)

    return prepare


def learning(kind="Autoencoder", method="fit", **params):
    def prepare(X):
        import autoencoder

        how = {"max_epochs": 1, "random_state": 0, "batch_size": 128, **params}
        model = getattr(autoencoder, kind)(4, **how)
        return lambda: getattr(model, method)(X)

    return prepare


def optimal(X):
    from autoencoder.parts import GaussianLikelihood

    return learning(likelihood=GaussianLikelihood("optimal"))(X)


def detecting(method, **params):
    def prepare(X):
        model = detector(**params).fit(rows(1))
        return lambda: getattr(model, method)(X)

    return prepare


def measuring(name, shape=(-1, D)):
    def prepare(X):
        from autoencoder import evaluation

        half = len(X) // 2
        first, second = (X[k * half : (k + 1) * half].reshape(shape) for k in range(2))
        return lambda: getattr(evaluation, name)(first, second)

    return prepare


def comparing(X):
    from autoencoder.evaluation import evaluate

    model = fitted()
    half = len(X) // 2
    return lambda: evaluate(model, X[:half], X[half:])


def corrupting(name):
    def prepare(X):
        from autoencoder.parts import resolve

        noise = resolve("noise", name)
        return lambda: noise.corrupt(X, np.random.default_rng(0))

    return prepare


def coding(X):
    from autoencoder.codec import Codec

    codec = Codec(fitted(), 0.1).fit(rows(1))
    return lambda: codec.decompress(codec.compress(X))


def scaled(X):
    X *= 10
    X -= 3
    return X


def saved(X):
    """A file of the size of the data, and the folder it is in."""
    folder = Path(tempfile.mkdtemp())
    units = int(X.nbytes / (2 * 3 * 4 * D))  # weights twice, with Adam's moments three times
    model = fitted(hidden=(units,))
    return model, folder / "model.npz"


def saving(X):
    model, path = saved(X)
    return lambda: model.save(path)


def loading(X):
    import autoencoder

    model, path = saved(X)
    model.save(path)
    del model
    return lambda: autoencoder.load(path)


def arrays(X):
    from minigrad import checkpoint

    path = Path(tempfile.mkdtemp()) / "a.npz"
    checkpoint.save(path, {"X": X})
    return lambda: checkpoint.load(path)


VAE, BERNOULLI = "VariationalAutoencoder", {"likelihood": "bernoulli"}
CASES = {
    "transform": asked("transform"),
    "reconstruct": asked("reconstruct"),
    "score_samples": asked("score_samples"),
    "score": asked("score"),
    "score_samples, one batch": asked("score_samples", batch_size=10**6),
    "score_samples, Bernoulli": asked("score_samples", **BERNOULLI),
    "score_samples, continuous Bernoulli": asked(
        "score_samples", likelihood="continuous_bernoulli"
    ),
    "score_samples, missing": lambda X: asked("score_samples", missing="mask")(missing(X)),
    "transform, scaled": lambda X: asked("transform", scale="standard")(scaled(X)),
    "reconstruct, scaled": lambda X: asked("reconstruct", scale="standard")(scaled(X)),
    "score_samples, scaled": lambda X: asked("score_samples", scale="standard")(scaled(X)),
    "VAE: transform": asked("transform", VAE),
    "VAE: elbo": asked("elbo", VAE, 4),
    "VAE: log_likelihood": asked("log_likelihood", VAE, 8),
    "VAE: posterior": asked("posterior", VAE),
    "fit": learning(),
    "fit, scaled": lambda X: learning(scale="standard")(scaled(X)),
    "fit, noise": learning("DenoisingAutoencoder"),
    "fit, Bernoulli": learning(**BERNOULLI),
    "fit, optimal variance": optimal,
    "fit, validation rows": learning(validation_fraction=0.1),
    "fit, missing": lambda X: learning(missing="mask")(missing(X)),
    "fit, VAE": learning(VAE),
    "partial_fit": learning(method="partial_fit"),
    "detector: fit": lambda X: lambda: detector().fit(X),
    "detector: fit, calibration": lambda X: lambda: detector(calibration_fraction=0.3).fit(X),
    "detector: predict": detecting("predict"),
    "detector: score_samples": detecting("score_samples"),
    "detector: score_samples, reconstruction": detecting(
        "score_samples", criterion="reconstruction"
    ),
    "detector: score_samples, code": detecting("score_samples", criterion="code"),
    "detector: explain": detecting("explain"),
    "codec: compress, decompress": coding,
    "noise: gaussian": corrupting("gaussian"),
    "noise: heteroscedastic": corrupting("heteroscedastic"),
    "noise: masking": corrupting("masking"),
    "noise: salt_and_pepper": corrupting("salt_and_pepper"),
    "mse": measuring("mse"),
    "psnr": measuring("psnr"),
    "ssim": measuring("ssim", (-1, 16, 16)),
    "excess_bce": measuring("excess_bce"),
    "evaluate": comparing,
    "save": saving,
    "load": loading,
    "checkpoint.load": arrays,
}


WHOLE = {  # those whose result, or a copy that they need, is as large as the data
    "reconstruct", "transform, scaled", "reconstruct, scaled", "score_samples, scaled",
    "fit, scaled", "score_samples, missing",
    "fit, validation rows", "fit, missing", "detector: fit, calibration", "detector: explain",
    "codec: compress, decompress", "noise: gaussian", "noise: heteroscedastic", "noise: masking",
    "noise: salt_and_pepper", "save", "load", "checkpoint.load",
}  # fmt: skip


def limit(name):
    """How many times the data an operation may take, beside the constant."""
    return MOST if name in WHOLE else MOST - 1


def traced(name, megabytes):
    """The peak of NumPy's and Python's memory during a case, in bytes, and those of the data."""
    warnings.simplefilter("ignore")
    X = rows(megabytes)
    work = CASES[name](X)
    gc.collect()
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del result
    return peak, X.nbytes


def grown(name, megabytes):
    """By how many bytes the process grows during a case, and those of the data."""
    warnings.simplefilter("ignore")
    CASES[name](rows(2))()  # imports, pools
    X = rows(megabytes)
    work = CASES[name](X)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    before = _status("VmRSS")
    result = work()
    peak = _status("VmHWM") - before
    del result
    return peak, X.nbytes


def _status(name):
    lines = io.StringIO(Path("/proc/self/status").read_text())
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case")
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--one", choices=["traced", "grown"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(globals()[options.one](options.cases[0], options.megabytes)))
        return 0
    held, most = True, 0.0
    print(f"{'times the data':44}{'NumPy':>8}{'process':>9}")
    for name in options.cases:
        found = []
        for how in ("traced", "grown"):
            command = [sys.executable, __file__, name, "--one", how]
            command += ["--megabytes", str(options.megabytes)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
            peak, size = json.loads(done.stdout.splitlines()[-1])
            found.append(peak / size)
            held = held and peak <= limit(name) * size + CONSTANT * 1e6
        most = max(most, *found)
        print(f"{name:44}{found[0]:8.2f}{found[1]:9.2f}", flush=True)
    within = "all" if held else "NOT all"
    print(
        f"{len(options.cases)} operations on {options.megabytes:g} MB: at most {most:.2f} times "
        f"the data, {within} within their limits"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
