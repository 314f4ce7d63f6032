"""Convolutions and fused layers, compiled: where `minigrad.cpu.convolution` chooses Winograd, or
where one side has one channel, and the bias and the relu of all others. What these kernels do not
take goes to NumPy's.
"""

from ..cpu import direct as numpy_direct
from ..cpu import winograd as numpy_winograd
from ..cpu.convolution import channels, choose
from ..cpu.elementwise import share
from ..engine import override, registry
from ..fused import finish
from . import one_channel, winograd
from .library import FLOAT, address, library, usable

_LARGE = 1 << 14  # elements: for fewer a call from Python costs more than it saves


def _compiled(name, a, b, geometry):
    """The compiled kernel for the member `name` of the triple; None where there is none."""
    if not usable() or a.dtype != FLOAT or b.dtype != FLOAT:
        return None
    c, f, fits = channels(name, a, b, geometry)
    chosen = choose(geometry, len(a), c, f) if fits else None
    if chosen is numpy_winograd:
        return getattr(winograd, name)
    if chosen is numpy_direct and one_channel.takes(geometry, c, f):
        return getattr(one_channel, name, None)  # the weight gradient: BLAS is as fast
    return None


def _register(name):
    numpy_kernel = registry[name].cpu

    def forward(a, b, geometry):
        return (_compiled(name, a, b, geometry) or numpy_kernel)(a, b, geometry)

    override(name, "cpu")(forward)


def _register_layer(layer, linear):
    numpy_kernel = registry[layer].cpu

    def forward(x, w, b, *settings):
        *geometry, activation = settings
        relu = activation == "relu"
        if activation not in (None, "relu") or not usable(b):
            return numpy_kernel(x, w, b, *settings)
        kernel = geometry and b.ndim == 1 and _compiled(linear, x, w, *geometry)
        if kernel and len(b) == w.shape[3 if linear == "conv_y" else 2]:
            return kernel(x, w, *geometry, b, relu)
        y = registry[linear].cpu(x, w, *geometry)
        if y.size < _LARGE or b.shape != y.shape[-1:] or not usable(y):
            return finish(y, b, activation)  # or the error that it raises
        rows = y.reshape(-1, len(b))

        def work(block):
            part = rows[block]
            library.add_bias(address(part), address(b), relu, *part.shape)

        share(work, rows)
        return y

    override(layer, "cpu")(forward)


for _name in ("conv_y", "conv_x", "conv_w"):
    _register(_name)
_register_layer("conv_layer", "conv_y")
_register_layer("conv_transpose_layer", "conv_x")
_register_layer("dense_layer", "matmul")
