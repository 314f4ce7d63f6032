"""The measurements of ``gpu.py``: functions that print a table and return its figures.

Times of steps are medians of interleaved rounds that end with a synchronisation; nothing is read in
between. Those of layers are of CUDA graphs of many calls, ours and PyTorch's, so that no host is in
them.
"""

import functools
import sys
import time
from contextlib import nullcontext
from statistics import median

import numpy as np
from interleaved import compare
from training_step import in_a_graph, minigrad_convolutional, torch_convolutional

import minigrad as mg
from autoencoder import Autoencoder, datasets, olivetti
from autoencoder.datasets import shrink
from minigrad import cuda
from minigrad.backend import to_device
from minigrad.conv import Geometry
from minigrad.cuda import naive

STEPS = 20  # between two synchronisations
SIDE = dict(size=(32, 32), stride=1), dict(size=(16, 16), stride=1), dict(size=(32, 32), stride=2)
LAYERS = {  # name: (primitive of the forward pass, geometry, image channels, output channels)
    "c0 1->16": ("conv_y", SIDE[2], 1, 16),
    "c1 16->32": ("conv_y", SIDE[1], 16, 32),
    "c2 32->64": ("conv_y", SIDE[1], 32, 64),
    "c3 64->128": ("conv_y", SIDE[1], 64, 128),
    "t0 1->128": ("conv_x", SIDE[2], 128, 1),
    "t1 128->64": ("conv_x", SIDE[0], 64, 128),
    "t2 64->32": ("conv_x", SIDE[0], 32, 64),
    "t3 32->1": ("conv_x", SIDE[0], 1, 32),
}

PRECISIONS = ("float32", "3xtf32", "tf32")


def _wait():
    sys.modules["cupy"].cuda.Device().synchronize()


# ---------------------------------------------------------------------- first of all
def smoke(batch=50):
    """Milliseconds per captured step by the GPU's clock, and how long a cold start takes."""
    figures = {}
    for precision in PRECISIONS:
        cuda.precision = precision
        began = time.perf_counter()
        step = cuda.Captured(minigrad_convolutional(batch, "cuda"))
        losses = [step().item() for _ in range(5)]
        seconds = time.perf_counter() - began
        ms = _milliseconds(step)
        print(
            f"{precision}: {ms:.3f} ms per captured step, batch {batch}; five steps from a cold "
            f"start took {seconds:.1f} s; losses {', '.join(f'{loss:.6g}' for loss in losses)}",
            flush=True,
        )
        figures[f"{precision}, ms per captured step"] = ms
        figures[f"{precision}, s to five steps"] = seconds
        figures[f"{precision}, losses"] = losses
    return figures


def _milliseconds(function, repeat=STEPS, rounds=20):
    """A call by the GPU's own clock: the median of `rounds`, of `repeat` calls each."""
    gpu = sys.modules["cupy"].cuda
    begin, end = gpu.Event(), gpu.Event()
    times = []
    for _ in range(rounds):
        begin.record()
        for _ in range(repeat):
            function()
        end.record()
        end.synchronize()
        times.append(gpu.get_elapsed_time(begin, end) / repeat)
    return median(times)


# ---------------------------------------------------------------------- the training step
def ours(batch, precision="auto", captured=True):
    """`STEPS` steps of the reference model on the GPU, as a function."""
    cuda.precision = precision
    step = minigrad_convolutional(batch, "cuda")
    step = cuda.Captured(step) if captured else step

    def steps():
        for _ in range(STEPS):
            step()
        _wait()

    return steps


def torchs(batch, precision="float32", **options):
    """The same in PyTorch; with a precision of None as it comes, convolutions in TF32."""
    import torch

    if precision is not None:
        allowed = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.benchmark = True  # it may look for its fastest kernels
    step = torch_convolutional(batch, device="cuda", **options)

    def steps():
        for _ in range(STEPS):
            step()
        torch.cuda.synchronize()

    return steps


def step(batch=50, rounds=10):
    """The training step in each precision, by program: milliseconds."""
    figures, part = {}, functools.partial
    for precision in PRECISIONS:
        compiled = dict(compiled=True, mode="reduce-overhead")
        graphed = dict(graphed=True)
        programs = {
            "minigrad, captured": part(ours, batch, precision),
            "minigrad, uncaptured": part(ours, batch, precision, captured=False),
            "PyTorch eager": part(torchs, batch, precision),
            "PyTorch channels_last": part(torchs, batch, precision, channels_last=True),
            "PyTorch compiled": part(torchs, batch, precision, **compiled),
            "PyTorch, one CUDA graph": part(torchs, batch, precision, **graphed),
            "PyTorch, one, channels_last": part(
                torchs, batch, precision, channels_last=True, **graphed
            ),
        }
        if precision == "tf32":
            programs["PyTorch eager, as it comes"] = part(torchs, batch, None)
        results = compare(programs, rounds, 3)
        print(f"\nreference model, batch {batch}, {precision}: ms per step, and ours / it")
        for name, result in results.items():
            if isinstance(result, str):
                print(f"{name:28} could not be run: {result}")
                figures[f"{precision}, {name}"] = result
                continue
            ms = figures[f"{precision}, {name}"] = result.wall.median / STEPS * 1e3
            mine = figures.get(f"{precision}, minigrad, captured")
            ratio = f"{mine / ms:8.2f}" if isinstance(mine, float) else ""
            print(f"{name:28}{ms:9.3f}{ratio}")
    return figures


# ---------------------------------------------------------------------- layers
CALLS = 20  # in a graph


def _seconds(function, wait, repeat=50, rounds=7):
    times = []
    for _ in range(rounds):
        wait()
        began = time.perf_counter()
        for _ in range(repeat):
            function()
        wait()
        times.append((time.perf_counter() - began) / repeat)
    return median(times)


def _calls(function):
    """A step that calls `function` some times, for a CUDA graph."""

    def calls():
        for _ in range(CALLS):
            result = function()
        return result

    return calls


def ceilings():
    """What the GPU can do at most: float32 operations per second (by its clock) and bytes per
    second (measured: a copy of 1 GB)."""
    cupy = sys.modules["cupy"]
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    attributes = cupy.cuda.Device().attributes
    clock = attributes["ClockRate"] * 1e3  # Hz
    lanes = 128 if properties["major"] >= 8 else 64  # of a multiprocessor
    a = cupy.zeros(1 << 28, np.float32)
    b = cupy.empty_like(a)
    seconds = _seconds(lambda: cupy.copyto(b, a), _wait, 10)
    return attributes["MultiProcessorCount"] * lanes * 2 * clock, 2 * a.nbytes / seconds


def _arrays(name, batch, rng):
    """The geometry of a layer, and its images x, kernel w and outputs y on the GPU."""
    _, side, c, f = LAYERS[name]
    geometry = Geometry.of(side["size"], (3, 3), side["stride"])
    shapes = (batch, *geometry.size, c), (3, 3, c, f), (batch, *geometry.out, f)
    made = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return geometry, *(to_device(array, "cuda") for array in made)


def _operations(geometry, x, w, y):
    return {
        "conv_y": functools.partial(mg.registry["conv_y"], x, w, geometry),
        "conv_x": functools.partial(mg.registry["conv_x"], y, w, geometry),
        "conv_w": functools.partial(mg.registry["conv_w"], x, y, geometry),
    }


def layers(batch=50):
    """Each convolution of the reference model, forward and both gradients: microseconds, and the
    part of float32's roofline reached; PyTorch's time beside it."""
    rng = np.random.default_rng(0)
    flops, bandwidth = ceilings()
    print(f"\nceilings: {flops / 1e12:.1f} Tflop/s float32, {bandwidth / 1e12:.2f} TB/s")
    print(f"{'':14}{'':10}{'us':>9}{'PyTorch us':>12}{'of roofline':>13}")
    figures = {"ceilings": [flops, bandwidth]}
    for name, (forward, _, c, f) in LAYERS.items():
        geometry, x, w, y = _arrays(name, batch, rng)
        work = 2 * batch * np.prod(geometry.out) * 9 * c * f
        ours = _operations(geometry, x, w, y)
        for primitive, function in ours.items():
            theirs = _torch_layer(primitive, x, w, y, geometry)
            seconds = _milliseconds(cuda.Captured(_calls(function)), 5) / CALLS / 1e3
            torch_seconds = _seconds(*theirs, 5) / CALLS if theirs else float("nan")
            bound = max(work / flops, (x.nbytes + w.nbytes + y.nbytes) / bandwidth)
            figures[f"{name}, {primitive}"] = [seconds * 1e6, torch_seconds * 1e6, bound / seconds]
            kind = "forward" if primitive == forward else "gradient"
            print(
                f"{name:14}{primitive:7}{kind:9}{seconds * 1e6:9.1f}{torch_seconds * 1e6:12.1f}"
                f"{bound / seconds:13.0%}"
            )
    return figures


def _torch_layer(primitive, x, w, y, geometry):
    """A CUDA graph of the same operation in PyTorch, on images padded beforehand, and how to wait
    for it."""
    try:
        import torch
    except ImportError:
        return None
    torch.backends.cudnn.allow_tf32 = cuda.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    (top, bottom), (left, right) = geometry.pads
    tx, ty, tw = (torch.as_tensor(v.get(), device="cuda") for v in (x, y, w))
    image = torch.nn.functional.pad(tx.permute(0, 3, 1, 2), (left, right, top, bottom))
    image = image.contiguous(memory_format=torch.channels_last)
    out = ty.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    kernel = tw.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    settings = dict(stride=geometry.stride, padding=0)
    function = {
        "conv_y": lambda: torch.nn.functional.conv2d(image, kernel, **settings),
        "conv_x": lambda: torch.nn.grad.conv2d_input(image.shape, kernel, out, **settings),
        "conv_w": lambda: torch.nn.grad.conv2d_weight(image, kernel.shape, out, **settings),
    }[primitive]
    return in_a_graph(_calls(function)), torch.cuda.synchronize


def rungs(batch=50, layer="c3 64->128"):
    """A layer by the naive kernels of docs/first_kernel.md and by those in use: microseconds."""
    geometry, *arrays = _arrays(layer, batch, np.random.default_rng(0))
    kinds = {"naive": naive.instead, "float32": nullcontext, "tf32": nullcontext}
    figures = {}
    print(f"\n{layer}, batch {batch}: us{'naive':>20}{'float32':>12}{'tf32':>12}")
    for primitive, function in _operations(geometry, *arrays).items():
        times = figures[f"{layer}, {primitive}: naive, float32, tf32"] = []
        for kind, place in kinds.items():
            cuda.precision = "float32" if kind == "naive" else kind
            with place():
                times.append(_milliseconds(cuda.Captured(_calls(function)), 5) / CALLS * 1e3)
        print(f"{primitive:27}{times[0]:12.1f}{times[1]:12.1f}{times[2]:12.1f}")
    return figures


# ---------------------------------------------------------------------- batches, epochs
def sweep(batches=(1, 2, 5, 10, 20, 50, 100, 200, 400)):
    """Milliseconds per step by batch size, GPU and CPU: where the GPU begins to pay."""
    figures = {}
    print(f"\n{'batch':>6}{'GPU ms':>9}{'CPU ms':>9}")
    for batch in batches:
        on_gpu = ours(batch)
        for _ in range(2):
            on_gpu()
        gpu = _seconds(on_gpu, _wait, 1, 5) / STEPS
        on_cpu = minigrad_convolutional(batch)
        on_cpu()
        cpu = _seconds(on_cpu, lambda: None, 1, 5)
        figures[str(batch)] = [gpu * 1e3, cpu * 1e3]
        print(f"{batch:6}{gpu * 1e3:9.3f}{cpu * 1e3:9.1f}")
    return figures


def epochs(count=600, seed=2):
    """The reference training: seconds and its curve, in each precision."""
    data = datasets.load("olivetti")
    rows = shrink(data.images, 32).reshape(len(data.images), -1)  # (400, 1024)
    figures = {"data": data.name}
    for precision in PRECISIONS:
        cuda.precision = precision
        ends = []
        settings = olivetti.settings() | {"max_epochs": count, "random_state": seed}
        model = Autoencoder(
            **settings,
            device="cuda",
            callbacks=lambda model, record, ends=ends: ends.append(time.perf_counter()),
        ).fit(rows)
        seconds = ends[-1] - ends[0]  # the first epoch compiles
        losses = [olivetti.published(loss, len(rows))[0] for loss in model.history_["l2_loss"]]
        figures[precision] = {"seconds": seconds, "first": losses[:3], "last": losses[-1]}
        print(f"\n{count} epochs, {data.name}, {precision}: {seconds:.1f} s, loss {losses[-1]:.4f}")
    return figures
