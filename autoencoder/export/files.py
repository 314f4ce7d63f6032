"""The formats beside .npz in which a fitted estimator can be saved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import minigrad
from minigrad import safetensors
from minigrad.checkpoint import PathLike
from minigrad.interchange import to_torch_state_dict

from .models import save_onnx

FORMATS = ("npz", "onnx", "safetensors", "pytorch")
_ENDINGS = {".onnx": "onnx", ".safetensors": "safetensors"}


def format_of(path: Any, name: str | None) -> str:
    """The format of that name, or the one that the ending of the path means.

    Parameters
    ----------
    path : str or Path
        Of the file to write.
    name : str or None
        One of `FORMATS`, or None for the path's.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        Where there is no such format.

    Examples
    --------
    >>> format_of("model.onnx", None), format_of("model", None), format_of("model.bin", "pytorch")
    ('onnx', 'npz', 'pytorch')
    """
    if name is None:
        named = isinstance(path, str | os.PathLike)
        return _ENDINGS.get(Path(path).suffix.lower(), "npz") if named else "npz"
    if name not in FORMATS:
        raise ValueError(f"save: unknown format {name!r}: use {', '.join(map(repr, FORMATS))}")
    return name


def save(model: Any, path: PathLike, name: str) -> None:
    """Write a fitted estimator or detector in one of the formats beside "npz".

    Parameters
    ----------
    model : Autoencoder or AutoencoderAnomalyDetector
        Fitted.
    path : str or Path
        Of the file.
    name : {"onnx", "safetensors", "pytorch"}
        The format.
    """
    if name == "onnx":
        save_onnx(model, path)
        return
    inner = getattr(model, "autoencoder_", model)  # of a detector
    network, scaling = inner.network_, inner._scaling
    arrays = network.state_dict() if name == "safetensors" else to_torch_state_dict(network)
    about = {"estimator": type(model).__name__, "layout": name, "version": minigrad.__version__}
    if scaling is not None:  # what the network reads is (X - mean) / std
        about |= {name: json.dumps(getattr(scaling, name).tolist()) for name in ("mean", "std")}
    safetensors.save(path, arrays, about)
