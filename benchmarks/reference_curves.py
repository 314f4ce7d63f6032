"""The 600-epoch curves in docs/olivetti/: trains what is missing there, then draws all of them.

python benchmarks/reference_curves.py                 # three seeds, both models: hours
python benchmarks/reference_curves.py --seeds         # only the figures, from the CSV files
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

from autoencoder import datasets, plots
from autoencoder.baselines import ladder
from autoencoder.olivetti import ARTICLE, shrink
from autoencoder.run import Config, run

FOLDER = Path(__file__).parent.parent / "docs" / "olivetti"
KINDS = {"standard": "none", "denoising": "gaussian"}


def keep(folder, kind, seed):
    """Copy the history of a finished run folder to docs/olivetti, and its metrics beside it."""
    name = f"{kind}_seed{seed}"
    (FOLDER / f"{name}.csv").write_text((folder / "history.csv").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    (FOLDER / f"{name}.json").write_text(json.dumps(metrics, indent=2) + "\n")


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=600)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    images = datasets.load_olivetti().images
    for seed in options.seeds:
        for kind, noise in KINDS.items():
            if (FOLDER / f"{kind}_seed{seed}.csv").exists():
                continue
            print(f"{kind}, seed {seed}")
            with tempfile.TemporaryDirectory() as folder:
                run(Config(noise=noise, seed=seed, epochs=options.epochs), folder)
                keep(Path(folder), kind, seed)
    for kind in KINDS:
        draw(kind, images)


if __name__ == "__main__":
    main()
