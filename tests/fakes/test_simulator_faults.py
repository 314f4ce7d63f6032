"""The simulator finds what a GPU leaves undefined: wrong arguments, barriers, races, fences."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from simulator import Module, NoCompiler, SimulatorError, in_every_order

from minigrad.cuda import launch

KERNELS = Path(__file__).with_name("kernels")
F, I = np.float32, np.int32  # noqa: E741
X = np.zeros(64, F)


def source(name):
    return (KERNELS / f"{name}.cu").read_text()


def one(body, *args, grid=(1,), block=(64,), parameters="float* x, int n"):
    """Run a kernel whose second line is `body`."""
    code = f'extern "C" __global__ void faulty({parameters}) {{\n{body}\n}}'
    Module(code).get_function("faulty")(grid, block, args or (X.copy(), I(1)))


# ---------------------------------------------------------------------- arguments and shapes
POINTS = np.zeros(1, np.dtype([("a", "f4"), ("b", "i4")]))
READ_ONLY = np.zeros(64, F)
READ_ONLY.flags.writeable = False
ARGUMENTS = {
    "a Python int": ("float* x, int n", (X, 3), "argument 1 is a int, the kernel takes int"),
    "a Python float": ("float* x, float s", (X, 3.0), "is a float, the kernel takes float"),
    "a wrong scalar": (
        "float* x, float s",
        (X, np.float64(3)),
        "a float64, the kernel takes float",
    ),
    "int for long long": ("float* x, long long n", (X, I(3)), "takes long long"),
    "negative unsigned": ("float* x, unsigned n", (X, I(-3)), "int32, the kernel takes unsigned"),
    "a float64 array": ("float* x, int n", (np.zeros(4), I(3)), "array of float64, .* float*"),
    "int32 for unsigned": ("unsigned* x, int n", (np.zeros(4, I), I(3)), "array of int32"),
    "float for float64": ("const double* x, int n", (X, I(3)), "takes const double*"),
    "a strided view": ("float* x, int n", (np.zeros((9, 2), F)[:, 0], I(3)), r"strides \(8,\)"),
    "a read-only array": ("float* x, int n", (READ_ONLY, I(3)), "read-only"),
    "a misaligned vector": ("float4* x, int n", (np.zeros(9, F)[1:], I(3)), "misaligned"),
    "a scalar for an array": ("float* x, int n", (F(3), I(3)), "a float32, the kernel takes"),
    "an address": ("float* x, int n", (np.uint64(4096), I(3)), "a uint64, the kernel takes"),
    "an array for a scalar": ("float* x, int n", (X, X), "a ndarray, the kernel takes int"),
    "too few arguments": ("float* x, int n", (X,), "takes 2 arguments, got 1"),
    "a struct too small": (
        "float* x, struct {double a, b;} s",
        (X, POINTS),
        "a struct of 8 bytes, the kernel takes struct of 16 bytes",
    ),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_are_checked(case):
    parameters, args, message = ARGUMENTS[case]
    before = ""
    if "struct" in parameters:  # C++ wants the type to be known before
        before, parameters = "struct Pair { double a, b; };\n", "float* x, Pair s"
    code = f'{before}extern "C" __global__ void faulty({parameters}) {{ (void)x; }}'
    with pytest.raises(SimulatorError, match=f"^faulty: .*{message}"):
        Module(code).get_function("faulty")((1,), (1,), args)


@pytest.mark.parametrize(
    "grid, block, message",
    [
        ((1,), (1025,), r"block \(1025,\) must lie in 1 to"),
        ((1,), (64, 32), "more than 1024 threads"),
        ((0,), (64,), r"grid \(0,\) must lie in 1 to"),
        ((1, 70_000), (64,), "must lie in 1 to"),
        (1, (64,), "a tuple of 1 to 3 ints"),
    ],
)
def test_launch_shapes_are_checked(grid, block, message):
    with pytest.raises(SimulatorError, match=message):
        one("x[0] = n;", grid=grid, block=block)


@pytest.mark.parametrize(
    "code, message",
    [
        ('extern "C" __global__ void f(float* x) { x[0] = 1 }', "f: g\\+\\+ does not take[^$]*:1:"),
        ("#define K(f) __global__ void f(float* x) {}\nK(g)", "must be written out"),
        ('extern "C" __global__ void f() { extern __shared__ float s[]; }', "must have a size"),
        ('extern "C" __global__ void f(float* x) { atomicAdd(x, 1.f); }', "does not take"),
        (
            'extern "C" __global__ void f(int* x) { __shared__ int s[12289]; s[x[1]] = 0;'
            "__syncthreads(); x[0] = s[x[2]]; }",
            "49156 bytes",
        ),
    ],
)
def test_sources_are_checked(code, message):
    with pytest.raises(SimulatorError, match=message):
        Module(code).get_function("f")
    with pytest.raises(SimulatorError, match=r"no kernel 'absent' here, only \['arithmetic'"):
        Module(source("language")).get_function("absent")


# ---------------------------------------------------------------------- what a thread must not do
FAULTS = {
    "a divergent barrier": (
        "if (threadIdx.x < 40) \n __syncthreads(); x[0] = 1;",
        "line 3 is reached by 40 of 64 threads, but not by thread 40, which has left the kernel",
    ),
    "two barriers": (
        "if (threadIdx.x < 40) __syncthreads();\n else __syncthreads();",
        "line 2 is reached by 40 of 64 threads, but not by thread 40, which waits at line 3",
    ),
    "a lane that has left": (
        "if (threadIdx.x == 3) return;\n x[0] = __shfl_down_sync(0xffffffffu, x[0], 1);",
        "warp operation at line 3 waits for thread 3, which has left",
    ),
    "a lane outside the mask": (
        "x[0] = __shfl_sync(3u, x[0], 0);",
        "lane 2 is not in its own mask",
    ),
    "a source outside the mask": (
        "if (threadIdx.x < 2) x[0] = __shfl_sync(3u, x[0], 5); __syncthreads();",
        "line 2: lane 0 reads from lane 5, which takes no part",
    ),
    "no fence": ("atomicAdd(reinterpret_cast<int*>(x), n);", "line 2: .* without a __threadfence"),
    "past shared memory": (
        "__shared__ float s[64]; s[threadIdx.x] = 0; __syncthreads();\n x[0] = s[threadIdx.x + n];",
        "line 3: index 64 is outside an array 'float \\[64\\]'",
    ),
    "past a local array": (
        "float t[4]; for (int i = 0; i < 4 + n; ++i) t[i] = 0; x[0] = t[n];",
        "index 4",
    ),
    "a misaligned float4": (
        "x[0] = reinterpret_cast<const float4*>(x + n)->x;",
        "line 2: address .* is not a multiple of 16",
    ),
    "an int that overflows": (
        "x[0] = (2147483647 + n) / 2;",
        "line 2: a sum of integers overflows",
    ),
    "a division by zero": ("x[0] = 7 / (n - 1);", "line 2: an integer is divided by zero"),
    "too large a shift": ("x[0] = 7 << (n + 31);", "line 2: a shift"),
    "too large a stack": (
        "volatile float t[20000]; for (int i = 0; i < 20000; ++i) t[i] = x[0]; x[0] = t[n];",
        "used more than the 65536 bytes of a simulated stack",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_thread_is_found_with_its_line(fault):
    body, message = FAULTS[fault]
    with pytest.raises(SimulatorError, match=f"^faulty: block \\(0, 0, 0\\): .*{message}"):
        one(body)


def test_unwritten_shared_memory_is_nan():
    x = np.zeros(64, F)
    one(
        "__shared__ float s[64]; if (n) s[1] = 2; __syncthreads();"
        " x[threadIdx.x] = s[threadIdx.x];",
        *(x, I(1)),
    )
    assert x[1] == 2
    assert np.isnan(np.delete(x, 1)).all()


# ---------------------------------------------------------------------- races
def without(code, text, occurrence=0):
    """`code` without one occurrence of `text`; its lines keep their numbers."""
    parts = code.split(text)
    assert len(parts) > occurrence + 1
    return text.join(parts[: occurrence + 1]) + text.join(parts[occurrence + 1 :])


@pytest.mark.parametrize("barrier", [0, 1])
def test_each_barrier_of_the_product_is_needed(barrier):
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 9, (13, 17)).astype(F), rng.integers(1, 9, (17, 9)).astype(F)
    multiply = Module(without(source("product"), "__syncthreads();", barrier)).get_function(
        "product"
    )

    def run():
        c = np.full((13, 9), np.nan, F)
        multiply((2, 2), (8, 8), (a, b, c, I(13), I(9), I(17)))
        return c

    with pytest.raises(SimulatorError, match="depends on the order"):
        in_every_order(run)


def sum_by_last_block(code):
    add, ticket = Module(code).get_function("last_block"), np.zeros(1, I)
    x = np.random.default_rng(1).standard_normal(900).astype(F)

    def run():
        parts, total = np.full(15, np.nan, F), np.full(1, np.nan, F)
        add((15,), (64,), (x, parts, total, ticket, I(900)))
        return total

    return in_every_order(run)


def test_the_last_block_needs_its_fence_its_reset_and_its_order():
    code = source("last_block")
    sum_by_last_block(code)
    with pytest.raises(SimulatorError, match=r"line 18: atomicAdd without a __threadfence"):
        sum_by_last_block(without(code, "__threadfence();"))
    with pytest.raises(SimulatorError, match="depends on the order"):
        sum_by_last_block(without(code, "ticket[0] = 0;"))
    by_arrival = code.replace("parts[blockIdx.x] = sums[0];", "").replace(
        "last = atomicAdd(ticket, 1) == gridDim.x - 1;",
        "const int place = atomicAdd(ticket, 1); parts[place] = sums[0];"
        " last = place == gridDim.x - 1;",
    )
    with pytest.raises(SimulatorError, match="depends on the order"):
        sum_by_last_block(by_arrival)


def included(folder, body, after=""):
    """Run a kernel that calls the function of an included file, with `body` in line 2."""
    (folder / "part.cuh").write_text(
        f"__device__ void part(float* x, int n, float (&s)[64]) {{\n{body}\n}}\n"
    )
    (folder / "user.cu").write_text(
        '#include "part.cuh"\n\nextern "C" __global__ void user(float* x, int n) {\n'
        f"__shared__ float s[64];\npart(x, n, s);\n{after}\n}}\n"
    )
    kernel = Module(launch.source("user", folder)).get_function("user")
    kernel((1,), (64,), (X.copy(), I(1)))


def test_a_fault_names_the_file_that_has_it(tmp_path):
    included(tmp_path, "s[threadIdx.x] = n;", "__syncthreads(); x[threadIdx.x] = s[63];")
    with pytest.raises(SimulatorError, match=r"line 2 of part\.cuh: index 64 is outside"):
        included(tmp_path, "s[threadIdx.x + n] = 1;")
    with pytest.raises(SimulatorError, match=r"line 6 of user\.cu: an integer is divided by zero"):
        included(tmp_path, "", "x[0] = 7 / (n - 1);")
    with pytest.raises(SimulatorError, match=r"part\.cuh:2:8: error"):
        included(tmp_path, "x[0] = nothing;")


def test_equal_lines_of_two_files_are_two_barriers(tmp_path):
    divergent = "\n\n\n\nif (threadIdx.x < 40) __syncthreads();"  # line 6, as is the other
    where = "line 6 of part.cuh is reached by 40 .* thread 40, which waits at line 6 of user.cu"
    with pytest.raises(SimulatorError, match=where):
        included(tmp_path, divergent, "if (threadIdx.x >= 40) __syncthreads();")


def test_a_missing_compiler_is_said_plainly(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoCompiler, match=r"needs g\+\+, which is not installed"):
        Module('extern "C" __global__ void never_compiled_before(float* x) { x[0] = 17; }')
