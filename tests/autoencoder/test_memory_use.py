"""Proves that no operation takes more than 1.3 times the memory of its data, or of its file, and
0.3 times where its result is small; tests/tools/memory.py measures the same on large data."""

import pytest
from memory import CASES, limit, traced

MEGABYTES, CONSTANT = 8, 5e6  # of the data; bytes of the blocks that are computed with


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_memory_beyond_the_data(name):
    more = 2 if "fit" in name else 1  # graphs of batches, and the rows that a diagnosis looks at
    peak, size = traced(name, more * MEGABYTES)
    most = limit(name) * size + more * CONSTANT
    assert peak <= most, f"{peak / 1e6:.1f} MB for {size / 1e6:.1f} MB"
