"""minigrad: automatic differentiation of any order for NumPy and CuPy arrays, small enough to read.

>>> import minigrad as mg
>>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * mg.tanh(x)).sum()
>>> y.backward()
>>> x.grad
tensor([1.1815685 , 1.10532923, 1.02465287])

Images are NHWC, kernels (height, width, in, out), losses sums over features and means over the
batch. float32 stays float32; nothing is converted in silence. Randomness comes from generators
that you pass.
"""

from . import checkpoint, cpu, cuda, data, debug, init, losses, nn, optim, random, testing
from . import numpy_functions as _numpy_functions  # noqa: F401  (np.exp(x) is exp(x))
from . import operators as _operators  # noqa: F401  (puts the operators on Tensor)
from .cpu.pool import get_num_threads, set_num_threads
from .derivatives import hvp, jacobian, jvp, vjp
from .engine import override, primitive, registry
from .functional import (
    conv2d,
    conv2d_transpose,
    conv2d_weight,
    dense,
    dropout,
    gaussian_noise,
)
from .gradient import grad
from .ops import (
    abs,
    add,
    clip,
    divide,
    exp,
    log,
    log_softmax,
    logsumexp,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sign,
    softmax,
    softplus,
    sqrt,
    subtract,
    sum,
    tanh,
    var,
    where,
)
from .resize import resize_bicubic
from .shapes import (
    astype,
    broadcast_to,
    concatenate,
    getitem,
    pad,
    reshape,
    scatter,
    stack,
    sum_to,
    transpose,
)
from .state import hook, no_grad
from .tensor import Tensor, tensor

__all__ = [
    "Tensor",
    "abs",
    "add",
    "astype",
    "broadcast_to",
    "checkpoint",
    "clip",
    "concatenate",
    "conv2d",
    "conv2d_transpose",
    "conv2d_weight",
    "cpu",
    "cuda",
    "data",
    "debug",
    "dense",
    "divide",
    "dropout",
    "exp",
    "gaussian_noise",
    "get_num_threads",
    "getitem",
    "grad",
    "hook",
    "hvp",
    "init",
    "jacobian",
    "jvp",
    "log",
    "log_softmax",
    "logsumexp",
    "losses",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "nn",
    "no_grad",
    "optim",
    "override",
    "pad",
    "power",
    "primitive",
    "random",
    "registry",
    "relu",
    "reshape",
    "resize_bicubic",
    "scatter",
    "set_num_threads",
    "sigmoid",
    "sign",
    "softmax",
    "softplus",
    "sqrt",
    "stack",
    "subtract",
    "sum",
    "sum_to",
    "tanh",
    "tensor",
    "testing",
    "transpose",
    "var",
    "vjp",
    "where",
]
