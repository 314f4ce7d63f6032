"""A folder of pictures as an array: every kind that Pillow reads by itself, in one size.

Whoever made the files did not think of us: they are turned by their EXIF tag, of other kinds and
depths than each other, damaged, or none at all. What cannot be used is named in a sentence.
"""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np

from minigrad.backend import Array

# What Pillow reads by itself: for some others, such as EPS, it starts programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
SUFFIXES += (".pgm", ".ppm", ".pbm", ".pnm")
OTHERS = (".avif", ".heic", ".heif", ".jp2", ".jxl", ".psd", ".svg", ".tga", ".dng", ".exr")
FITS = ("crop", "pad", "stretch")
LOSSY = 8  # levels of 255 by which JPEG and WebP may tinge a grey picture
WHITE_OR_BLACK = 262  # the tag PhotometricInterpretation of TIFF
NAMED = 3  # unreadable files in a sentence


def read_folder(path, size=None, fit="crop"):
    """The pictures in a folder: (N, H, W, C) float32 in [0, 1], labels or None, and names.

    `size` and `fit` are those of `load_images`.
    """
    files = _files(path)
    pictures, bad, seen = [], [], {}
    for file in files:
        try:
            pixels, notes = _read(path / file)
        except MemoryError:
            raise
        except Exception as error:  # a damaged file can raise nearly anything
            bad.append((file, error))
            continue
        for note in notes:
            seen[note] = seen.get(note, 0) + 1
        pixels = pixels if size is None else fitted(as_unit(pixels), size, fit)
        if pictures and pixels.shape[:2] != pictures[0].shape[:2]:
            raise ValueError(
                f"All pictures must have one size, but {path / files[0]} is "
                f"{_size(pictures[0])} and {path / file} is {_size(pixels)} pixels: say which, "
                "--size 64x48 (width and height) after a command, size=(48, 64) in Python"
            )
        pictures.append(pixels)
    if bad:
        raise ValueError(_unreadable(path, bad, len(files)))
    for what, count in seen.items():
        warnings.warn(f"{count} of {len(files)} pictures in {path} have {what}", stacklevel=4)
    folders = sorted({file.parent for file in files})
    labels = None
    if len(folders) > 1:
        labels = np.array([folders.index(file.parent) for file in files])
    return _stacked(pictures), labels, tuple(file.as_posix() for file in files)


def fitted(pixels: Array, size: tuple[int, int], fit: str = "crop") -> Array:
    """A picture (H, W) or (H, W, C) of floats in [0, 1] in another `size` (height, width).

    See `load_images` for `fit`. Pixels are averages (Pillow's bicubic filter), limited to [0, 1].

    >>> fitted(np.array([[0, 0, 1, 1]], np.float32), (1, 2), "crop").shape
    (1, 2)
    >>> fitted(np.array([[0, 1, 1, 0]], np.float32), (2, 4), "pad").tolist()
    [[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    from PIL import Image

    (height, width), (h, w) = size, pixels.shape[:2]
    if (h, w) == (height, width):
        return pixels
    box, inner = (0, 0, w, h), (height, width)  # what is read, and the size it gets
    if fit == "crop":
        scale = max(height / h, width / w)
        left, top = (w - width / scale) / 2, (h - height / scale) / 2
        box = (max(left, 0), max(top, 0), min(w - left, w), min(h - top, h))
    elif fit == "pad":
        scale = min(height / h, width / w)
        inner = (max(round(h * scale), 1), max(round(w * scale), 1))
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    how = (inner[::-1], Image.Resampling.BICUBIC, box)
    resized = [
        np.asarray(Image.fromarray(np.ascontiguousarray(channels[..., c])).resize(*how))
        for c in range(channels.shape[2])
    ]
    result = np.zeros((height, width, len(resized)), np.float32)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    inside = result[top : top + inner[0], left : left + inner[1]]
    np.clip(np.stack(resized, axis=-1), 0, 1, out=inside)
    return result[..., 0] if pixels.ndim == 2 else result


def checked_size(size, fit):
    """`size` as (height, width), or None; ValueError for what is none, or another `fit`.

    >>> checked_size(64, "crop")
    (64, 64)
    """
    if fit not in FITS:
        raise ValueError(f"fit must be one of {', '.join(map(repr, FITS))}, got {fit!r}")
    if size is None:
        return None
    pair = (size, size) if isinstance(size, Integral) else tuple(np.ravel(size).tolist())
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in pair)
    if len(pair) != 2 or not whole:
        raise ValueError(f"size must be a whole number or (height, width), got {size!r}")
    return tuple(int(n) for n in pair)


def as_unit(pixels: Array) -> Array:
    """Pixels as floats in [0, 1], whatever their depth: uint8, uint16 or float32 -> float32."""
    if pixels.dtype.kind == "f":
        return pixels
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def check_file(path):
    """Refuse pipes and devices, which may never end."""
    if not path.is_file():
        raise ValueError(f"{path} is no ordinary file")


# ---------------------------------------------------------------------- inside
def _files(path):
    """The pictures in a folder and those below it, by name; a warning tells of what is left out."""
    found = sorted(
        file.relative_to(path)
        for file in path.rglob("*")
        if not file.name.startswith(".") and not file.is_dir()
    )
    files = [file for file in found if file.suffix.lower() in SUFFIXES]
    left = [file for file in found if file.suffix.lower() in OTHERS]
    if not files:
        raise ValueError(f"The folder {path} has no pictures ({', '.join(SUFFIXES)})")
    if left:
        warnings.warn(
            f"{len(left)} files in {path} are left out, such as {left[0]}: save pictures as PNG "
            "or JPEG to have them read",
            stacklevel=5,
        )
    return files


def _read(path):
    """The pixels of a picture, (H, W) or (H, W, 3), and a list of what is to be said of it."""
    from PIL import Image, ImageOps

    check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Pillow finds odd and reads all the same
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as picture:
            notes = []
            if getattr(picture, "is_animated", False):
                notes.append("several frames, of which the first is read")
            if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
                notes.append("transparency, which is ignored")
            raw = str([tile[3] for tile in picture.tile])
            if picture.mode[0] not in "IF" and ";16" in raw:
                notes.append("16 bits a colour, of which 8 are read")
            picture.load()
            deep = picture.format in ("PNG", "PPM") or picture.mode.startswith("I;16")
            pixels = _pixels(ImageOps.exif_transpose(picture), deep)
            if pixels.dtype == np.uint16 and ";12" in raw:  # Pillow leaves those as they are
                pixels = pixels / np.float32(4095)
            tags = picture.tag_v2 if picture.format == "TIFF" else {}
            if picture.mode[0] in "IF" and tags.get(WHITE_OR_BLACK) == 0:  # Pillow does 8 bits only
                pixels = 1 - pixels if pixels.dtype.kind == "f" else ~pixels  # 0 was white
            return pixels, notes


def _pixels(picture, deep):
    """The pixels of a Pillow image: (H, W) if they are all grey, else (H, W, 3).

    They are uint8, uint16 where a grey picture has 16 bits (`deep`), or float32.
    """
    if picture.mode == "F":
        pixels = np.asarray(picture)
        if not (pixels.min() >= 0 and pixels.max() <= 1):
            raise ValueError(
                f"its numbers run from {pixels.min():g} to {pixels.max():g}, and 0 to 1 is needed"
            )
        return pixels
    if picture.mode.startswith("I"):
        if not deep:
            raise ValueError("it has 32 bits a pixel, whose white nobody knows: save it with 16")
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in ("1", "L", "LA"):
        return np.asarray(picture.convert("L"))
    colours = np.asarray(picture.convert("RGB"))
    apart = colours.max(axis=2) - colours.min(axis=2)  # (H, W)
    return colours if apart.max() > LOSSY else np.asarray(picture.convert("L"))


def _stacked(pictures):
    """Pictures (H, W) or (H, W, 3) as one array of floats, which takes their places in memory."""
    channels = 3 if any(pixels.ndim == 3 for pixels in pictures) else 1
    images = np.empty((len(pictures), *pictures[0].shape[:2], channels), np.float32)
    for k, pixels in enumerate(pictures):
        images[k] = as_unit(pixels if pixels.ndim == 3 else pixels[..., None])
        pictures[k] = None
    return images


def _unreadable(path, bad, count):
    (file, error), *others = bad
    reason = " ".join(str(error).split()) or type(error).__name__
    more = ""
    if others:
        names = ", ".join(str(file) for file, _ in others[:NAMED])
        dots = ", ..." if len(others) > NAMED else ""
        more = f"; nor can {len(others)} others of the {count} there ({names}{dots})"
    return f"{path / file} cannot be read as a picture: {reason}{more}: mend or remove what is bad"


def _size(pixels):
    """The size of a (H, W, ...) picture in words, width first as people say it."""
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
