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


@pytest.mark.parametrize("shape", [(), (0, 4), (3,), (32, 64), (130, 128)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gate_passes_bits_or_nothing(shape, dtype):
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -1.5, 1e-45]
    rng, gate = np.random.default_rng(0), mg.registry["gate"]
    x, y = rng.choice(odd, shape).astype(dtype), rng.choice(odd, shape).astype(dtype)
    for a, b in ((x, y), (x.T, y.T), (x[..., ::2], y[..., ::2]) if shape else (x, y)):
        found = gate(a, b)
        assert found.dtype == dtype
        assert found.tobytes() == np.where(b <= 0, np.zeros((), dtype), a).tobytes()


def test_a_bias_gradient_of_few_rows_has_the_bits_of_numpys_sum():
    x = np.random.default_rng(0).standard_normal((37, 5), np.float32)
    for a in (x, x[::2], np.asfortranarray(x)):
        for shape in ((5,), (1, 5), (1, 1)):
            found = mg.registry["sum_to"](a, shape)
            assert found.tobytes() == mg.registry["sum_to"].forward(a, shape).tobytes()
            assert found.shape == shape
