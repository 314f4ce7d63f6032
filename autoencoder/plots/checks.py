"""What the figures demand of their input, and the sentences said when they do not get it."""

import numpy as np


def as_images(who, name, values, image_shape=None):
    """Return (N, H, W, 1 or 3) float64 images, from images or, with `image_shape`, rows (N, D).

    `image_shape` is (H, W) or (H, W, C). `who` is the figure and `name` its argument, for the
    sentence of the ValueError about shapes that do not fit or values that are not finite.

    >>> as_images("f", "x", np.zeros((5, 12)), (4, 3)).shape
    (5, 4, 3, 1)
    """
    values = np.asarray(values, np.float64)
    shape = values.shape
    if values.ndim == 2 and image_shape is not None:
        height, width, channels = (*image_shape, 1)[:3]
        if shape[1] == height * width * channels:
            values = values.reshape(-1, height, width, channels)
    elif values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4 or values.shape[3] not in (1, 3) or values.size == 0:
        wanted = "rows (N, D) with their image_shape"
        if image_shape is not None:
            wanted = f"rows (N, {' * '.join(map(str, image_shape))})"
        raise ValueError(
            f"{who} needs {name} as images (N, H, W, 1 or 3) or {wanted}, but got the shape {shape}"
        )
    return _finite(who, name, values)


def as_numbers(who, name, values, *axes):
    """Return a float64 array with the named axes, e.g. "N", "2": at least one value, all finite.

    >>> as_numbers("kl_per_unit", "kl", [[1, 2]], "K")
    Traceback (most recent call last):
    ValueError: kl_per_unit needs kl of the shape (K,), but got the shape (1, 2)
    """
    values = np.asarray(values, np.float64)
    fits = values.ndim == len(axes) and all(
        not axis.isdigit() or int(axis) == size
        for axis, size in zip(axes, values.shape, strict=True)
    )
    if not fits or values.size == 0:
        wanted = f"({', '.join(axes)}{',' * (len(axes) == 1)})"
        raise ValueError(
            f"{who} needs {name} of the shape {wanted}, but got the shape {values.shape}"
        )
    return _finite(who, name, values)


def decoded(who, decode, codes, image_shape):
    """Return the images of `codes` (N, K): (N, H, W, C), checked like any others."""
    images = as_images(who, "the outputs of decode", decode(codes), image_shape)
    if len(images) != len(codes):
        raise ValueError(f"{who}: decode made {len(images)} images of {len(codes)} codes")
    return images


def same_shape(who, names, first, second):
    """Raise ValueError unless the two arrays have one shape."""
    if first.shape != second.shape:
        raise ValueError(
            f"{who} needs {names} of one shape, but got {first.shape} and {second.shape}"
        )


def _finite(who, name, values):
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ValueError(
            f"{who} needs finite numbers, but {bad} of the {values.size} values of {name} are not"
        )
    return values
