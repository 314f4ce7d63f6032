"""What a kernel may be given: small contiguous float32 arrays, their addresses, activations."""

import numpy as np

from ..backend import array_module, is_array

FLOAT32 = np.dtype(np.float32)  # compared with this a dtype costs a tenth of a comparison by name
LIMIT = 2**31  # elements: kernels count them with an int
ACTIVATIONS = {None: 0, "relu": 1, "sigmoid": 2, "tanh": 3}  # as the kernels number them


def fits(x):
    """True for a contiguous float32 array of 1 to 2**31 - 1 elements: what kernels work on."""
    return is_array(x) and x.dtype == FLOAT32 and 0 < x.size < LIMIT and x.flags.c_contiguous


def address(x):
    """Where the first element of the array `x` lies in the memory of its device."""
    return x.ctypes.data if array_module(x) is np else x.data.ptr


def aligned(*arrays):
    """True if every array begins at a multiple of 16 bytes, as loads of a float4 need it."""
    return not any(address(x) % 16 for x in arrays)
