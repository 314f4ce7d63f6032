"""What all figures share: the page, its colours, its ticks, and how it becomes a small PNG.

Everything is drawn on figures of our own, never through pyplot, so that no figure, style or
back end of the caller's is touched. matplotlib is imported when something is drawn, not before.
"""

import textwrap
from pathlib import Path

import numpy as np

from minigrad.checkpoint import whole

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Tol's muted colours and black, for more classes than six. Ten colours and seven markers, both
# taken in turn, make seventy classes that differ.
MANY_COLOURS = (
    "#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#44AA99", "#AA4499",
    "#999933", "#000000",
)  # fmt: skip
MARKERS = "os^DvPX"
GREY = "#555555"
DPI = 110
TEXT = 10  # points
WIDTH = 7.4  # inches, of every chart


def new_figure(width, height):
    """Make a figure of width x height inches with a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def page(title, *, footer="", height=4.2):
    """Make a figure for charts: the title at the top left, a small grey footer below.

    The panels added to it (see `panel`) are laid out so that no text is clipped.
    """
    figure = new_figure(WIDTH, height)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.08, wspace=0.03, hspace=0.03)
    room = (WIDTH - 0.3) * DPI
    if title:
        title = wrap(figure, title, room, TEXT + 1)
        figure.suptitle(title, x=0.1 / WIDTH, ha="left", fontsize=TEXT + 1)
    if footer:
        footer = wrap(figure, footer, room, TEXT - 1)
        figure.supxlabel(footer, x=0.1 / WIDTH, ha="left", fontsize=TEXT - 1, color=GREY)
    return figure


def panel(figure, place=(1, 1, 1), *, xlabel="", ylabel="", heading=""):
    """Add axes in the house style at `place`: (rows, columns, number) or a part of a grid."""
    place = place if isinstance(place, tuple) else (place,)
    axes = figure.add_subplot(*place)
    axes.set_xlabel(xlabel, fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT)
    axes.set_title(heading, fontsize=TEXT, loc="left")
    axes.tick_params(labelsize=TEXT - 1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def legend_above(axes, *, room=WIDTH - 1):
    """Put the legend between title and axes, in as many columns as fit `room` inches."""
    handles, _ = axes.get_legend_handles_labels()
    for columns in range(len(handles), 0, -1):
        legend = axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), ncols=columns, fontsize=TEXT - 1,
            frameon=False, borderaxespad=0, borderpad=0.2, handletextpad=0.5, columnspacing=1.4,
        )  # fmt: skip
        take_literally(legend)
        if legend.get_window_extent(axes.figure.canvas.get_renderer()).width <= room * DPI:
            break


def save(figure, path):
    """Write the figure as a small PNG, without date or version: equal figures, equal files."""
    from PIL import Image

    take_literally(figure)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # (H, W, 3) uint8
    if (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]  # a grey figure needs a third of the bytes
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if pixels.ndim == 3:
        packed = pixels @ np.array([65536, 256, 1])  # (H, W)
        colours, entries = np.unique(packed, return_inverse=True)
        if len(colours) <= 256:  # so does one with few colours, and still loses nothing
            image = Image.fromarray(entries.reshape(packed.shape).astype(np.uint8))
            palette = np.stack([colours >> 16, colours >> 8, colours], axis=1).astype(np.uint8)
            image.putpalette(palette.tobytes())
    path = Path(path)
    with whole(path) as file:
        image.save(file, format="PNG", optimize=True)
    return path


def take_literally(artist):
    """Let all texts inside be what they say: a name with dollar signs is no formula.

    Of the numbers on axes matplotlib may make formulas, as they are drawn.
    """
    from matplotlib.text import Text

    for text in artist.findobj(Text):
        if "\\mathdefault" not in text.get_text():
            text.set_parse_math(False)
            text.set_text(printable(text.get_text()))


def printable(text):
    """A text without characters that no font has: each becomes a question mark.

    >>> printable("a\\x00b\\udcff\\nc")
    'a?b?\\nc'
    """
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in str(text))


def extent(figure, text, size):
    """Measure a text of `size` points: (width, height) in pixels."""
    artist = figure.text(0, 0, printable(text), fontsize=size, parse_math=False)
    box = artist.get_window_extent(figure.canvas.get_renderer())
    artist.remove()
    return box.width, box.height


def wrap(figure, text, width, size):
    """Break a text into lines of at most `width` pixels."""
    letters = len(text)
    while letters > 8 and extent(figure, textwrap.fill(text, letters), size)[0] > width:
        letters -= 2
    return textwrap.fill(text, letters) if text else text


def signed_colours():
    """Make the colour map of signed values: blue below zero, white at zero, red-brown above."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#00304D", COLOURS[0], "#FFFFFF", COLOURS[1], "#5C2400"]
    # An odd number of entries: the middle one is exactly white. Few enough for a palette.
    return LinearSegmentedColormap.from_list("signed", colours, N=65)


def plain_ticks(axis, low, high, whole=False, least=5):
    """Put `least` ticks or more with plain numbers on a logarithmic axis, whatever its range."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.2, 1.4, 1.6, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        powers = powers[:: max(1, len(powers) // 7)]  # a range of many decades
        ticks = np.outer(powers, digits).ravel()
        ticks = ticks[(low <= ticks) & (ticks <= high)]
        if whole:
            ticks = ticks[ticks == ticks.round()]
        if len(ticks) >= least:
            break
    if len(ticks) < 3 and not whole:
        ticks = [float(f"{value:.3g}") for value in np.geomspace(low, high, 6)[1:-1]]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
