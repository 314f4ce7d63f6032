"""One training run of the reference model, from the data to a folder with everything it produced.

The folder holds ``config.json`` (how to repeat it), ``history.csv`` (one row per epoch),
``model.npz``, ``metrics.json``, ``figures/`` and ``report.html``. The same settings and seed give
the same numbers on the same machine and number of threads.
"""

import csv
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigrad import checkpoint, no_grad, tensor

from . import datasets, plots
from .baselines import half_squares, ladder
from .examples import checksum, source
from .olivetti import ARTICLE, DeepAutoencoder, adam, collapsed, corrupt, shrink, train
from .run_report import report
from .stopping import interruptible


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


def run(config, output, *, progress=True, say=print):
    """Train as `config` says and write the run folder `output`; returns the metrics (a dict).

    Ctrl-C ends the training after the current epoch; everything is still written. Unknown data, or
    images that are not square and grey, raise ValueError before anything is written.
    """
    data = datasets.load(config.data, say=say)
    images = data.images  # (N, H, W, 1)
    if images.shape[1] != images.shape[2] or images.shape[3] != 1:
        raise ValueError(
            f"the convolutional autoencoder reads square grey images, {data.name} has shape "
            f"{images.shape[1:]}: crop them and average the colours first"
        )
    weights, order, noise, viewing = np.random.default_rng(config.seed).spawn(4)
    _new_model(config, np.random.default_rng())  # refuses what cannot be built before writing
    output = Path(output)
    (output / "figures").mkdir(parents=True, exist_ok=True)
    used = {
        "data": source(config.data),
        "data_used": data.name,
        "data_crc32": checksum(data),
    }
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    _write_json(output / "config.json", {**asdict(config), **used, **versions})

    began = time.perf_counter()
    model, history, restarts = _train(config, images, (weights, order, noise), progress, say)
    seconds = time.perf_counter() - began
    with open(output / "history.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["epoch", "loss_per_sample", "code_mean"])
        rows.writerows([e.epoch, f"{e.loss:.6f}", f"{e.code_mean:.6f}"] for e in history)
    about = {"config": asdict(config), "epochs_done": len(history), "data": data.name}
    checkpoint.save(output / "model.npz", model, about=about)

    full = corrupt(images, config.std, viewing) if config.std else images  # what is looked at
    clean, seen = shrink(images, config.image_size), shrink(full, config.image_size)
    rebuilt, codes = reconstruct(model, seen, config.batch_size)
    error = rebuilt.astype(np.float64) - clean
    rungs = ladder(clean)
    metrics = {
        "data": data.name,
        "epochs": len(history),
        "restarts": restarts,
        "final_loss_per_sample": history[-1].loss if history else None,
        "final_code_mean": history[-1].code_mean if history else None,
        "loss_all_images": half_squares(error),
        "psnr_db": float(-10 * np.log10((error**2).mean())),
        **({"noisy_input_loss": half_squares(seen - clean)} if config.std else {}),
        "baselines_all_images": rungs,
        "seconds": round(seconds, 1),
    }
    _write_json(output / "metrics.json", metrics)
    kind = "Denoising autoencoder" if config.std else "Deep convolutional autoencoder"
    title = f"{kind}, {data.name}, {len(history)} epochs"
    if np.isfinite(codes).all():
        figures = output / "figures"
        _draw_images(figures, title, config, data, full, rebuilt)
        _draw_curve(figures / "training_curve.png", title, config, data, history, rungs)
        plots.code_distribution(codes, figures / "codes.png", title=title)
    else:
        say("The training diverged: the weights are no longer finite. Try a lower --learning-rate.")
    report(output, title)
    return metrics


def _new_model(config, rng):
    return DeepAutoencoder(config.image_size, config.code_length, rng=rng).to(config.device)


def _train(config, images, rngs, progress, say):
    """The trained model, its `Epoch`s and how often it had to begin again."""
    weights, order, noise = rngs
    for restarts in range(config.restarts + 1):
        model = _new_model(config, weights)
        epochs = train(
            model,
            images,
            adam(model, config.learning_rate),
            epochs=config.epochs,
            batch_size=config.batch_size,
            size=config.image_size,
            noise_std=config.std,
            order_rng=order,
            noise_rng=noise,
        )
        patient = restarts == config.restarts  # the last attempt goes on whatever happens
        history, ended = follow(epochs, config.epochs, None if patient else collapsed, progress)
        if ended == "interrupted":
            say(f"Stopped after {len(history)} of {config.epochs} epochs; writing what there is.")
        if ended != "collapsed":
            break
        say(
            f"After {len(history)} epochs every image has the same code and no gradient reaches "
            f"the encoder any more; beginning again with other weights (restart {restarts + 1})."
        )
    return model, history, restarts


def follow(epochs, total, collapsed=None, progress=True):
    """Collect the `Epoch`s of a training run, with a progress bar.

    Returns them and how it ended: "done", "interrupted" (by Ctrl-C, after the epoch) or, where
    ``collapsed(history)`` became true, "collapsed".
    """
    from tqdm import tqdm

    history = []
    bar = tqdm(total=total, unit="epoch", disable=not progress, dynamic_ncols=True)
    with bar, interruptible() as interrupted:
        for epoch in epochs:
            history.append(epoch)
            bar.set_postfix_str(f"loss {epoch.loss:.4f}, code mean {epoch.code_mean:.4f}", False)
            bar.update()
            if interrupted:
                return history, "interrupted"
            if collapsed is not None and collapsed(history):
                return history, "collapsed"
    return history, "done"


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


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n")
