"""The classes that `function_layers.py` makes, for type checkers.

tests/typing/test_stubs.py compares them with the functions whose settings they take.
"""

from collections.abc import Callable
from typing import Any

from .backend import Array
from .conv import Padding, Pair
from .module import Module
from .tensor import T

class FunctionLayer(Module):
    function: Callable[..., Any]
    settings: tuple[Any, ...]
    named: dict[str, Any]
    def __init__(self, *settings: Any, **named: Any) -> None: ...
    def __call__(self, x: T | Array) -> T: ...

class ELU(FunctionLayer):
    def __init__(self, alpha: float = 1.0) -> None: ...

class GELU(FunctionLayer):
    def __init__(self, approximate: str = "none") -> None: ...

class HardSigmoid(FunctionLayer):
    def __init__(self, slope: float = ..., offset: float = 0.5) -> None: ...

class LeakyReLU(FunctionLayer):
    def __init__(self, slope: float = 0.01) -> None: ...

class LogSigmoid(FunctionLayer):
    def __init__(self) -> None: ...

class ReLU(FunctionLayer):
    def __init__(self) -> None: ...

class SiLU(FunctionLayer):
    def __init__(self) -> None: ...

class Sigmoid(FunctionLayer):
    def __init__(self) -> None: ...

class Softplus(FunctionLayer):
    def __init__(self) -> None: ...

class Tanh(FunctionLayer):
    def __init__(self) -> None: ...

class AvgPool2D(FunctionLayer):
    def __init__(
        self,
        size: int | Pair = 2,
        *,
        stride: int | Pair | None = None,
        padding: Padding = "valid",
        count_padding: bool = False,
    ) -> None: ...

class GlobalAvgPool2D(FunctionLayer):
    def __init__(self) -> None: ...

class GlobalMaxPool2D(FunctionLayer):
    def __init__(self) -> None: ...

class MaxPool2D(FunctionLayer):
    def __init__(
        self,
        size: int | Pair = 2,
        *,
        stride: int | Pair | None = None,
        padding: Padding = "valid",
        dilation: int | Pair = 1,
    ) -> None: ...

class UpSampling2D(FunctionLayer):
    def __init__(self, factor: int | Pair = 2, interpolation: str = "nearest") -> None: ...
