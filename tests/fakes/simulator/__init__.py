"""CUDA kernels on the CPU: g++ compiles the unchanged ``.cu`` text, one fiber is a CUDA thread.

    with simulated():                       # minigrad.cuda.launch compiles with the simulator
        y = in_every_order(lambda: conv_y(x, w, geometry))

`Module(code, options).get_function(name)(grid, block, args)` is the call form of CuPy's RawModule,
over NumPy arrays. What a GPU would leave undefined is a SimulatorError that names the kernel and
the line: arguments of the wrong type, barriers that only some threads reach, lanes that have left,
misaligned vectors, indices outside an array, blocks counted without a fence. Shared memory is NaN
before each block, and the order of threads and blocks is an input: a result that depends on it has
a race. Speed, the memory model and the last bit of expf and its like need a GPU.
"""

from .build import NoCompiler, SimulatorError, kernel_names
from .module import Kernel, Module, launches
from .session import in_every_order, simulated

__all__ = [
    "Kernel",
    "Module",
    "NoCompiler",
    "SimulatorError",
    "in_every_order",
    "kernel_names",
    "launches",
    "simulated",
]
