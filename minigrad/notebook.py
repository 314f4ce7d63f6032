"""What notebooks show of a Tensor and a Module: HTML of bounded size, in which texts are escaped.

Only NumPy and Python's own library are needed, also for the PNG of an image.
"""

import base64
import html
import struct
import zlib
from collections.abc import Iterable

import numpy as np

MOST_CHARACTERS = 4000  # of printed values
MOST_ROWS = 200  # of a table
SMALLEST, LARGEST = 8, 256  # pixels a side of what is shown as an image
MOST_VALUES = 2**24  # of an array that is looked at as a possible image


def array_html(words: str, array: np.ndarray) -> str:
    """`words` about an array, and its values, below an image of it if `is_image` says it is one."""
    text = np.array2string(array, separator=", ", threshold=200)
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS] + " ..."
    about, values = f"<div><code>{escaped(words)}</code></div>", f"<pre>{escaped(text)}</pre>"
    if is_image(array):
        values = f"<details><summary>values</summary>{values}</details>"
        return f"{about}\n{image_html(array)}\n{values}"
    return f"{about}\n{values}"


def is_image(array: np.ndarray) -> bool:
    """Whether floats in [0, 1] can be an image: (H, W), (H, W, 1) or (H, W, 3), not too small.

    >>> is_image(np.full((8, 8, 3), 0.5)), is_image(np.full((8, 8, 4), 0.5)), is_image(np.eye(3))
    (True, False, False)
    """
    channels = array.shape[2:] or (1,)
    if array.dtype.kind != "f" or array.ndim < 2 or channels not in ((1,), (3,)):
        return False
    if min(array.shape[:2]) < SMALLEST or array.size > MOST_VALUES:
        return False
    return bool(array.min() >= 0 and array.max() <= 1)  # false for NaN


def image_html(image: np.ndarray) -> str:
    """An image as an inline PNG; of a large one every second pixel, every third, and so on."""
    height, width = image.shape[:2]
    every = -(-max(height, width) // LARGEST)
    shown = image[::every, ::every]
    enlarged = max(1, 128 // max(shown.shape[:2]))  # small ones are seen better enlarged
    data = base64.b64encode(png(np.round(shown * 255).astype(np.uint8))).decode()
    words = f"image of {width} by {height} pixels"
    if every > 1:
        words += f", one in {every} of each side"
    return (
        f'<img src="data:image/png;base64,{data}" alt="{words}" title="{words}" '
        f'width="{enlarged * shown.shape[1]}" height="{enlarged * shown.shape[0]}" '
        'style="image-rendering: pixelated">'
    )


def png(pixels: np.ndarray) -> bytes:
    """Bytes (H, W), (H, W, 1) or (H, W, 3) as a PNG file."""
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 and pixels.shape[2] == 3 else 0
    rows = pixels.reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # 0: as they are

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def table_html(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of texts; of very many rows the first ones and how many there are besides."""
    found = list(rows)
    lines = [_row("th", head)] + [_row("td", row) for row in found[:MOST_ROWS]]
    if len(found) > MOST_ROWS:
        caption += f", {len(found) - MOST_ROWS:,} more rows are not shown"
    body = "\n".join(lines)
    return f"<table>\n<caption>{escaped(caption)}</caption>\n{body}\n</table>"


def _row(cell: str, texts: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escaped(text)}</{cell}>" for text in texts) + "</tr>"


def escaped(text: str) -> str:
    """`text` without what could become markup."""
    return html.escape(text, quote=True)
