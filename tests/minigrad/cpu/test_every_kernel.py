"""Proves of every CPU kernel, of future ones too, that it gives what its reference gives."""

import numpy as np
import pytest
import specs

import minigrad as mg

KERNELS = sorted(name for name, p in mg.registry.items() if p.cpu is not p.forward)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_gives_what_its_reference_gives(name, monkeypatch):
    primitive, compared = mg.registry[name], []
    kernel = primitive.cpu

    def both(*args, **kwargs):
        expected = np.copy(primitive.forward(*args, **kwargs))
        found = kernel(*args, **kwargs)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        exact = 1e-12 if expected.dtype == np.float64 else 1e-5
        size = exact * np.abs(expected).max(initial=0)
        np.testing.assert_allclose(found, expected, rtol=exact, atol=size)
        compared.append(name)
        return found

    monkeypatch.setattr(primitive, "cpu", both)
    for case in specs.cases(name):
        case.function(*case.inputs)
    assert compared
