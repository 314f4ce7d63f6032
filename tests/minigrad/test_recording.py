"""Whether operations are recorded holds for the code within the block, and for nobody else's."""

import asyncio
import threading

import numpy as np
import pytest

import minigrad as mg


def recording():
    return (mg.tensor([1.0], requires_grad=True) * 2).requires_grad


# ---------------------------------------------------------------------- generators
def test_a_decorated_generator_records_nothing_and_its_caller_does():
    seen = []

    @mg.no_grad()
    def steps(count):
        for _ in range(count):
            seen.append(recording())
            yield recording()
        return "the end"

    def around():
        return (yield from steps(3))

    for inside in steps(3):
        assert not inside and recording()
    generator = around()
    assert list(generator) == [False] * 3
    assert not any(seen) and recording()


def test_a_decorated_generator_is_a_generator():
    closed = []

    @mg.no_grad()
    def adds():
        total = 0
        try:
            while True:
                try:
                    total += yield total
                except KeyError:
                    total = -1
        finally:
            closed.append(recording())

    generator = adds()
    assert next(generator) == 0 and generator.send(2) == 2 and generator.send(3) == 5
    assert generator.throw(KeyError()) == -1
    with pytest.raises(ZeroDivisionError):
        generator.throw(ZeroDivisionError())
    generator = adds()
    next(generator)
    generator.close()
    assert closed == [False, False] and recording()

    @mg.no_grad()
    def returns():
        yield 1
        return 2

    def outer():
        return [(yield from returns()), recording()]

    steps = outer()
    next(steps)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == [2, True]


def test_two_generators_in_turns():
    @mg.no_grad()
    def off():
        while True:
            yield recording()

    a, b = off(), off()
    for _ in range(3):
        assert not next(a) and recording() and not next(b) and recording()
    with mg.no_grad():
        assert not next(a) and not recording()


# ---------------------------------------------------------------------- asyncio
async def tick():
    await asyncio.sleep(0)
    return recording()


def test_no_grad_does_not_leak_across_await():
    """In the issue a task under no_grad, while it waited, switched off recording for all others."""

    async def evaluates():
        with mg.no_grad():
            assert not await tick()
            await asyncio.sleep(0)
            return recording()

    @mg.no_grad()
    async def decorated():
        assert not await tick()
        return recording()

    async def trains():
        return [(await tick(), recording()) for _ in range(6)]

    async def main():
        return await asyncio.gather(evaluates(), trains(), decorated(), trains())

    off, on, also_off, also_on = asyncio.run(main())
    assert (off, also_off) == (False, False)
    assert on == also_on == [(True, True)] * 6
    assert recording()


def test_a_decorated_coroutine_driven_by_hand_leaves_its_driver_alone():
    class Pause:
        def __await__(self):
            yield "paused"

    @mg.no_grad()
    async def works():
        await Pause()
        return recording()

    coroutine = works()
    assert coroutine.send(None) == "paused" and recording()
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value is False and recording()


def test_exceptions_go_through_a_decorated_coroutine():
    @mg.no_grad()
    async def cancelled():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return recording()

    async def main():
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        return await task, recording()

    assert asyncio.run(main()) == (False, True)


def test_a_hook_does_not_leak_across_await():
    heard = []

    def around(primitive, where, phase, function, args):
        heard.append(primitive.name)
        return function(*args)

    async def listens():
        with mg.hook(around):
            await asyncio.sleep(0)
            mg.exp(np.ones(1))

    async def others():
        mg.log(np.ones(1))
        await asyncio.sleep(0)
        mg.log(np.ones(1))

    async def main():
        await asyncio.gather(listens(), others())

    asyncio.run(main())
    assert heard == ["exp"]


# ---------------------------------------------------------------------- what cannot be decorated
@pytest.mark.parametrize("what", [3, type("Model", (), {})])
def test_what_is_no_function_is_refused(what):
    with pytest.raises(TypeError, match=r"no_grad: expected a function, .*with no_grad\(\):"):
        mg.no_grad()(what)


def test_an_async_generator_function_is_refused():
    async def streams():
        yield 1

    with pytest.raises(TypeError, match="no_grad: expected a function, a generator function"):
        mg.no_grad()(streams)


def test_one_instance_in_two_threads():
    """What it was before is kept by each thread, not by the object that both use."""
    off, inside, leave = mg.no_grad(), threading.Event(), threading.Event()
    seen = []

    def other():
        with off:
            inside.set()
            assert leave.wait(5)
        seen.append(recording())

    thread = threading.Thread(target=other)
    with mg.no_grad():
        with off:
            thread.start()
            assert inside.wait(5)
        assert not recording()
        leave.set()
        thread.join()
        assert not recording()
    assert seen == [True]


def test_a_decorated_function_keeps_its_name_and_calls_methods():
    class Model:
        @mg.no_grad()
        def predict(self, x):
            """What it says."""
            return recording(), x

    assert Model.predict.__name__ == "predict" and Model.predict.__doc__ == "What it says."
    assert Model().predict(3) == (False, 3)
