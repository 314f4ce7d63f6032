"""A run: a training from its settings to a folder with the model, its numbers, figures and report.

>>> from autoencoder import runs
>>> runs.Config.of("vae", epochs=5).n_components
16
"""

from .config import MODELS, Config
from .run import Run, open_run
from .train import resume, start

__all__ = ["MODELS", "Config", "Run", "open_run", "resume", "start"]
