"""Proves what can be proved of benchmarks/gpu.py without a GPU: that it starts from a plain
checkout, knows its parts and the tests they run, keeps what they find, and measures on the double.
"""

import json
import subprocess
import sys
from pathlib import Path

import device
import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
PARTS = [
    *("smoke", "tests", "kernels", "primitives"),
    *("step", "layers", "rungs", "epochs", "sweep", "memcheck", "racecheck"),
]


@pytest.fixture(scope="module")
def gpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        patch.setattr(sys, "path", [*sys.path])  # the program adds to it
        import gpu

        yield gpu
    for name in ("gpu", "gpu_timing", "interleaved", "training_step"):
        sys.modules.pop(name, None)


def test_it_starts_from_a_plain_checkout(tmp_path):
    """Isolated from the environment: neither an installed package nor PYTHONPATH helps it."""
    hidden = "sys.path[:] = [p for p in sys.path if p != sys.argv[1]]; sys.meta_path[:] = "
    hidden += "[f for f in sys.meta_path if 'editable' not in repr(f)]; "
    run = f"{hidden}sys.argv[1:] = ['--help']; import runpy; runpy.run_path({str(ROOT)!r} + "
    run += "'/benchmarks/gpu.py', run_name='__main__')"
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); {run}"
    done = subprocess.run(
        [sys.executable, "-E", "-c", program, str(ROOT)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(part in done.stdout for part in PARTS)


def test_its_parts_and_their_tests_exist(gpu):
    assert list(gpu.PARTS) == PARTS
    for path in gpu._of_kernels({*gpu.SIMULATED, *gpu.SANITIZED, "device_primitives", "capture"}):
        assert (ROOT / path).is_file()
    of_kernels = {p.stem for p in (ROOT / "minigrad/cuda/kernels").glob("*.cu")}
    assert of_kernels - {"adam", "weight_gradient", "convolution"} <= set(gpu.SIMULATED)


def test_a_run_of_tests_is_printed_as_it_goes(gpu, tmp_path, capfd):
    (tmp_path / "test_it.py").write_text("def test_one(): assert 1\ndef test_two(): assert 0\n")
    status, last = gpu._pytest("-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path))
    assert status == 1 and "1 failed, 1 passed" in last
    assert "test_two" in capfd.readouterr().out


def test_a_part_keeps_what_others_have_found(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "FIGURES", tmp_path / "gpu.json")
    monkeypatch.setattr(gpu, "PAGE", tmp_path / "gpu.md")
    gpu.PAGE.write_text(f"# The GPU\n\n{gpu.MARK}\n\nNothing yet.\n")
    about = {"GPU": "a thing"}
    gpu.write({"step": {"about": about, "figures": {"ms": 1.25}}})
    known = json.loads(gpu.FIGURES.read_text())
    gpu.write(known | {"smoke": {"about": about, "figures": {"losses": [2.0, 1.0]}}})
    page = gpu.PAGE.read_text()
    assert page.startswith(f"# The GPU\n\n{gpu.MARK}\n\n### smoke\n") and "Nothing yet" not in page
    assert "| losses | 2, 1 |" in page and "| ms | 1.25 |" in page


def test_calls_are_measured_by_the_clock_of_the_gpu(gpu):
    with device.installed() as cupy:
        from minigrad import cuda

        x = cupy.zeros(3, np.float32)
        calls = []
        step = cuda.Captured(gpu.gpu_timing._calls(lambda: calls.append(1) or x + 1))
        assert gpu.gpu_timing._milliseconds(step, repeat=2, rounds=3) >= 0
        assert len(calls) == 3 * gpu.gpu_timing.CALLS  # twice as it is, once recorded


def test_the_rungs_are_measured_on_their_own_kernels(gpu, monkeypatch):
    timing, ran = gpu.gpu_timing, []
    naive = ["naive_y", "naive_x", "naive_w"]
    in_use = ["convolution", "convolution", "weight_gradient"]
    ours = {*naive, *in_use}
    monkeypatch.setattr(gpu.cuda, "precision", gpu.cuda.precision)  # which is set
    monkeypatch.setattr(timing, "LAYERS", {"a layer": ("conv_y", timing.SIDE[1], 16, 16)})
    monkeypatch.setattr(timing, "CALLS", 1)

    def milliseconds(step, _):
        with device.region() as used:
            step()
        ran.append([name for name in ours if used[f"launch:{name}"]])
        return 0.5

    monkeypatch.setattr(timing, "_milliseconds", milliseconds)
    with device.installed():
        figures = timing.rungs(1, "a layer")
    assert list(figures.values()) == [[500.0] * 3] * 3
    assert ran == [[name] for names in zip(naive, in_use, in_use, strict=True) for name in names]
