"""How good a model is: metrics, what its codes know, and the baselines that it has to beat."""

from .baselines import (
    half_squares,
    ladder,
    principal_components,
    principal_directions,
    probabilistic_pca,
    wiener,
)
from .comparison import evaluate, table
from .metrics import active_units, anomaly_metrics, excess_bce, kl_per_unit, mse, psnr, ssim
from .probes import few_shot_accuracy, knn_accuracy, linear_probe, trustworthiness

__all__ = [
    "active_units",
    "anomaly_metrics",
    "evaluate",
    "excess_bce",
    "few_shot_accuracy",
    "half_squares",
    "kl_per_unit",
    "knn_accuracy",
    "ladder",
    "linear_probe",
    "mse",
    "principal_components",
    "principal_directions",
    "probabilistic_pca",
    "psnr",
    "ssim",
    "table",
    "trustworthiness",
    "wiener",
]
