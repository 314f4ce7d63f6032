"""The page from a first kernel to the ones in use: its listing, its names and its arithmetic."""

import math
import re
from pathlib import Path

import pytest

from minigrad.conv import Geometry
from minigrad.cuda.launch import MULTIPROCESSORS, SOURCES
from minigrad.cuda.tile import BIG, SQUARE

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "first_kernel.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
WHERE = re.findall(r"^\*\*Where\.\*\*(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)

GEOMETRY, BATCH, C, F = Geometry.of((16, 16), (3, 3), 1), 50, 64, 128  # the layer c3
ROWS = BATCH * math.prod(GEOMETRY.out)
PRODUCTS = ROWS * math.prod(GEOMETRY.kernel) * C * F
BEST = PRODUCTS / (MULTIPROCESSORS * 4 * 32) / 1755  # microseconds: four warps in each tick
MEMORY = 3e6  # bytes in a microsecond


def rounded(value, to):
    return f"{round(value / to) * to:,}"


def test_the_listing_is_the_kernel():
    [listing] = re.findall(r"```cuda\n(.*?)```", PAGE, re.DOTALL)
    source = (SOURCES / "naive.cu").read_text(encoding="utf-8")
    assert listing in source
    first = source.partition("\n\n// The adjoint")[0].splitlines()
    assert len(first) <= 32  # "of thirty lines": with the formula and the struct


@pytest.mark.parametrize("step", range(5))
def test_what_a_step_names_stands_in_the_files_it_names(step):
    where = WHERE[step]
    files = re.findall(r"\]\((\.\./[\w./]+)\)", where)
    text = "".join((DOCS / path).read_text(encoding="utf-8") for path in files)
    names = re.findall(r"`(\w+)`", where)
    assert files and names
    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


def test_there_are_five_steps_each_with_its_reason_and_its_gain():
    steps = re.split(r"^## Step (\d): ", PAGE, flags=re.MULTILINE)
    assert steps[1::2] == list("12345") and len(WHERE) == 5
    for words in steps[2::2]:
        for part in ("**What changes.**", "**Why.**", "**Where.**", "**Predicted.**"):
            assert part in words
    assert "**No number of time on this page has been measured.**" in TEXT


def test_the_predictions_follow_from_the_counts():
    """Each is the largest of the times of instructions, lookups and bytes, as the page says."""
    tiles = {tile: tile.count(ROWS, F) for tile in (BIG, SQUARE)}
    rounds = {tile: count / MULTIPROCESSORS for tile, count in tiles.items()}
    uneven = {tile: math.ceil(r) / r for tile, r in rounds.items()}
    parts = MULTIPROCESSORS // (tiles[SQUARE] % MULTIPROCESSORS)
    parts = min(parts, math.prod(GEOMETRY.kernel) * C // 16 // 4)  # of four steps of 16 at least
    cut = (tiles[SQUARE] // MULTIPROCESSORS + 1 / parts) / rounds[SQUARE]
    asked = (32 + 1) * 4 / 32  # bytes of a warp of the naive kernel, for a product
    said = [
        f"= {PRODUCTS / 1e6:.0f} million multiply-adds",
        f"they take {BEST:.0f} microseconds",
        f"{29 / 4} instructions (29 for four",
        f"lookups cost eight times the arithmetic: {rounded(BEST * 2 / 0.25, 5)} micro",
        f"asks for {33 * 4} bytes for its 32",
        f"{asked * PRODUCTS / 1e9:.1f} GB in all",
        f"would take {rounded(asked * PRODUCTS / MEMORY, 100)} microseconds",
    ]
    shared = (BIG.m + BIG.n) * 4 / (BIG.m * BIG.n)
    said += [
        f"{asked:.1f} for each multiply-add before, {shared:.3f} after, "
        f"{asked / shared:.0f} times fewer",
        f"memory would need {rounded(shared * PRODUCTS / MEMORY, 10)} microseconds",
        f"From 255 to {rounded(BEST * 730 / 512 * uneven[SQUARE], 5)} microseconds",
        f"{655 / 512:.2f} with the same tile",
        f"{1211 / 1024:.2f} with one of 128 x 64",
        f"From 60 to {rounded(BEST * 1211 / 1024 * uneven[BIG], 5)} microseconds",
        f"has {tiles[BIG]} tiles of 128 x 64 for {MULTIPROCESSORS}",
        f"second keeps only {tiles[BIG] % MULTIPROCESSORS} busy",
        f"{BEST * 1211 / 1024:.0f} would do if",
        f"there are {tiles[SQUARE]}: three full rounds, and four tiles",
        f"2 where {rounds[BIG]:.2f} would do before, {cut * rounds[SQUARE]:.2f} where "
        f"{rounds[SQUARE]:.2f} would do after",
        f"From 50 to {rounded(BEST * 655 / 512 * cut + 5000 / 1755, 5)} microseconds",
        f"From 45 to {rounded(BEST * 250 / 1024 * uneven[BIG], 5)} microseconds",
        f"{rounded(4 * ROWS * F * 4 / MEMORY, 1)} microseconds more",
    ]
    assert parts == 9 and not [words for words in said if words not in TEXT]
