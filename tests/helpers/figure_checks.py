"""Looking at figures in tests: the file that was written, and the artists that were drawn."""

import numpy as np
from matplotlib.text import Text
from PIL import Image

from autoencoder.plots import canvas


def watch(monkeypatch):
    """Return a list that collects the figures that get saved, to look inside."""
    seen = []
    save = canvas.save

    def keep(figure, path):
        seen.append(figure)
        return save(figure, path)

    monkeypatch.setattr(canvas, "save", keep)
    return seen


def read(path, limit=200_000):
    """Decode a figure; check that it is a small PNG, not blank, with a free white border."""
    assert path.stat().st_size < limit
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    assert 120 < pixels.shape[0] < 2000
    assert 300 < pixels.shape[1] < 2000
    assert (pixels != 255).any(axis=2).mean() > 0.005
    border = np.ones(pixels.shape[:2], bool)
    border[2:-2, 2:-2] = False
    assert (pixels[border] == 255).all(), "something reaches the edge of the figure"
    return pixels


def texts(figure):
    """All texts of a figure that are visible."""
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def written(figure):
    """What the texts of a figure say."""
    return [text.get_text() for text in texts(figure)]


def boxes(figure, some):
    """The places of artists, in pixels."""
    return [text.get_window_extent(figure.canvas.get_renderer()) for text in some]


def pictures(figure):
    """The images of a `sheet` as they were drawn, without frames: (array, limits of its scale)."""
    drawn = [(image.get_array(), image.get_clim()) for image in figure.images]
    return [(array, scale) for array, scale in drawn if np.ptp(array) > 0 or scale != (0, 1)]


def small(array, shape):
    """Undo the enlargement of a drawn image: its top left pixel for each of `shape` (h, w)."""
    zoom = array.shape[0] // shape[0]
    assert array.shape[:2] == (zoom * shape[0], zoom * shape[1])
    return np.asarray(array)[::zoom, ::zoom]
