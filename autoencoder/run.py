"""One training run of the reference model, from the data to a folder with everything it produced.

The folder holds ``config.json`` (how to repeat it), ``history.csv`` (one row per epoch),
``model.npz``, ``metrics.json``, ``figures/`` and ``report.html``. The same settings and seed give
the same numbers on the same machine and number of threads.
"""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigrad import checkpoint, no_grad, tensor

from . import attempts, datasets, examples, plots
from .baselines import half_squares, ladder
from .checkpoints import SECONDS, Checkpoints, understood
from .epochs import corrupt, shrink
from .examples import checksum, source
from .olivetti import ARTICLE
from .run_report import report
from .runfiles import begin, reopen, write_json, write_rows


@dataclass(frozen=True)
class Config:
    """The settings of a run; ``noise="gaussian"`` makes it the denoising autoencoder.

    `restarts` is how often it may begin again with other weights when its codes have collapsed,
    see `olivetti.collapsed`; with 0 it goes on to the end as the reference program would.
    """

    data: str = "olivetti"
    epochs: int = 600
    batch_size: int = 50
    code_length: int = 256
    image_size: int = 32
    learning_rate: float = 0.001
    noise: str = "none"
    noise_std: float = 0.2
    seed: int = 0
    device: str = "cpu"
    restarts: int = 10

    @property
    def std(self):
        """The standard deviation of the noise, 0 without."""
        return self.noise_std if self.noise == "gaussian" else 0.0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "code_length", "image_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("seed", "restarts"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.noise not in ("none", "gaussian"):
            raise ValueError(f'unknown noise {self.noise!r}: use "none" or "gaussian"')
        if self.noise == "gaussian" and not self.noise_std > 0:
            raise ValueError(f"noise_std must be above 0 for gaussian noise, got {self.noise_std}")


def run(config, output, *, every=SECONDS, progress=True, say=print):
    """Train as `config` says and write the run folder `output`; returns the metrics (a dict).

    Ctrl-C ends the training after the current epoch; everything is still written. `every` is how
    often there is a checkpoint, see `Checkpoints`. Unknown data, or images that are not square and
    grey, raise ValueError before anything is written.
    """
    data = datasets.load(config.data, say=say)
    images = data.images  # (N, H, W, 1)
    if images.shape[1] != images.shape[2] or images.shape[3] != 1:
        raise ValueError(
            f"the convolutional autoencoder reads square grey images, {data.name} has shape "
            f"{images.shape[1:]}: crop them and average the colours first"
        )
    attempts.new_model(config, np.random.default_rng())  # refuses what cannot be built
    recorded = {
        **asdict(config),
        "data": source(config.data),
        "data_used": data.name,
        "data_crc32": checksum(data),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    checkpoints = Checkpoints(output, recorded, every)
    begin(Path(output), recorded, ["codes", "training_curve"])
    return _train(config, data, attempts.first(config), checkpoints, progress, say)


def resume(folder, recorded, *, data=None, every=SECONDS, progress=True, say=print):
    """Go on with the run in `folder` from its last checkpoint, to the end that its settings name.

    `recorded` is what its config.json holds, maybe with other ``"epochs"``, and `data` where the
    same images are now. What comes of it is what an uninterrupted run of so many epochs would have
    written, to the last bit.
    """
    with understood(folder):
        config = Config(**{name: recorded[name] for name in Config.__dataclass_fields__})
    original = examples.original(recorded, data)
    checkpoints = Checkpoints(folder, recorded, every)
    attempt = checkpoints.restore(lambda *stored: attempts.restored(config, *stored))
    if attempt is None:
        attempt = attempts.first(config)
    checkpoints.go_on(recorded, len(attempt.history), say)
    return _train(config, original, attempt, checkpoints, progress, say)


def _train(config, data, attempt, checkpoints, progress, say):
    attempt, ended = attempts.train(
        attempt, config, data.images, checkpoints, progress=progress, say=say
    )
    with checkpoints.explained():
        return _write(config, data, attempt, ended, checkpoints, say)


def _write(config, data, attempt, ended, checkpoints, say):
    """Write what came of a training into its folder, metrics.json last; returns the metrics."""
    output, seconds = checkpoints.folder, checkpoints.seconds
    model, history, images = attempt.model, attempt.history, data.images
    reopen(output)
    rows = ([e.epoch, f"{e.loss:.6f}", f"{e.code_mean:.6f}"] for e in history)
    write_rows(output / "history.csv", ["epoch", "loss_per_sample", "code_mean"], rows)
    about = {"config": asdict(config), "epochs_done": len(history), "data": data.name}
    checkpoint.save(output / "model.npz", model, about=about)

    viewing = attempt.streams["viewing"]
    full = corrupt(images, config.std, viewing) if config.std else images  # what is looked at
    clean, seen = shrink(images, config.image_size), shrink(full, config.image_size)
    rebuilt, codes = reconstruct(model, seen, config.batch_size)
    error = rebuilt.astype(np.float64) - clean
    rungs = ladder(clean)
    metrics = {
        "data": data.name,
        "epochs": len(history),
        "ended": ended,
        "restarts": attempt.restarts,
        "final_loss_per_sample": history[-1].loss if history else None,
        "final_code_mean": history[-1].code_mean if history else None,
        "loss_all_images": half_squares(error),
        "psnr_db": float(-10 * np.log10((error**2).mean())),
        **({"noisy_input_loss": half_squares(seen - clean)} if config.std else {}),
        "baselines_all_images": rungs,
        "seconds": round(seconds, 1),
    }
    kind = "Denoising autoencoder" if config.std else "Deep convolutional autoencoder"
    title = f"{kind}, {data.name}, {len(history)} epochs"
    if np.isfinite(codes).all():
        figures = output / "figures"
        _draw_images(figures, title, config, data, full, rebuilt)
        _draw_curve(figures / "training_curve.png", title, config, data, history, rungs)
        plots.code_distribution(codes, figures / "codes.png", title=title)
    else:
        say("The training diverged: the weights are no longer finite. Try a lower --learning-rate.")
    report(output, title, metrics)
    write_json(output / "metrics.json", metrics)
    return metrics


@no_grad()
def reconstruct(model, images, batch_size=50):
    """Outputs and codes of `model` for `images` (N, size, size, 1), as NumPy arrays."""
    device = model.parameters()[0].device
    parts = [
        [part.numpy() for part in model(tensor(images[k : k + batch_size], device=device))]
        for k in range(0, len(images), batch_size)
    ]
    outputs, codes = zip(*parts, strict=True)
    return np.concatenate(outputs), np.concatenate(codes)


def _draw_images(folder, title, config, data, full, rebuilt):
    """Originals over reconstructions (between them what the network read, if that was noisy): at
    the size of the network, and at the size of the data."""
    _, first = np.unique(data.labels, return_index=True)  # one image of each person
    shown = np.sort(first)
    rows = [("original", data.images), ("reconstruction", rebuilt)]
    if full is not data.images:
        rows.insert(1, ("noisy input", full))
    for size in {config.image_size, full.shape[1]}:
        plots.image_rows(
            [(label, np.clip(shrink(x[shown], size), 0, 1)) for label, x in rows],
            folder / f"reconstructions_{size}.png",
            title=f"{title}, {size}x{size}",
        )


def _draw_curve(path, title, config, data, history, rungs):
    if not history:
        return
    # the reference program divides the loss of the images it used by the number of all images
    n, batch = len(data.images), config.batch_size
    used = (len(range(0, n - batch, batch)) * batch or n) / n
    reference = data.name == "olivetti" and config.image_size == 32
    plots.training_curve(
        {"epoch": [e.epoch for e in history], "loss": [e.loss for e in history]},
        {label: loss * used for label, loss in rungs.items()},
        path,
        title=title,
        points={"the article": ARTICLE} if reference and config.noise == "none" else None,
    )
