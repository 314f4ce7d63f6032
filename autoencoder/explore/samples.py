"""The samples of the page: as many as its budget takes, their originals on one sheet or as rows."""

import base64
import io
import math

import numpy as np
from scipy import sparse

from ..checks import visible

MOST_SAMPLES = 2000
MOST_COLUMNS = 200  # of a table
ROUNDING = 1e-5  # of the range of a column, which bars and numbers do not show
LARGEST_PICTURE = 128  # pixels a side of an original; larger ones are shown smaller


def fitting(estimator, X, image_shape, columns, drawn, budget):
    """The chosen samples, in their order, and what is shown of them: as many as the budget takes.

    Pictures become one PNG, rows of a table numbers; their codes count as well.
    """
    k = estimator._sizes.n_components
    if columns is None:
        columns = getattr(estimator, "feature_names_in_", None)
    count = min(len(drawn), MOST_SAMPLES)
    while True:
        chosen = np.sort(drawn[:count])
        flat = _flat(X, chosen)
        if image_shape is not None:
            shown = {"image": _pictures(flat, image_shape), "table": None}
            size = len(shown["image"]["sheet"])
        else:
            shown = {"image": None, "table": _table(flat, columns)}
            size = len(shown["table"]["rows"])
        size += 16 * len(chosen) * (k + 2) // 3  # float32 in base64
        if size <= budget or count <= 2:
            return chosen, shown
        count = max(2, min(count - 1, int(0.95 * count * budget / size)))


def _pictures(flat, image_shape):
    """The originals (n, D) on one sheet, and how numbers are shades."""
    from PIL import Image

    height, width, channels = image_shape
    if math.prod(image_shape) != flat.shape[1]:
        raise ValueError(
            f"explore: rows of {flat.shape[1]} numbers are no images of {tuple(image_shape)}: give "
            "the image_shape that they were flattened from"
        )
    images = np.nan_to_num(flat.astype(np.float32).reshape(-1, height, width, channels))
    within = images.min() >= 0 and images.max() <= 1
    low, high = (0.0, 1.0) if within else (float(images.min()), float(images.max()))
    grey = channels != 3
    if grey and channels > 1:
        images = images.mean(axis=3, keepdims=True)
    shades = (images - low) / max(high - low, 1e-30)
    eight = np.clip(shades * 255 + 0.5, 0, 255).astype(np.uint8)  # (n, H, W, 1 or 3)
    h, w = height, width
    if max(h, w) > LARGEST_PICTURE:
        ratio = LARGEST_PICTURE / max(h, w)
        h, w = max(1, round(h * ratio)), max(1, round(w * ratio))
    across = math.ceil(math.sqrt(len(eight)))
    mode = "L" if grey else "RGB"
    sheet = Image.new(mode, (across * w, math.ceil(len(eight) / across) * h))
    for k, picture in enumerate(eight):
        tile = Image.fromarray(picture[:, :, 0] if grey else picture)
        tile = tile if tile.size == (w, h) else tile.resize((w, h), Image.Resampling.LANCZOS)
        sheet.paste(tile, (k % across * w, k // across * h))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "low": low,
        "high": high,
        "sheet": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(),
        "tile": [h, w],
        "across": across,
    }


def _table(flat, columns):
    """The rows (n, D) of a table, and the range of each column."""
    width = flat.shape[1]
    names = [f"column {i + 1}" for i in range(width)] if columns is None else list(columns)
    if len(names) != width:
        raise ValueError(f"explore: {len(names)} names for {width} columns")
    kept = flat[:, :MOST_COLUMNS].astype(np.float64)
    finite = np.where(np.isfinite(kept), kept, np.nan)
    empty = np.isnan(finite).all(axis=0)
    finite = np.where(empty, 0.0, finite)
    low, high = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    rounding = np.abs(finite.astype(np.float32) - finite)
    doubles = bool((rounding > ROUNDING * (high - low)).any())  # else float32 is enough
    return {
        "columns": [visible(name) for name in names[:MOST_COLUMNS]],
        "left_out": width - kept.shape[1],
        "low": low.tolist(),
        "high": high.tolist(),
        "rows": as_base64(kept, np.float64 if doubles else np.float32),
        "doubles": doubles,
    }


def described(chosen, Z, labels, names):
    kinds, numbers = [], None
    if labels is not None:
        kinds, numbers = np.unique(labels, return_inverse=True)
        numbers = numbers.tolist()
    return {
        "rows": chosen.tolist(),
        "codes": as_base64(Z),
        "labels": [visible(kind) for kind in kinds],
        "label": numbers,
        "names": None if names is None else [visible(names[i]) for i in chosen],
    }


def rows_of(X, chosen):
    """The chosen rows of any table, as they were given."""
    return X.iloc[chosen] if hasattr(X, "iloc") else X[chosen]


def _flat(X, chosen):
    """The chosen rows as numbers (n, D)."""
    rows = rows_of(X, chosen)
    rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
    try:
        return rows.astype(np.float32 if rows.dtype == np.float32 else np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"explore: X must be numbers (N, D), got {rows.dtype}: {error}") from None


def as_base64(a, dtype=np.float32):
    little = np.dtype(dtype).newbyteorder("<")
    return base64.b64encode(np.ascontiguousarray(a, little)).decode()
