"""Proves that everything public can be looked up: a docstring of its own, a signature, a name."""

import inspect
import pydoc
import re

import numpy as np
import pytest

import minigrad as mg

PUBLIC = {name: getattr(mg, name) for name in mg.__all__ if callable(getattr(mg, name))}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_function_says_what_it_does(name):
    thing = PUBLIC[name]
    words = pydoc.plain(pydoc.render_doc(thing))
    assert inspect.getdoc(thing) and inspect.getdoc(thing) != inspect.getdoc(type(thing))
    assert inspect.getdoc(thing).split("\n")[0] in words
    assert "class Primitive" not in words and "object at 0x" not in words
    if not inspect.isclass(thing):
        assert inspect.signature(thing)


def test_a_primitive_shows_its_arguments():
    assert repr(mg.exp) == "<primitive exp(x)>"
    assert repr(mg.sum) == "<primitive sum(x, axis=None, keepdims=False)>"


class Foreign:
    """As another library's array: a shape and a dtype, and nothing that NumPy knows."""

    __module__ = "torch.somewhere"
    shape, ndim, dtype = (2,), 1, "float32"

    def __getitem__(self, index):
        return self


@pytest.mark.parametrize("call", [mg.exp, lambda x: mg.add(np.ones(2), x), lambda x: mg.matmul(
    mg.tensor([1.0, 2.0]), x)])  # fmt: skip
def test_a_foreign_type_is_named_with_its_package(call):
    with pytest.raises(TypeError, match=re.escape("is a torch.Foreign, expected a Tensor or")):
        call(Foreign())
    with pytest.raises((TypeError, ValueError), match="a dict"):
        call({})
