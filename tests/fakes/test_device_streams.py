"""The double finds races between streams, which on the CPU would otherwise show nowhere."""

import device
import numpy as np
import pytest
from device import RaceError

from minigrad import cuda


@pytest.fixture
def cupy():
    with device.installed() as module:
        yield module


@pytest.fixture
def other(cupy):
    """A stream that does not wait for the default stream."""
    return cupy.cuda.Stream(non_blocking=True)


def on(stream, function):
    with stream:
        return function()


def test_a_missing_wait(cupy, other):
    x = cupy.ones(3)
    with pytest.raises(RaceError, match=r"add uses an array .*wait_event"):
        on(other, lambda: x + 1)
    with pytest.raises(RaceError, match="get"):
        on(other, x.get)
    y = on(other, lambda: cupy.zeros(3))
    with pytest.raises(RaceError):
        y += 1
    with pytest.raises(RaceError):  # CuPy copies on the current stream, and waits for that alone
        y.get()


WAITS = {
    "event": lambda cupy, stream: stream.wait_event(cupy.cuda.get_current_stream().record()),
    "made before": lambda cupy, stream: stream.wait_event(recorded(cupy)),
    "stream": lambda cupy, stream: cupy.cuda.get_current_stream().synchronize(),
    "event, by the host": lambda cupy, stream: recorded(cupy).synchronize(),
    "device": lambda cupy, stream: cupy.cuda.Device().synchronize(),
    "a number was read": lambda cupy, stream: float(cupy.zeros(1)[0]),
}


def recorded(cupy):
    event = cupy.cuda.Event()
    event.record()
    return event


@pytest.mark.parametrize("how", WAITS)
def test_with_a_wait_there_is_no_race(cupy, other, how):
    x = cupy.ones(3)
    WAITS[how](cupy, other)
    y = on(other, lambda: x + 1)
    other.synchronize()
    np.testing.assert_array_equal(y.get(), [2, 2, 2])
    x += 1
    with pytest.raises(RaceError):  # that was later than the wait
        on(other, lambda: x + 1)


def test_waiting_is_passed_on(cupy, other):
    """The third stream waits for the second, which waited for the first."""
    x, third = cupy.ones(3), cupy.cuda.Stream(non_blocking=True)
    other.wait_event(recorded(cupy))
    third.wait_event(other.record())
    on(third, lambda: x.fill(2))


def test_the_default_stream_and_a_blocking_one_wait_for_each_other(cupy):
    x, blocking = cupy.ones(3), cupy.cuda.Stream()
    on(blocking, lambda: x.fill(2))
    x += 1
    second = cupy.cuda.Stream()
    on(second, lambda: x.fill(2))
    with pytest.raises(RaceError):  # two blocking streams do not
        on(blocking, lambda: x.fill(3))


def test_memory_that_is_handed_out_again_too_early(cupy, other):
    x = cupy.ones(3)
    other.wait_event(recorded(cupy))
    with other:
        x.fill(2)
    address = x.data.ptr
    del x  # the pool hands it out at once, and the other stream may be writing still
    with pytest.raises(RaceError):
        cupy.zeros(3)
    cupy.cuda.Device().synchronize()
    assert cupy.zeros(3).data.ptr == address


def test_free_blocks_belong_to_their_stream(cupy, other):
    """CuPy keeps them apart, so there is no race in memory that the default stream has freed."""
    cupy.zeros(3)
    on(other, lambda: cupy.zeros(3))


def test_a_graph_uses_its_memory(cupy, other):
    x = cupy.ones(3)
    with other:
        other.begin_capture()
        x += 1
        graph = other.end_capture()
    with pytest.raises(RaceError, match="graph"):
        graph.launch(other)
    graph.launch()
    np.testing.assert_array_equal(x.get(), [2, 2, 2])


def test_a_captured_step_without_its_waits_would_be_found(cupy, monkeypatch):
    x = cupy.ones(3)
    step = cuda.Captured(lambda: x.fill(2))
    step()
    monkeypatch.setattr(cupy.cuda.Stream, "wait_event", lambda self, event: None)
    with pytest.raises(RaceError):
        x += 1
        step()


# ---------------------------------------------------------------------- two devices
def test_each_device_has_its_own_memory_and_streams(cupy):
    cuda = cupy.cuda
    assert cuda.runtime.getDeviceCount() == 2
    a = cupy.zeros(3)
    address, stream = a.data.ptr, cuda.get_current_stream()
    del a  # its block is free, for arrays of this device
    with cuda.Device(1) as second:
        b = cupy.zeros(3)
        assert b.data.ptr != address and b.device == second != cuda.Device(0)
        assert cuda.get_current_stream() is not stream
    assert cuda.get_current_stream() is stream and cuda.runtime.getDevice() == 0
    with pytest.raises(device.DeviceError, match="of device 1 is used while device 0 is the cur"):
        b + 1
    with cuda.Device(1), stream, pytest.raises(device.DeviceError, match="of device 0 is used"):
        b + 1
    with pytest.raises(cuda.runtime.CUDARuntimeError, match="invalid device"):
        cuda.Device(2)
