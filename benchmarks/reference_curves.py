"""The 600-epoch curves in docs/olivetti/: trains what is missing there, then draws all of them.

python benchmarks/reference_curves.py                 # three seeds, both models: hours
python benchmarks/reference_curves.py --seeds         # only the figures, from the CSV files
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

from autoencoder.runs.old_run import Config, run

from autoencoder import datasets, plots
from autoencoder.captured_epoch import shrink
from autoencoder.evaluation import ladder
from autoencoder.olivetti import ARTICLE

FOLDER = Path(__file__).parent.parent / "docs" / "olivetti"
KINDS = {"standard": "none", "denoising": "gaussian"}


def keep(folder, kind, seed):
    """Copy the history, metrics and one figure of a finished run folder to docs/olivetti."""
    name = f"{kind}_seed{seed}"
    (FOLDER / f"{name}.csv").write_text((folder / "history.csv").read_text())
    (FOLDER / f"{name}.json").write_text((folder / "metrics.json").read_text())
    image = folder / "figures" / "reconstructions_64.png"
    (FOLDER / f"{name}_reconstructions.png").write_bytes(image.read_bytes())


def draw(kind, images):
    """The curves of all seeds of one kind on the ladder of baselines."""
    runs = {}
    for path in sorted(FOLDER.glob(f"{kind}_seed*.csv")):
        with open(path) as file:
            rows = list(csv.DictReader(file))
        runs[path.stem.replace("_", " ")] = {
            "epoch": [int(r["epoch"]) for r in rows],
            "loss": [float(r["loss_per_sample"]) for r in rows],
        }
    if runs:
        # an epoch's loss is that of 350 images divided by 400, so the ladder is scaled alike
        rungs = {label: 0.875 * loss for label, loss in ladder(shrink(images, 32)).items()}
        points = {"the article": ARTICLE} if kind == "standard" else None
        title = f"Deep convolutional autoencoder ({kind}), olivetti"
        plots.training_curve(runs, rungs, FOLDER / f"{kind}.png", title=title, points=points)


PAGE = """# The reference runs

The deep convolutional autoencoder on the 400 Olivetti faces, 600 epochs, as `python -m autoencoder
train` (`--noise gaussian --noise-std 0.2` for the denoising one) trains it with each seed. Made by
`python benchmarks/reference_curves.py`, like this page; the histories are the CSV files beside it.

The loss is the reference program's: half the sum of squares, summed over the 350 images that an
epoch uses and divided by 400. The article reports 11.933, 10.294, 9.918 for the first three epochs
and 0.4636 at the end; its program, run with TensorFlow 2.21, 12.024, 10.339, 10.142 and 0.5846, and
as the denoising version 13.614, 11.056, 10.253 and 0.9448.

| run | epoch 1 | 2 | 3 | {last} | code mean | all 400 images | PSNR | restarts | minutes |
|---|---|---|---|---|---|---|---|---|---|
{rows}

"All 400 images" is the loss of the trained network on every image, per image: what PCA has to be
compared with. It reaches {pca} on the same images with 256 components, so at this code length PCA
wins in sample; the denoising network is scored on noisy images. The minutes were taken beside other
work on two cores and say little; see the benchmark in the main README.

![standard](standard.png)

![denoising](denoising.png)

## Restarts: when all codes become the same

With the settings of the article many initial weights lead into a trap within some ten epochs. A
unit of the code sums 32,768 inputs; each step of Adam moves all its weights by about 0.001, which
can push the unit's sigmoid so far out that no gradient comes back. Once every unit is out, all
images have the same code, the decoder learns the mean face, and nothing changes any more. It is the
model and not the framework: `python benchmarks/collapse.py` trains minigrad and PyTorch from the
same weights on the same batches and prints how much the codes still differ between images.
`train` notices it (three epochs with codes equal to one part in a million), says so and begins
again with other weights; `--restarts 0` lets it run on as the original program would.
"""


def page(images):
    """Write docs/olivetti/README.md from the files in the folder."""
    rows, epochs = [], 0
    for path in sorted(FOLDER.glob("*_seed*.csv"), key=lambda p: (p.stem[0] == "d", p.stem)):
        with open(path) as file:
            history = list(csv.DictReader(file))
        about, epochs = json.loads(path.with_suffix(".json").read_text()), len(history)
        losses = [float(history[k]["loss_per_sample"]) for k in (0, 1, 2, -1)]
        cells = [path.stem.replace("_", " "), *(f"{loss:.4f}" for loss in losses)]
        cells += [f"{float(history[-1]['code_mean']):.4f}", f"{about['loss_all_images']:.4f}"]
        cells += [f"{about['psnr_db']:.1f} dB", str(about["restarts"])]
        rows.append(" | ".join([*cells, f"{about['seconds'] / 60:.0f}"]))
    pca = ladder(shrink(images, 32), components=(256,))["PCA 256"]
    text = PAGE.format(rows="\n".join(f"| {row} |" for row in rows), pca=f"{pca:.3f}", last=epochs)
    (FOLDER / "README.md").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=600)
    parser.add_argument("--keep", type=Path, nargs="*", help="finished run folders to take over")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    images = datasets.load_olivetti().images
    for folder in options.keep or []:
        config = json.loads((folder / "config.json").read_text())
        kind = next(kind for kind, noise in KINDS.items() if noise == config["noise"])
        keep(folder, kind, config["seed"])
    for seed in [] if options.keep else options.seeds:
        for kind, noise in KINDS.items():
            if (FOLDER / f"{kind}_seed{seed}.csv").exists():
                continue
            print(f"{kind}, seed {seed}")
            with tempfile.TemporaryDirectory() as folder:
                run(Config(noise=noise, seed=seed, epochs=options.epochs), folder)
                keep(Path(folder), kind, seed)
    for kind in KINDS:
        draw(kind, images)
    page(images)


if __name__ == "__main__":
    main()
