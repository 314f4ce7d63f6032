"""Where g++ is missing, the tests that need the simulator of CUDA kernels are skipped."""

import pytest
from simulator import NoCompiler


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
