"""Layers without weights: functions of this package as Modules, with the functions' settings."""

import inspect

from . import activations, ops, pool
from .module import Module


class FunctionLayer(Module):
    """A function of one array as a layer; the subclasses below say which.

    >>> import numpy as np
    >>> MaxPool2D(3, stride=2)(np.zeros((1, 7, 7, 5))).shape
    (1, 3, 3, 5)
    """

    function = None

    def __init__(self, *settings, **named):
        inspect.signature(self.function).bind(None, *settings, **named)  # refuses unknown ones
        self.settings, self.named = settings, named

    def forward(self, x):
        return self.function(x, *self.settings, **self.named)

    def extra_repr(self):
        return ", ".join([*map(str, self.settings), *(f"{k} {v}" for k, v in self.named.items())])


def _layer(name, function):
    doc = f"""`minigrad.{function.__name__}` as a layer, with the same settings.

    Parameters
    ----------
    *settings, **named : what the function takes after its array
    """
    members = {"function": staticmethod(function), "__doc__": doc, "__module__": __name__}
    return type(name, (FunctionLayer,), members)


ELU = _layer("ELU", activations.elu)
GELU = _layer("GELU", activations.gelu)
HardSigmoid = _layer("HardSigmoid", activations.hard_sigmoid)
LeakyReLU = _layer("LeakyReLU", activations.leaky_relu)
LogSigmoid = _layer("LogSigmoid", activations.log_sigmoid)
ReLU = _layer("ReLU", ops.relu)
SiLU = _layer("SiLU", activations.silu)
Sigmoid = _layer("Sigmoid", ops.sigmoid)
Softplus = _layer("Softplus", ops.softplus)
Tanh = _layer("Tanh", ops.tanh)
AvgPool2D = _layer("AvgPool2D", pool.avg_pool2d)
GlobalAvgPool2D = _layer("GlobalAvgPool2D", pool.global_avg_pool2d)
GlobalMaxPool2D = _layer("GlobalMaxPool2D", pool.global_max_pool2d)
MaxPool2D = _layer("MaxPool2D", pool.max_pool2d)
UpSampling2D = _layer("UpSampling2D", pool.upsample2d)
