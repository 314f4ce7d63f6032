"""Functions that listen to the calls of a Module, and the handles that remove them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from .module import Module


class Hook:
    """A function called before or after each ``forward`` of `module`, until ``remove()``.

    As a context manager it is removed at the end of the block.
    """

    def __init__(self, module: Module, function: Callable[..., Any], before: bool) -> None:
        self.module, self.function, self.before = module, function, before
        module._hooks = (*module._hooks, self)

    def remove(self) -> None:
        """Stop calling the function; a second time does nothing."""
        self.module._hooks = tuple(hook for hook in self.module._hooks if hook is not self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def call(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``module.forward(*args, **kwargs)`` with the hooks of `module` around it."""
    hooks = module._hooks
    for hook in hooks:
        if hook.before and (changed := hook.function(module, args)) is not None:
            args = changed if isinstance(changed, tuple) else (changed,)
    output = module.forward(*args, **kwargs)
    for hook in hooks:
        if not hook.before and (changed := hook.function(module, args, output)) is not None:
            output = changed
    return output
