"""detect: images that are unlike those which the model was trained on.

The score of an image is its log-likelihood under the model, the threshold a quantile of the scores
of the training images. A network knows those better than any new image, so the table says besides
how many of the held-out ones fall below it: that is the rate of false alarms to expect.
"""

from pathlib import Path

import numpy as np

from .. import plots
from ..runs import open_run
from ..runs.files import own, write_rows
from . import files

PRINTED = 20  # rows of the table


def detect(options):
    """Print the images with the lowest scores; write all scores."""
    run = open_run(options.run, device=options.device)
    if not 0 < options.contamination <= 0.5:
        raise ValueError(f"--contamination must be in (0, 0.5], got {options.contamination}")
    output = Path(options.output or run.folder / "scores.csv")
    arrays = ("scores", "anomalous", "threshold")
    output = files.check_output(output, (".csv", ".npz"), options.input, arrays=arrays)
    picture = options.figure and files.check_output(options.figure, (".png",), options.input)
    given = run.read(options.input)
    rows = run.rows(given.images, given.name)
    samples = run.samples()
    X_train, X_test = samples.rows
    threshold = np.quantile(run.estimator.score_samples(X_train), options.contamination)
    held_out, scores = run.estimator.score_samples(X_test), run.estimator.score_samples(rows)
    anomalous = scores < threshold
    names = [str(k) for k in range(len(scores))] if given.names is None else given.names
    what = run.unit
    _print(what, names, scores, anomalous)
    print(
        f"{anomalous.sum()} of {len(scores)} {what} score below {threshold:.2f} nats, as "
        f"{options.contamination:.0%} of the training {what} do, and "
        f"{np.mean(held_out < threshold):.0%} of the {len(X_test)} test {what} ({samples.how})."
    )
    if output.parent.resolve() == run.folder.resolve():
        with files.writes_into(run.folder):
            _write(own(output), what, names, scores, anomalous, threshold)
    else:
        _write(output, what, names, scores, anomalous, threshold)
    print(f"All scores are in {output}")
    if picture:
        which = "training" if samples.test is samples.train else "test"
        groups = {
            f"{which} {what}": held_out,
            f"{given.name}, not anomalous": scores[~anomalous],
            f"{given.name}, anomalous": scores[anomalous],
        }
        title = f"{run.title}: {which} {what} and {given.name}"
        with files.written(picture):
            plots.score_groups(groups, picture, title=title, threshold=threshold)
        print(picture)


def _print(what, names, scores, anomalous):
    order = np.argsort(scores)[:PRINTED]
    width = max(7, *(len(names[k]) for k in order))
    lines = [f"{what[:-1]:>{width}}  {'score':>12}  {'':9}"]
    lines += [
        f"{names[k]:>{width}}  {scores[k]:12.2f}  {'anomalous' if anomalous[k] else ''}"
        for k in order
    ]
    if len(scores) > PRINTED:
        lines.append(f"    ...  ({len(scores) - PRINTED} with higher scores)")
    print("\n".join(line.rstrip() for line in lines))


def _write(path, what, names, scores, anomalous, threshold):
    if path.suffix == ".npz":
        files.write_arrays(path, names, scores=scores, anomalous=anomalous, threshold=threshold)
        return
    rows = zip(names, scores, anomalous, strict=True)
    header = (what[:-1], *files.SCORES[1:])
    with files.written(path):
        write_rows(path, header, ([name, f"{score:.6f}", int(flag)] for name, score, flag in rows))
