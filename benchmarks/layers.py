"""Each layer of the reference model, forward and both gradients, against PyTorch in one run.

    python benchmarks/layers.py --batch 50 --repeats 15

Every row is one operation of one layer: milliseconds (medians, the programs taking turns) and
GFLOP/s of the definition's arithmetic, for minigrad and for PyTorch with contiguous and with
channels_last tensors; the ratio to the faster of these; and the error of each against float64,
largest difference over the root mean square of the result.

The strided layers pad at the beginning, as PyTorch can, not at the end as TensorFlow does.
"""

import argparse
import platform
import statistics
import time
from typing import NamedTuple

import numpy as np
import torch

import minigrad as mg
import minigrad.cpu
from minigrad.conv import Geometry


class Layer(NamedTuple):
    name: str
    size: int  # of the images on the side of x, the larger one
    channels: int  # of x: the input of a convolution, the output of a transposed one
    features: int  # of y
    stride: int
    transposed: bool


LAYERS = [
    Layer("conv_0", 32, 1, 16, 2, False),
    Layer("conv_1", 16, 16, 32, 1, False),
    Layer("conv_2", 16, 32, 64, 1, False),
    Layer("conv_3", 16, 64, 128, 1, False),
    Layer("convt_0", 32, 128, 1, 2, True),
    Layer("convt_1", 32, 64, 128, 1, True),
    Layer("convt_2", 32, 32, 64, 1, True),
    Layer("convt_3", 32, 1, 32, 1, True),
]
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Operation(NamedTuple):
    """One row: functions that compute it, and its arithmetic in GFLOP."""

    name: str
    minigrad: callable
    exact: callable
    torch: dict  # format -> function
    to_numpy: callable  # PyTorch's result in minigrad's layout
    gflop: float


def convolutions(layer, batch, rng):
    """The three operations of a convolution layer."""
    pads = ((1, 0), (1, 0)) if layer.stride == 2 else ((1, 1), (1, 1))
    geometry = Geometry.of((layer.size, layer.size), (3, 3), layer.stride, pads)
    x = rng.standard_normal((batch, *geometry.size, layer.channels), np.float32)
    w = rng.standard_normal((3, 3, layer.channels, layer.features), np.float32)
    y = rng.standard_normal((batch, *geometry.out, layer.features), np.float32)
    arrays = {
        name: [
            torch.from_numpy(v.transpose(axes)).contiguous(memory_format=memory_format)
            for v, axes in ((x, (0, 3, 1, 2)), (w, (3, 2, 0, 1)), (y, (0, 3, 1, 2)))
        ]
        for name, memory_format in FORMATS.items()
    }
    gflop = 2e-9 * y.size * 9 * layer.channels
    images, kernels = (0, 2, 3, 1), (2, 3, 1, 0)

    def torch_gradient(tx, tw, ty, which):
        """PyTorch's convolution_backward, of the gradient of its output."""
        given, gradient = (ty, tx) if layer.transposed else (tx, ty)
        mask = [which == "input", which == "weight", False]
        output_padding = [layer.stride - 1] * 2 if layer.transposed else [0, 0]
        return torch.ops.aten.convolution_backward(
            gradient, given, tw, None, [layer.stride] * 2, [1, 1], [1, 1], layer.transposed,
            output_padding, 1, mask,
        )[mask.index(True)]  # fmt: skip

    def torch_forward(tx, tw, ty):
        if layer.transposed:
            return torch.conv_transpose2d(
                ty, tw, stride=layer.stride, padding=1, output_padding=layer.stride - 1
            )
        return torch.conv2d(tx, tw, stride=layer.stride, padding=1)

    def operation(name, primitive, a, b, run, axes):
        primitive = mg.registry[primitive]
        return Operation(
            name,
            lambda: primitive(a, b, geometry),
            lambda: primitive.forward(a.astype(float), b.astype(float), geometry),
            {name: lambda v=v: run(*v) for name, v in arrays.items()},
            lambda result: result.numpy().transpose(axes),
            gflop,
        )

    forward, backward = ("conv_x", "conv_y") if layer.transposed else ("conv_y", "conv_x")
    images_of = {"conv_y": (x, w), "conv_x": (y, w)}
    yield operation("forward", forward, *images_of[forward], torch_forward, images)
    if layer.name != "conv_0":  # nobody asks for the gradient of the data
        run = lambda *v: torch_gradient(*v, "input")  # noqa: E731
        yield operation("input grad", backward, *images_of[backward], run, images)
    yield operation("weight grad", "conv_w", x, y, lambda *v: torch_gradient(*v, "weight"), kernels)


def dense(batch, rng):
    """The three operations of the layer that makes the code, 32768 -> 256."""
    x = rng.standard_normal((batch, 16 * 16 * 128), np.float32)
    w = rng.standard_normal((x.shape[1], 256), np.float32)
    g = rng.standard_normal((batch, 256), np.float32)
    for name, a, b in (("forward", x, w), ("input grad", g, w.T), ("weight grad", x.T, g)):
        ta, tb = torch.from_numpy(a), torch.from_numpy(b)
        yield Operation(
            name,
            lambda a=a, b=b: mg.matmul(a, b),
            lambda a=a, b=b: a.astype(float) @ b.astype(float),
            {"contiguous": lambda a=ta, b=tb: a @ b},
            lambda result: result.numpy(),
            2e-9 * a.size * b.shape[1],
        )


def measure(programs, repeats, clock):
    """Median milliseconds of each program; they take turns, and nobody's threads spin for long."""
    times = {name: [] for name in programs}
    for turn in range(repeats + 2):
        for name, run in programs.items():
            start = clock()
            run()
            if turn > 1:  # the first two warm up
                times[name].append(1e3 * (clock() - start))
            time.sleep(0.002)
    return {name: statistics.median(values) for name, values in times.items()}


def error(got, exact):
    return np.abs(got - exact).max() / np.sqrt(np.square(exact).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, help="default: the cores this process may use")
    parser.add_argument("--layers", nargs="*", help="names; default: all")
    parser.add_argument(
        "--cpu", action="store_true", help="CPU time; with --threads 1 fair beside other programs"
    )
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    if options.threads:
        minigrad.cpu.set_num_threads(options.threads)
    torch.set_num_threads(minigrad.cpu.get_num_threads())
    print(
        f"batch {options.batch}, {minigrad.cpu.get_num_threads()} threads, {platform.machine()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}\n"
        f"{'layer':8} {'operation':12} {'minigrad':>9} {'GFLOP/s':>8} {'contiguous':>11} "
        f"{'channels_last':>14} {'ratio':>6} {'error':>9} {'PyTorch':>9}"
    )
    rng, total = np.random.default_rng(0), {"minigrad": 0.0, "PyTorch": 0.0}
    for layer in [*LAYERS[:4], None, *LAYERS[4:]]:
        name = layer.name if layer else "dense"
        if options.layers and name not in options.layers:
            continue
        operations = convolutions(layer, options.batch, rng) if layer else dense(options.batch, rng)
        for operation in operations:
            exact = operation.exact()
            errors = [
                error(operation.minigrad(), exact),
                max(error(operation.to_numpy(run()), exact) for run in operation.torch.values()),
            ]
            times = measure(
                {"minigrad": operation.minigrad, **operation.torch}, options.repeats, clock
            )
            mine, best = times.pop("minigrad"), min(times.values())
            total["minigrad"] += mine
            total["PyTorch"] += best
            shown = [f"{times[f]:.2f}" if f in times else "" for f in FORMATS]
            print(
                f"{name:8} {operation.name:12} {mine:9.2f} {operation.gflop / mine * 1e3:8.0f} "
                f"{shown[0]:>11} {shown[1]:>14} {mine / best:6.2f} "
                f"{errors[0]:9.1e} {errors[1]:9.1e}"
            )
    ratio = total["minigrad"] / total["PyTorch"]
    print(
        f"all: minigrad {total['minigrad']:.1f} ms, the faster PyTorch of each row "
        f"{total['PyTorch']:.1f} ms, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
