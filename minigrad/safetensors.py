"""Weights in safetensors files, the format that models are exchanged in: arrays by name, no code.

It needs the package safetensors (the extra of that name). For all that a training needs to go on,
see ``checkpoint.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import Array
from .checkpoint import PathLike, whole

__all__ = ["load", "save"]


def save(path: PathLike, source: Any, about: dict[str, str] | None = None) -> None:
    """Write arrays to a file, which appears complete or not at all.

    For PyTorch's names and layout give ``interchange.to_torch_state_dict(model)``.

    Parameters
    ----------
    path : str or Path
        Of the file.
    source : Module or dict of arrays
        What to write, under the names of ``state_dict()``.
    about : dict of str or None, default=None
        Texts beside the arrays.

    Raises
    ------
    ValueError
        Where something is no array of numbers.
    ImportError
        Without the package safetensors.

    Examples
    --------
    >>> import os, tempfile
    >>> from minigrad.nn import Dense
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> save(path, Dense(2, 1, rng=np.random.default_rng(0)))
    >>> sorted((name, a.shape) for name, a in load(path).items())
    [('bias', (1,)), ('weight', (2, 1))]
    """
    arrays = source if isinstance(source, dict) else source.state_dict()
    # safetensors would write the memory of any other order as it is
    arrays = {name: np.ascontiguousarray(a).reshape(np.shape(a)) for name, a in arrays.items()}
    for name, a in arrays.items():
        if a.dtype.kind not in "biuf":
            raise ValueError(f"save: {name} holds {a.dtype} objects: only numbers are written")
    content = _library("save").save(arrays, metadata=about)
    with whole(path) as file:
        file.write(content)


def load(path: PathLike) -> dict[str, Array]:
    """The arrays of a file by name, for ``model.load_state_dict(load(path))``.

    Weights in PyTorch's layout go through ``interchange.from_torch_state_dict(model, load(path))``.

    Parameters
    ----------
    path : str or Path
        Of a safetensors file.

    Returns
    -------
    dict of arrays

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file is damaged or is something else.
    ImportError
        Without the package safetensors.
    """
    library = _library("load")
    with open(path, "rb") as file:
        content = file.read()
    try:
        return library.load(content)
    except Exception as error:  # the library has an exception of its own, and others for dtypes
        raise ValueError(
            f"load: {path} is no safetensors file that can be read ({error!s:.100}): restore it "
            "from a copy, or convert numbers such as bfloat16 to float32 where it was written"
        ) from None


def _library(who: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"{who}: safetensors files need the package safetensors ({error}): pip install "
            '"minigrad-autoencoder[safetensors]"'
        ) from None
    return safetensors.numpy
