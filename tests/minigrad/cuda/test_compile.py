"""Every CUDA kernel compiles for all generations of GPUs, in all its variants, without a spill."""

from pathlib import Path

import compile_kernels
import machine_code
import pytest
from compile_kernels import compile_source, disagreements

from minigrad.cuda import launch
from minigrad.cuda.tile import TILES
from minigrad.cuda.weight_gradient import GRADIENT_TILES

KERNELS = Path(__file__).with_name("kernels")
pytestmark = pytest.mark.skipif(compile_kernels.compiler() is None, reason=compile_kernels.NEEDED)


def faults(code, architecture=90, options=()):
    return [row.fault for row in compile_source("test", code, options, architecture)]


def test_every_kernel_compiles_without_a_spill():
    texts, table = compile_kernels.sources(), compile_kernels.variants()
    assert texts
    # sm_80 lies between the others; the command compiles everything for it too
    rows = compile_kernels.compile_all(texts, table, once=(80,))
    wrong = [str(row) for row in rows if row.fault]
    assert not wrong, "\n".join([compile_kernels.HEADING, *wrong])


def test_every_source_has_its_variants():
    assert not disagreements(compile_kernels.sources(), compile_kernels.variants())


@pytest.mark.parametrize("architecture", compile_kernels.ARCHITECTURES)
def test_a_spill_is_found(architecture):
    [fault] = faults((KERNELS / "spills.cu").read_text(), architecture)
    assert fault.startswith("spills ") and fault.endswith(" bytes of registers")


def test_local_memory_is_found():
    [fault] = faults(
        'extern "C" __global__ void local(float* x, const int* at, int n) {\n'
        "float t[32]; for (int i = 0; i < n; ++i) t[at[i] & 31] = x[i]; x[0] = t[at[n] & 31]; }"
    )
    assert fault.startswith("keeps ")


def test_an_error_is_found_with_its_line():
    [fault] = faults('\nextern "C" __global__ void typo(float* x) {\n x[0] = y; }')
    assert fault.startswith("does not compile") and "kernel.cu(3)" in fault


def test_an_error_is_found_in_the_file_that_has_it(tmp_path):
    (tmp_path / "twice.cuh").write_text("__device__ float twice(float v) {\n  return v + w; }\n")
    (tmp_path / "user.cu").write_text(
        '// Comment.\n#include "twice.cuh"\nextern "C" __global__ void user(float* x) {\n'
        "  x[0] = twice(y); }\n"
    )
    [fault] = faults(launch.source("user", tmp_path))
    assert "twice.cuh(2)" in fault and "user.cu(4)" in fault


def test_too_much_shared_memory_is_found():
    code = (
        'extern "C" __global__ void big(float* x, int n) { __shared__ float s[SIZE]; s[n] = x[n];'
    )
    code += " __syncthreads(); x[n] = s[n + threadIdx.x]; }"
    assert faults(code, options=("-DSIZE=12288",)) == [""]
    [fault] = faults(code, options=("-DSIZE=12289",))
    assert fault.startswith("does not compile")


def test_registers_and_shared_memory_are_read_from_the_log():
    code = (
        'extern "C" __global__ void a(float* x) { __shared__ float s[100]; s[threadIdx.x] = x[0];'
    )
    code += ' __syncthreads(); x[0] = s[5]; }\nextern "C" __global__ void b(float* x) { x[0] = 1; }'
    rows = {row.kernel: row for row in compile_source("test", code, (), 80)}
    assert rows["a"].shared == 400 and rows["b"].shared == 0
    assert all(0 < row.registers < 40 and row.stack == row.spills == 0 for row in rows.values())


@pytest.mark.skipif(machine_code.disassembler() is None, reason=machine_code.NEEDED)
def test_instructions_of_the_main_loop_are_counted():
    """Of two loops, one in another, the inner one with the most products."""
    code = """extern "C" __global__ void loops(float* x, const float* y, int n) {
        float s = 0.f, t = 1.f;
        #pragma unroll 1
        for (int i = 0; i < n; ++i) {
            #pragma unroll 1
            for (int k = 0; k < n; ++k) {
                #pragma unroll
                for (int j = 0; j < 20; ++j) s = fmaf(s, y[k * 20 + j], t);
            }
            #pragma unroll 1
            for (int k = 0; k < n; ++k) t = fmaf(t, s, y[k]);
        }
        x[0] = s;
    }
    extern "C" __global__ void line(float* x) { x[0] = 1.f; }"""
    rows = {r.kernel: r.count for r in compile_source("test", code, (), 90, counted=True)}
    assert rows["loops"].products == rows["loops"].kinds["FFMA"] == 20
    assert rows["loops"].kinds["LDG"] == 20 and 40 < rows["loops"].loop < 60 < rows["loops"].code
    assert rows["line"].loop == rows["line"].products == 0 < rows["line"].code < 12


@pytest.mark.skipif(machine_code.disassembler() is None, reason=machine_code.NEEDED)
def test_what_tiles_cost_is_what_the_machine_code_has():
    """To within a tenth: another compiler makes other code."""
    texts = compile_kernels.sources()
    extra = {"convolution": ("-DTRANSPOSED=0",), "weight_gradient": ()}
    for source, table in (("convolution", TILES), ("weight_gradient", GRADIENT_TILES)):
        for products in (0, 1, 3):
            tile, turn = next(iter(table[True, products].items()))  # the others take as long
            options = *tile.options(True, products), *extra[source]
            [row] = compile_source(source, texts[source], options, 90, counted=True)
            assert abs(row.count.loop - turn) < turn / 10, (source, tile, row.count)
            multiplied = tile.warp_m * tile.warp_n * 16
            of_warps = multiplied * products // (16 * 8 * 8)
            assert row.count.products == (of_warps if products else multiplied // 32)


def test_sources_and_variants_must_agree():
    texts, table = {"a": "", "b": "", "c": ""}, {"a": [()], "b": [], "d": [("-DX=1",)]}
    found = " ".join(disagreements(texts, table))
    assert "no VARIANTS says how c.cu is compiled" in found
    assert "VARIANTS names d.cu, which does not exist" in found
    assert "no options for b.cu" in found and "a.cu" not in found


def test_the_command_prints_a_table_and_fails(capsys):
    assert compile_kernels.main(["--arch", "80", "--", str(KERNELS / "memory.cu")]) == 0
    assert compile_kernels.main([str(KERNELS / "spills.cu")]) == 1
    assert "3 kernels, 3 faults" in capsys.readouterr().out
