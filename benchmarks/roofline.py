"""How near the reference step is to what this machine can do: floor, time and share of each layer.

    python benchmarks/roofline.py
    python benchmarks/roofline.py --threads 1 --native off

The floor of an operation is the longer of two times: its arithmetic, by the algorithm that computes
it (Winograd's takes a quarter of the definition's), at the speed of large matrix products, and its
arrays, read and written once, at the speed of memory. Both speeds are measured here, in the same
run. All times are processor time, summed over the threads, so that other programs matter little.

Winograd's transforms can be told from its products with NumPy's kernels only: a compiled one does
both in one call. What is measured is the step as it is recorded, operation by operation; a captured
step leaves out most of the engine's part.
"""

import argparse
import math
import time
from collections import defaultdict
from statistics import median

import numpy as np
import our_kernels
from interleaved import machine, spread
from reference_steps import minigrad_convolutional

import minigrad.cpu
from minigrad import optim
from minigrad.conv import Geometry
from minigrad.cpu import convolution, winograd
from minigrad.cpu.pool import parallel, pieces
from minigrad.state import hook

# (size and channels of x, the larger side; channels of y; stride): see `layers.py`
LAYERS = {
    (32, 1, 16, 2): "conv_0", (16, 16, 32, 1): "conv_1", (16, 32, 64, 1): "conv_2",
    (16, 64, 128, 1): "conv_3", (32, 128, 1, 2): "convt_0", (32, 64, 128, 1): "convt_1",
    (32, 32, 64, 1): "convt_2", (32, 1, 32, 1): "convt_3",
}  # fmt: skip
PRODUCTS = ("matmul", "dense_layer")
VIEWS = ("reshape", "transpose")
TRANSFORMS = ("input_tiles", "output_tiles", "output_gradient")


# ---------------------------------------------------------------------- what the machine can do
def speeds(size=1024, repeats=7):
    """Operations of large float32 products, and bytes of a sum in place, per second of one core's
    time while all threads work."""
    threads = minigrad.cpu.get_num_threads()
    a = np.random.default_rng(0).random((threads, 2, size, size), np.float32)
    out = np.empty((threads, size, size), np.float32)
    source = np.ones(1 << 26, np.float32)
    target = np.zeros_like(source)
    blocks = pieces(source.size, 1 << 17)

    def least(work, parts):
        times = []
        for _ in range(repeats):
            began = time.process_time()
            parallel(work, parts)
            times.append(time.process_time() - began)
        return min(times)

    product = least(lambda k: np.matmul(*a[k], out=out[k]), range(threads))
    # in place: nothing is read that is only written
    added = least(lambda b: np.add(target[b], source[b], out=target[b]), blocks)
    return threads * 2 * size**3 / product, 3 * source.nbytes / added


# ---------------------------------------------------------------------- the floor
def described(primitive, args, out):
    """(layer, operation, algorithm, operations of arithmetic, bytes) of a call."""
    size = moved(args, out)
    geometry = next((a for a in args if isinstance(a, Geometry)), None)
    if geometry is not None and primitive.name.startswith("conv"):
        return (*_convolution(primitive.name, args, geometry), size)
    if primitive.name in PRODUCTS and args[0].ndim == args[1].ndim == 2:
        (m, k), n = args[0].shape, args[1].shape[1]
        operation = {"dense_layer": "forward"}.get(primitive.name)
        operation = operation or ("weight grad" if m > n else "input grad")
        return "dense", operation, "product", 2 * m * k * n, size
    return "elementwise", primitive.name, "", 0, 0 if primitive.name in VIEWS else size


def moved(args, out):
    """Bytes of the arrays among the arguments and the results, each counted once."""
    results = out if isinstance(out, tuple) else (out,)
    arrays = [a for a in (*args, *results) if isinstance(a, np.ndarray)]
    return sum({a.ctypes.data: a.nbytes for a in arrays}.values())


def _convolution(name, args, geometry):
    a, b, n = args[0], args[1], args[0].shape[0]
    c, f = (a.shape[3], b.shape[3]) if name == "conv_w" else b.shape[2:]
    layer = LAYERS.get((geometry.size[0], c, f, geometry.stride[0]), "another convolution")
    plain = {"conv_layer": "conv_y", "conv_transpose_layer": "conv_x"}.get(name, name)
    forward = "conv_x" if layer.startswith("convt") else "conv_y"
    operation = "weight grad" if plain == "conv_w" else "input grad"
    operation = "forward" if plain == forward else operation
    module = convolution.choose(geometry, n, c, f)
    if module is not None and module.__name__.endswith("winograd"):
        side = geometry.size if plain == "conv_x" else geometry.out
        tiles = n * math.prod(-(-p // 4) for p in side)
        return layer, operation, "Winograd", 2 * 36 * tiles * c * f
    work = 2 * n * math.prod(geometry.out) * math.prod(geometry.kernel) * c * f
    return layer, operation, "direct", work


# ---------------------------------------------------------------------- the time
class Watch:
    """The processor time of each operation of a step, of transforms within it, of the optimizer."""

    def __init__(self):
        self.seconds, self.about = defaultdict(float), {}  # of one step
        self.inside, self.transforms, self.optimizer = [0.0], [], 0.0
        for name in TRANSFORMS:
            setattr(winograd, name, self._transform(getattr(winograd, name)))
        step = optim.Adam.step

        def timed(optimizer):
            began = time.process_time()
            step(optimizer)
            self.optimizer += time.process_time() - began

        optim.Adam.step = timed

    def _transform(self, function):
        def timed(*args):
            began = time.thread_time()
            out = function(*args)
            self.transforms.append(time.thread_time() - began)
            return out

        return timed

    def around(self, primitive, where, phase, function, args):
        self.inside.append(0.0)
        began = time.process_time()
        out = function(*args)
        spent = time.process_time() - began
        nested = self.inside.pop()
        own = spent - nested
        self.inside[-1] += spent
        if phase == "backward":  # calls other operations, or one kernel for gate and bias
            key = (
                "elementwise",
                f"{primitive.name}, backward",
                "",
                0,
                0 if nested else moved(args, out),
            )
        else:
            key = described(primitive, args, out)
        work, size = self.about.get(key[:3], (0, 0))
        self.about[key[:3]] = work + key[3], size + key[4]
        self.seconds[key[:3]] += own
        return out

    def measured(self, step):
        """One step: (seconds of each operation, of transforms, of the optimizer, of all)."""
        self.seconds.clear()
        self.about.clear()
        self.transforms.clear()
        self.optimizer, began = 0.0, time.process_time()
        with hook(self.around):
            step()
        total = time.process_time() - began
        return dict(self.seconds), sum(self.transforms), self.optimizer, total


def row(name, work, floor, spent, of):
    share = f"{floor / spent:6.0%}" if floor and spent else ""
    gflop = f"{work / 1e9:.3f}" if work else ""
    words = f"| {name[0]} | {name[1]} | {name[2]} | {gflop} | {floor * 1e3:.2f} "
    return words + f"| {spent * 1e3:.2f} | {spent / of:.1%} | {share.strip()} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--threads", type=int, help="default: the cores this process may use")
    parser.add_argument("--native", choices=("on", "off"), default="on")
    options = parser.parse_args()
    if options.threads:
        minigrad.cpu.set_num_threads(options.threads)
    native = options.native == "on" and our_kernels.compiled()
    step = minigrad_convolutional(options.batch, native=native)
    for _ in range(3):
        step()
    flops, bandwidth = speeds()
    print(f"{machine()}\n{minigrad.cpu.get_num_threads()} threads, compiled kernels "
          f"{'on' if native else 'off'}: large products {flops / 1e9:.1f} GFLOP/s a core, memory "
          f"{bandwidth / 1e9:.1f} GB/s a core; milliseconds of processor time, medians of "
          f"{options.steps} steps\n")  # fmt: skip
    wall = []
    for _ in range(options.steps):
        began = time.perf_counter()
        step()
        wall.append(time.perf_counter() - began)
    watch = Watch()
    runs = [watch.measured(step) for _ in range(options.steps)]
    spent = {key: median(run[0].get(key, 0.0) for run in runs) for key in watch.about}
    transforms, optimizer, total = (median(run[k] for run in runs) for k in (1, 2, 3))
    engine = median(run[3] - run[2] - sum(run[0].values()) for run in runs)
    floors = {key: max(work / flops, size / bandwidth) for key, (work, size) in watch.about.items()}
    print("| layer | operation | algorithm | GFLOP | floor ms | ms | of the step | floor / ms |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    known = [key for key in spent if key[0] != "elementwise"]
    order = [*LAYERS.values()]
    order = [*order[:4], "dense", *order[4:], "another convolution"]
    for key in sorted(known, key=lambda key: (order.index(key[0]), key[1])):
        print(row(key, watch.about[key][0], floors[key], spent[key], total))
    names = ("products", "transforms", "direct convolutions", "elementwise", "optimizer", "engine")
    kinds = {name: [0, 0.0, 0.0] for name in names}
    for key, (work, _) in watch.about.items():
        kind = "elementwise" if key[0] == "elementwise" else "products"
        kind = "direct convolutions" if key[2] == "direct" else kind
        for k, value in enumerate((work, floors[key], spent[key])):
            kinds[kind][k] += value
    kinds["products"][2] -= transforms
    kinds["transforms"][2] = transforms
    state = 7 * 4 * 8_579_841  # w, g, m and v are read, w, m and v written
    kinds["optimizer"][1:] = [state / bandwidth, optimizer]
    kinds["engine"][2] = engine
    print("\n| kind | | | GFLOP | floor ms | ms | of the step | floor / ms |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    for name, values in kinds.items():
        if name == "transforms" and not transforms:
            print("| transforms | within the products | | | | | | |")
            continue
        print(row((name, "", ""), *values, total))
    sums = [sum(v[k] for v in kinds.values()) for k in (0, 1)]
    print(row(("the step", "", ""), *sums, total, total))
    print(f"\nOn the clock, without watching: {spread(wall).shown(1, 1e3)} ms")


if __name__ == "__main__":
    main()
