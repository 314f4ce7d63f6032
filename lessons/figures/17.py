"""Figures of lesson 17."""

from lessons._figures import COLOURS

import numpy as np

from autoencoder.olivetti import ARTICLE


def ladder(figure, runs, known):
    """The stored runs and the article's points on the ladder."""
    axes = figure.subplots()
    for seed, colour in ((0, COLOURS[0]), (2, COLOURS[5])):
        losses = np.array(runs[f"standard_seed{seed}"]["losses"]) / 0.875  # (600,)
        axes.loglog(
            range(1, len(losses) + 1), losses, color=colour, label=f"stored run, seed {seed}"
        )
    axes.loglog(*(np.array(ARTICLE).T * [[1], [1 / 0.875]]), "ko", ms=5, label="the article")
    for name, loss in known.items():
        axes.axhline(loss, color="0.6", lw=0.8, ls="--")
        axes.text(700, loss, name, va="center", fontsize=8)
    axes.set(xlabel="epoch", ylabel="half the squared error per face", xlim=(0.9, 600))
    axes.legend(loc="lower left", fontsize=8)


def faces(figure, epochs, losses, rungs, looks, seen, watched):
    """The losses of this run, and a face as it appears."""
    above, beneath = figure.subfigures(2, 1, height_ratios=(2, 1))
    axes = above.subplots()
    axes.semilogy(range(1, epochs + 1), losses, color=COLOURS[0], label="your network")
    for name, loss in rungs.items():
        axes.axhline(loss, color="0.6", lw=0.8, ls="--")
        axes.text(epochs * 1.01, loss, name, va="center", fontsize=8)
    axes.set(xlabel="epoch", ylabel="loss per face", xlim=(0.9, epochs))
    axes.xaxis.get_major_locator().set_params(integer=True)
    faces = dict(zip([f"epoch {n}" for n in looks], seen, strict=True)) | {
        "face": watched[0, ..., 0]
    }
    for place, (name, face) in zip(beneath.subplots(1, len(faces)), faces.items(), strict=True):
        place.imshow(face, cmap="gray", vmin=0, vmax=1)
        place.set_title(name, fontsize=8)
        place.axis("off")
