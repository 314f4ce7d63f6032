"""What all tests share: PyTorch, where a test uses it, works with one thread, as beside others; and
where g++ is missing, the tests that need the simulator of CUDA kernels are skipped."""

import sys

import pytest
from simulator import NoCompiler


@pytest.fixture(autouse=True, scope="module")
def _one_torch_thread():
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _skipping_without_compiler():
    try:
        return (yield)
    except NoCompiler as error:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    return (yield from _skipping_without_compiler())


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    return (yield from _skipping_without_compiler())
