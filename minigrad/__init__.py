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

import logging as _logging

from . import (
    checkpoint,
    cpu,
    cuda,
    data,
    debug,
    init,
    interchange,
    losses,
    native,
    nn,
    optim,
    random,
    testing,
)
from . import numpy_functions as _numpy_functions  # noqa: F401  (np.exp(x) is exp(x))
from . import operators as _operators  # noqa: F401  (puts the operators on Tensor)
from .activations import elu, gelu, hard_sigmoid, leaky_relu, log_sigmoid, normal_cdf, silu
from .contraction import einsum
from .cpu.pool import get_num_threads, set_num_threads
from .derivatives import grad, hvp, jacobian, jvp, value_and_grad, vjp
from .dlpack import from_dlpack
from .elementary import cos, expm1, log1p, remainder, sin
from .engine import override, primitive, registry
from .functional import (
    conv2d,
    conv2d_transpose,
    conv2d_weight,
    dense,
    dropout,
    gaussian_noise,
)
from .native.config import show_config
from .normalization import batch_norm, group_norm, layer_norm
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
from .pool import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d, upsample2d
from .reductions import argmax, argmin, cumsum, norm, prod, sort, std
from .resize import resize_bicubic, resize_bilinear
from .sequences import conv1d, conv1d_transpose, embedding
from .shapes import (
    astype,
    broadcast_to,
    concatenate,
    flatten,
    getitem,
    pad,
    reshape,
    scatter,
    split,
    squeeze,
    stack,
    sum_to,
    transpose,
    unsqueeze,
)
from .state import hook, no_grad
from .tensor import Tensor, tensor

__version__ = "0.2.0"

_logging.getLogger(__name__).addHandler(_logging.NullHandler())  # who wants messages adds another

__all__ = [
    "Tensor", "abs", "add", "argmax", "argmin", "astype", "avg_pool2d", "batch_norm",
    "broadcast_to", "checkpoint", "clip", "concatenate", "conv1d", "conv1d_transpose", "conv2d",
    "conv2d_transpose", "conv2d_weight", "cos", "cpu", "cuda", "cumsum", "data", "debug", "dense",
    "divide", "dropout", "einsum", "elu", "embedding", "exp", "expm1", "flatten", "from_dlpack",
    "gaussian_noise", "gelu", "get_num_threads", "getitem", "global_avg_pool2d",
    "global_max_pool2d", "grad", "group_norm", "hard_sigmoid", "hook", "hvp", "init", "interchange",
    "jacobian", "jvp", "layer_norm", "leaky_relu", "log", "log1p", "log_sigmoid", "log_softmax",
    "logsumexp", "losses", "matmul", "max", "max_pool2d", "maximum", "mean", "min", "minimum",
    "multiply", "native", "negative", "nn", "no_grad", "norm", "normal_cdf", "optim", "override",
    "pad", "power", "primitive", "prod", "random", "registry", "relu", "remainder", "reshape",
    "resize_bicubic", "resize_bilinear", "scatter", "set_num_threads", "show_config", "sigmoid",
    "sign", "silu", "sin", "softmax", "softplus", "sort", "split", "sqrt", "squeeze", "stack",
    "std", "subtract", "sum", "sum_to", "tanh", "tensor", "testing", "transpose", "unsqueeze",
    "upsample2d", "value_and_grad", "var", "vjp", "where",
]  # fmt: skip
