"""These tests need a GPU and are skipped elsewhere; with MINIGRAD_TEST_GPU=double they run on the
strict double of CuPy instead, slowly, to find out before whether they are right themselves."""

import os

import pytest

from minigrad import cuda


@pytest.fixture(autouse=True, scope="session")
def gpu():
    """The module CuPy, or its double."""
    if os.environ.get("MINIGRAD_TEST_GPU") == "double":
        import device

        with device.installed() as cupy:
            yield cupy
        return
    usable, found = cuda.status()
    if not usable:
        pytest.skip(f"needs a GPU: {found}")
    import cupy

    yield cupy


@pytest.fixture(autouse=True)
def _precision():
    yield
    cuda.precision = "auto"


@pytest.fixture(scope="session")
def torch_device():
    torch = pytest.importorskip("torch")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return "cuda" if torch.cuda.is_available() else "cpu"
