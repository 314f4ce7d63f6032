"""One training run of the reference model, from the data to a folder with everything it produced.

The folder holds ``config.json`` (how to repeat it), ``history.csv`` (one row per epoch),
``model.npz``, ``metrics.json`` and ``figures/``. The same settings and seed give the same numbers
on the same machine and number of threads.
"""

import contextlib
import csv
import json
import platform
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import minigrad
from minigrad import checkpoint, no_grad, tensor

from . import datasets, plots
from .baselines import ladder
from .olivetti import ARTICLE, DeepAutoencoder, adam, corrupt, shrink, train


@dataclass(frozen=True)
class Config:
    """The settings of a run; ``noise="gaussian"`` makes it the denoising autoencoder."""

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

    def __post_init__(self):
        for name in ("epochs", "batch_size", "code_length", "image_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.noise not in ("none", "gaussian"):
            raise ValueError(f'unknown noise {self.noise!r}: use "none" or "gaussian"')
        if self.noise == "gaussian" and not self.noise_std > 0:
            raise ValueError(f"noise_std must be above 0 for gaussian noise, got {self.noise_std}")


def run(config, output, *, progress=True, say=print):
    """Train as `config` says and write the run folder `output`; returns the metrics (a dict).

    Ctrl-C ends the training after the current epoch; everything is still written. Unknown data,
    or images that are not square and grey, raise ValueError before anything is written.
    """
    data = datasets.load(config.data, say=say)
    images = data.images  # (N, H, W, 1)
    if images.shape[1] != images.shape[2] or images.shape[3] != 1:
        raise ValueError(
            f"the convolutional autoencoder reads square grey images, {data.name} has shape "
            f"{images.shape[1:]}: crop them and average the colours first"
        )
    weights, order, noise, viewing = np.random.default_rng(config.seed).spawn(4)
    model = DeepAutoencoder(config.image_size, config.code_length, rng=weights).to(config.device)
    output = Path(output)
    (output / "figures").mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    _write_json(output / "config.json", {**asdict(config), "data_used": data.name, **versions})

    noise_std = config.noise_std if config.noise == "gaussian" else 0.0
    epochs = train(
        model,
        images,
        adam(model, config.learning_rate),
        epochs=config.epochs,
        batch_size=config.batch_size,
        size=config.image_size,
        noise_std=noise_std,
        order_rng=order,
        noise_rng=noise,
    )
    began = time.perf_counter()
    history, stopped = follow(epochs, config.epochs, progress)
    seconds = time.perf_counter() - began
    if stopped:
        say(f"Stopped after {len(history)} of {config.epochs} epochs; writing what there is.")
    with open(output / "history.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["epoch", "loss_per_sample", "code_mean"])
        rows.writerows([e.epoch, f"{e.loss:.6f}", f"{e.code_mean:.6f}"] for e in history)
    about = {"config": asdict(config), "epochs_done": len(history), "data": data.name}
    checkpoint.save(output / "model.npz", model, about=about)

    clean = shrink(images, config.image_size)
    seen = shrink(corrupt(images, noise_std, viewing), config.image_size) if noise_std else clean
    rebuilt, codes = reconstruct(model, seen, config.batch_size)
    rungs = ladder(clean)
    metrics = {
        "data": data.name,
        "epochs": len(history),
        "final_loss_per_sample": history[-1].loss if history else None,
        "final_code_mean": history[-1].code_mean if history else None,
        "loss_all_images": half_squares(rebuilt, clean),
        "psnr_db": psnr(rebuilt, clean),
        **({"noisy_input_loss": half_squares(seen, clean)} if noise_std else {}),
        "baselines_all_images": rungs,
        "seconds": round(seconds, 1),
    }
    _write_json(output / "metrics.json", metrics)
    _draw(output / "figures", config, data, history, rungs, clean, seen, rebuilt, codes)
    return metrics


def follow(epochs, total, progress):
    """Collect the `Epoch`s of a training run, with a progress bar, until it ends or Ctrl-C is
    pressed; returns them and whether it was stopped."""
    from tqdm import tqdm

    history = []
    bar = tqdm(total=total, unit="epoch", disable=not progress, dynamic_ncols=True)
    with bar, _interruptible() as interrupted:
        for epoch in epochs:
            history.append(epoch)
            bar.set_postfix_str(f"loss {epoch.loss:.4f}, code mean {epoch.code_mean:.4f}", False)
            bar.update()
            if interrupted:
                break
    return history, bool(interrupted)


@contextlib.contextmanager
def _interruptible():
    """Yields a list that is empty until Ctrl-C; a second Ctrl-C interrupts as usual."""
    seen = []

    def first(signum, frame):
        seen.append(signum)
        signal.signal(signal.SIGINT, before)

    try:
        before = signal.signal(signal.SIGINT, first)
    except ValueError:  # not in the main thread: Ctrl-C is somebody else's business
        yield seen
        return
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


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


def half_squares(a, b):
    """The reference loss: ``sum((a - b)**2) / 2`` per image, averaged over the images."""
    return float(((a.astype(np.float64) - b) ** 2).sum() / 2 / len(a))


def psnr(a, b):
    """The peak signal-to-noise ratio in decibels of images in [0, 1]: ``-10 log10(mse)``."""
    return float(-10 * np.log10(((a.astype(np.float64) - b) ** 2).mean()))


def _draw(folder, config, data, history, rungs, clean, seen, rebuilt, codes):
    denoising = config.noise != "none"
    kind = "Denoising autoencoder" if denoising else "Deep convolutional autoencoder"
    title = f"{kind}, {data.name}, {len(history)} epochs"
    _, first = np.unique(data.labels, return_index=True)  # one image of each person
    rows = np.sort(first)
    for name, size in (("", config.image_size), ("_64", 64)):
        shown = [("original", clean), ("noisy input", seen), ("reconstruction", rebuilt)]
        plots.image_rows(
            [
                (label, np.clip(minigrad.resize_bicubic(x[rows], size) if name else x[rows], 0, 1))
                for label, x in shown
                if denoising or label != "noisy input"
            ],
            folder / f"reconstructions{name}.png",
            title=f"{title}, {size}x{size}",
        )
    if history:
        # the reference program divides the loss of the batches it used by all images
        n, batch = len(clean), config.batch_size
        used = len(range(0, n - batch, batch)) * batch / n or 1.0
        reference = config.data == data.name == "olivetti" and config.image_size == 32
        plots.training_curve(
            {"epoch": [e.epoch for e in history], "loss": [e.loss for e in history]},
            {label: loss * used for label, loss in rungs.items()},
            folder / "training_curve.png",
            title=title,
            points={"the article": ARTICLE} if reference and not denoising else None,
        )
    plots.code_distribution(codes, folder / "codes.png", title=title)


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n")
