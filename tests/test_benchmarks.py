"""Proves that the programs of benchmarks/ which compare with others do the same work in each, and
that what cannot be run says why instead of ending the whole. Times are not looked at."""

import functools
import importlib
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
part = functools.partial


@pytest.fixture(scope="module")
def benchmark():
    """A function that imports a file of benchmarks/ as its command does."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module
        for name in set(sys.modules) - before:
            if (
                ROOT / "benchmarks"
                in Path(getattr(sys.modules[name], "__file__", "") or "").parents
            ):
                del sys.modules[name]


def test_programs_take_turns_and_a_broken_one_says_why(benchmark):
    interleaved = benchmark("interleaved")
    programs = {
        "mine": part(part, math.sqrt, 4.0),
        "missing": part(importlib.import_module, "no_such_framework"),
        "wrong": part(math.sqrt, -1.0),
        "killed": part(os._exit, 3),
    }
    results = interleaved.compare(programs, rounds=3, steps=2, warm_up=1)
    mine = results["mine"]
    assert list(results) == list(programs) and mine.losses == [2.0] * 7
    assert len(mine.turns) == 3 and 0 < mine.before <= mine.memory
    assert mine.wall.least <= mine.wall.lower <= mine.wall.median <= mine.wall.upper
    assert results["missing"] == "it needs no_such_framework, which is not installed here"
    assert results["wrong"].startswith("ValueError: ")
    assert results["killed"] == "its process ended with exit status 3"
    lines = interleaved.table("title", results, "mine", losses=(1, -1)).splitlines()
    assert "| 2, 2 | 1.00 (1.00 to 1.00) | 1.00" in lines[2] and "not installed" in lines[3]


def test_a_program_has_the_environment_that_it_was_given(benchmark):
    program = {"it": part(part, os.getenv, "BENCHMARK_LOSS")}
    given = {"it": {"BENCHMARK_LOSS": "7.5"}}
    compare = benchmark("interleaved").compare
    assert compare(program, 1, 1, 1, environments=given)["it"].losses == [7.5, 7.5]
    assert "BENCHMARK_LOSS" not in os.environ


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"])
@pytest.mark.parametrize("model", ["reference", "dense"])
def test_all_frameworks_make_the_same_step(benchmark, framework, model):
    pytest.importorskip(framework)
    steps = benchmark(f"{model}_steps")
    names = {"reference": ("minigrad_convolutional", "torch_convolutional"), "dense": ()}[model]
    ours, theirs = names or ("minigrad_dense", "torch_dense")
    theirs = theirs if framework == "torch" else f"{framework}_{model}"
    mine, other = getattr(steps, ours)(2), getattr(steps, theirs)(2)
    losses = np.array([[float(step().item()) for step in (mine, other)] for _ in range(3)])
    assert losses[2, 0] < losses[0, 0]
    np.testing.assert_allclose(losses[0, 0], losses[0, 1], rtol=1e-6)
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=2e-3)


def test_the_floor_counts_the_arithmetic_of_the_algorithm(benchmark):
    roofline = benchmark("roofline")
    from minigrad.conv import Geometry

    geometry = Geometry.of((32, 32), (3, 3), 1, ((1, 1), (1, 1)))
    y, w = np.empty((50, 32, 32, 128), np.float32), np.empty((3, 3, 64, 128), np.float32)
    found = roofline._convolution("conv_transpose_layer", (y, w), geometry)
    direct = 2 * 50 * 32 * 32 * 9 * 64 * 128
    assert found == ("convt_1", "forward", "Winograd", direct // 4)  # 36 for 144 multiplications
    assert roofline._convolution("conv_y", (y[..., :64], w), geometry)[1] == "input grad"
    y, w = y[..., :32], w[:, :, :1, :32]
    found = roofline._convolution("conv_transpose_layer", (y, w), geometry)
    assert found == ("convt_3", "forward", "direct", 2 * 50 * 32 * 32 * 9 * 32)
