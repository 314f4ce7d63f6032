"""Figures of lesson 21."""

from lessons._figures import COLOURS

import numpy as np

from autoencoder.codec.rate_distortion import rate_distortion


def rate(figure, models, images, train, test, mine):
    """Quality against bits for each pixel."""
    axes = figure.subplots()
    for colour, (name, model) in zip(COLOURS, models.items(), strict=False):
        points = rate_distortion(model, images[train], images[test], steps=(2, 1, 0.5, 0.25, 0.1))
        axes.plot(*zip(*[p[:2] for p in points], strict=True), ".-", color=colour, label=name)
        own = [mine[name, bits] for bits in (2, 4, 8)]
        axes.plot(*zip(*own, strict=True), "x", color=colour, label=f"{name}, 2, 4, 8 bits")
    axes.set(xlabel="bits for each pixel", ylabel="PSNR of unseen people (dB)")
    axes.legend()


def labels(figure, scores, draws):
    """Accuracies from 1, 2 and 5 labels, with the deviation of a draw."""
    axes = figure.subplots()
    for place, (name, (means, deviations)) in enumerate(scores.items()):
        at = np.arange(3) + (place - 1.5) / 8  # (3,)
        axes.errorbar(at, means, deviations, fmt="o", color=COLOURS[place], label=name, capsize=3)
    axes.set(xlabel="labelled faces of each person", ylabel="accuracy", ylim=(0, 1.03))
    axes.set_xticks(range(3), ["1", "2", "5"])
    axes.legend(loc="lower right", title=f"mean and deviation of {draws} draws")
