"""The figures, as PNG files: what goes in and comes out, codes, training, comparisons.

Each function takes arrays (or, to decode, a function) and a path, writes one small PNG there and
returns the path; nothing needs an estimator. The title is for the one claim the figure supports:
name the data in it. Scales are fixed or stated: grey images run from 0 (black) to 1 (white),
signed ones symmetrically about zero, which is white. Colours suit colour-blind readers.
"""

from .codes import code_distribution, latent_scatter
from .comparisons import accuracy_by_labels, anomaly_scores, rate_distortion, score_groups
from .curves import training_curve
from .grids import SCALE, image_rows, reconstruction_grid, samples_and_neighbours
from .latent import interpolations, latent_manifold, latent_traversals, slerp
from .losses import loss_curves
from .signed import error_maps, filters
from .units import kl_per_unit, spectrum

__all__ = [
    "SCALE",
    "accuracy_by_labels",
    "anomaly_scores",
    "code_distribution",
    "error_maps",
    "filters",
    "image_rows",
    "interpolations",
    "kl_per_unit",
    "latent_manifold",
    "latent_scatter",
    "latent_traversals",
    "loss_curves",
    "rate_distortion",
    "reconstruction_grid",
    "samples_and_neighbours",
    "score_groups",
    "slerp",
    "spectrum",
    "training_curve",
]
