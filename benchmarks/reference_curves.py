"""The 600-epoch curves in docs/olivetti/: trains what is missing there, then draws all of them.

python benchmarks/reference_curves.py                 # three seeds, both models: hours
python benchmarks/reference_curves.py --seeds         # only the figures, from the CSV files
python benchmarks/reference_curves.py --keep RUN ...  # takes over finished run folders

All files there count the loss as the article does (`autoencoder.olivetti.published`).
"""

import argparse
import csv
import json
import math
import subprocess
import tempfile
from pathlib import Path

from autoencoder import datasets, plots
from autoencoder.datasets import shrink
from autoencoder.evaluation import ladder
from autoencoder.olivetti import ARTICLE, published
from autoencoder.runs import Config, open_run, start
from autoencoder.runs.files import write_json

FOLDER = Path(__file__).parent.parent / "docs" / "olivetti"
KINDS = {"standard": "none", "denoising": "gaussian"}
SIZE = 32  # pixels a side
FOR_THE_LESSON = Path(__file__).parent.parent / "lessons" / "expected" / "olivetti_runs.json"
VERSION = "0.2"  # which draws other weights for a seed than 0.1, whose files have no version


def keep(folder, commit, images):
    """Write history, numbers and a figure of the run in `folder` to docs/olivetti.

    `commit` is that of the program that made it, `images` (N, H, W, 1) the faces.
    """
    run = open_run(folder)
    kind = next(kind for kind, noise in KINDS.items() if noise == run.config["noise"])
    name = f"{kind}_{VERSION}_seed{run.config['seed']}"
    history = run.history()
    losses = [
        published(loss, len(images), run.config["batch_size"])[0] for loss in history["l2_loss"]
    ]
    rows = zip(history["epoch"], losses, history["code_mean"], strict=True)
    lines = [f"{epoch},{loss:.6f},{code_mean:.6f}" for epoch, loss, code_mean in rows]
    text = "\n".join(["epoch,loss_per_sample,code_mean", *lines]) + "\n"
    (FOLDER / f"{name}.csv").write_text(text)

    metrics = json.loads((folder / "metrics.json").read_text())
    errors = {row: v["MSE"] for row, v in metrics["evaluation"]["reconstruction"].items()}
    half = SIZE**2 / 2  # from the mean squared error of a pixel to half the squares of an image
    about = {
        "data": metrics["data"],
        "commit": commit,
        "epochs": metrics["epochs"],
        "restarts": metrics["restarts"],
        "final_loss_per_sample": losses[-1],
        "final_code_mean": history["code_mean"][-1],
        "loss_all_images": half * errors["model"],
        "psnr_db": -10 * math.log10(errors["model"]),
    }
    if "noisy input" in errors:
        about["noisy_input_loss"] = half * errors["noisy input"]
    about["baselines_all_images"] = ladder(shrink(images, SIZE))
    write_json(FOLDER / f"{name}.json", {**about, "seconds": metrics["seconds"]})
    image = folder / "figures" / "full_size.png"
    (FOLDER / f"{name}_reconstructions.png").write_bytes(image.read_bytes())


def draw(kind, images):
    """The curves of all seeds of one kind on the ladder of baselines."""
    runs = {}
    for path in sorted(FOLDER.glob(f"{kind}*_seed*.csv")):
        with open(path) as file:
            rows = list(csv.DictReader(file))
        runs[path.stem.replace("_", " ")] = {
            "epoch": [int(r["epoch"]) for r in rows],
            "loss": [float(r["loss_per_sample"]) for r in rows],
        }
    if runs:
        # the rungs of the ladder as the article would count them
        rungs = {label: published(loss)[0] for label, loss in ladder(shrink(images, SIZE)).items()}
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

| run | epoch 1 | 2 | 3 | {last} | code mean | all 400 images | PSNR | restarts | minutes | commit |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}

"All 400 images" is the loss of the trained network on every image, per image: what PCA has to be
compared with. It reaches {pca} on the same images with 256 components, so at this code length PCA
wins in sample; the denoising network is scored on noisy images. The minutes were taken beside other
work on two cores and say little; see the benchmark in the main README. "Commit" is that of the
program which made the run. The runs of df19d6f, 66892f7 and 9ff9990 are of version 0.1, which
trained the reference model in a loop of its own and drew other weights for the same seed. Later
versions train it as every other `Autoencoder`; the losses of their histories are converted to this
measure by `autoencoder.olivetti.published`.

![standard](standard.png)

![denoising](denoising.png)

## Restarts: when all codes become the same

With the settings of the article many initial weights lead into a trap within some ten epochs. A
unit of the code sums 32,768 inputs; each step of Adam moves all its weights by about 0.001, which
can push the unit's sigmoid so far out that no gradient comes back. Once every unit is out, all
images have the same code, the decoder learns the mean face, and nothing changes any more. It is the
model and not the framework: `python benchmarks/collapse.py` trains minigrad and PyTorch from the
same weights on the same batches and prints how much the codes still differ between images.
`train` notices it (three epochs in which the codes of a batch differ by less than a millionth),
says so and begins again with other weights; `--restarts 0` lets it run on as the original program
would.
An `Autoencoder` does so with `restarts=10`; by default it only warns at the end of `fit`.
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
        cells += [f"{about['seconds'] / 60:.0f}", about["commit"]]
        rows.append(" | ".join(cells))
    pca = ladder(shrink(images, SIZE), components=(256,))["PCA 256"]
    text = PAGE.format(
        rows="\n".join(f"| {row} |" for row in rows),
        pca=f"{pca:.3f}",
        last=epochs,
    )
    (FOLDER / "README.md").write_text(text)


def for_the_lesson():
    """All runs for lesson 17, which an installed package has without this folder: name -> numbers.

    They are those of the .json, and the .csv's losses.
    """
    runs = {}
    for path in sorted(FOLDER.glob("*_seed?.json")):
        with open(path.with_suffix(".csv")) as file:
            losses = [float(row["loss_per_sample"]) for row in csv.DictReader(file)]
        runs[path.stem] = {**json.loads(path.read_text()), "losses": losses}
    return runs


def head():
    """The commit of the program, with a mark where files of it have been changed."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    return subprocess.run(
        words, cwd=FOLDER, check=True, capture_output=True, text=True
    ).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=600)
    parser.add_argument("--keep", type=Path, nargs="*", help="finished run folders to take over")
    parser.add_argument("--commit", help="that made the runs to keep; the current one if not given")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    commit = options.commit or head()
    images = datasets.load_olivetti().images
    for folder in options.keep or []:
        keep(folder, commit, images)
    for seed in [] if options.keep else options.seeds:
        for kind, noise in KINDS.items():
            if (FOLDER / f"{kind}_{VERSION}_seed{seed}.csv").exists():
                continue
            print(f"{kind}, seed {seed}")
            with tempfile.TemporaryDirectory() as folder:
                start(Config.of("olivetti", noise=noise, seed=seed, epochs=options.epochs), folder)
                keep(Path(folder), commit, images)
    for kind in KINDS:
        draw(kind, images)
    page(images)
    FOR_THE_LESSON.write_text(json.dumps(for_the_lesson()) + "\n")


if __name__ == "__main__":
    main()
