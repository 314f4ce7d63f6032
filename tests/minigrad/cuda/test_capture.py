"""A captured step is the step itself: the same bits, and an error where it could not be."""

import sys

import device
import numpy as np
import pytest

import minigrad as mg
from minigrad import cuda, optim, tensor
from minigrad.cuda.adam import Counts
from minigrad.cuda.capture import each_replay, recording
from minigrad.random import Philox


@pytest.fixture(autouse=True)
def cupy():
    with device.installed() as cupy:
        yield cupy


def problem(optimiser=optim.Adam, dtype=np.float32, **options):
    """A step function of an optimiser on two parameters, with what it works on."""
    rng = np.random.default_rng(3)
    shapes = (4, 3), (3,)
    parameters = [tensor(rng.standard_normal(s), True, dtype=dtype, device="cuda") for s in shapes]
    x = tensor(rng.standard_normal((5, 4)), dtype=dtype, device="cuda")
    optimiser = optimiser(parameters, **{"lr": 0.1, **options})

    def step():
        y = (x.sum() * parameters[0]).sum()
        loss = y * y + (parameters[1] * parameters[1]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    return step, parameters, optimiser


def values(parameters):
    return [p.numpy() for p in parameters]


def follow(captured, steps, make=problem, between=lambda k, *problem: None, **options):
    """Losses of all steps and the parameters after the last."""
    step, parameters, optimiser = make(**options)
    call, losses = (cuda.Captured(step) if captured else step), []
    for k in range(steps):
        between(k, parameters, optimiser)
        losses.append(call().item())
    return losses, values(parameters), optimiser.state_dict()


def assert_equal(a, b):
    np.testing.assert_array_equal(a[0], b[0])
    for p, q in zip(a[1], b[1], strict=True):
        np.testing.assert_array_equal(p, q)
    for name in a[2]:
        np.testing.assert_array_equal(a[2][name], b[2][name])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr": optim.StepDecay(0.1, every=2)},
        {"optimiser": optim.AdamW},
        {"optimiser": optim.Adam, "epsilon_hat": True, "weight_decay": 0.1},
        {"optimiser": optim.SGD, "momentum": 0.9},
        {"optimiser": optim.SGD, "lr": optim.ExponentialDecay(0.01, 0.9)},
        {"optimiser": optim.RMSprop, "lr": 0.01},
    ],
)
def test_replayed_steps_are_the_steps(options):
    plain, captured = (follow(c, 7, **options) for c in (False, True))
    assert plain[0][0] != plain[0][-1]
    assert_equal(plain, captured)


def test_a_replay_is_one_launch_and_nothing_else():
    step, _, optimiser = problem()
    captured = cuda.Captured(step)
    for _ in range(3):
        captured()
    with device.region() as used:
        captured()
    assert used["graph_launches"] == 1 and not used["launches"] and not used["allocations"]
    assert optimiser.t == 4


def test_a_changed_learning_rate_counts():
    def between(k, parameters, optimiser):
        if k == 4:
            optimiser.lr = 0.01

    for optimiser in (optim.Adam, optim.SGD):
        make = dict(optimiser=optimiser, lr=0.02, between=between)
        assert_equal(follow(False, 7, **make), follow(True, 7, **make))
        assert follow(True, 7, optimiser=optimiser, lr=0.02)[0] != follow(True, 7, **make)[0]


def test_a_loaded_state_counts():
    """New arrays are in other places, and another step count is on the host only."""
    saved = {}

    def between(k, parameters, optimiser):
        if k == 2:
            saved.update(state=optimiser.state_dict(), weights=values(parameters))
        if k == 5:
            optimiser.load_state_dict(saved["state"])
            for p, w in zip(parameters, saved["weights"], strict=True):
                p.data = sys.modules["cupy"].asarray(w)

    plain, captured = (follow(c, 8, between=between) for c in (False, True))
    assert plain[0][5] == plain[0][2] and plain[0][7] == plain[0][4]
    assert_equal(plain, captured)


def test_drawn_numbers_are_new_with_every_replay():
    rng = Philox(5, "cuda")
    captured = cuda.Captured(
        lambda: mg.dropout(tensor(np.ones(50), dtype="f", device="cuda"), 0.5, rng)
    )
    with pytest.raises(RuntimeError, match="copy from main memory"):
        for _ in range(3):
            captured()
    x, rng = tensor(np.ones(50), dtype="f", device="cuda"), Philox(5, "cuda")
    captured = cuda.Captured(lambda: mg.dropout(x, 0.5, rng))
    drawn = [captured().numpy().tolist() for _ in range(5)]
    rng = Philox(5, "cuda")
    assert drawn == [mg.dropout(x, 0.5, rng).numpy().tolist() for _ in range(5)]
    assert len(set(map(tuple, drawn))) == 5


@pytest.mark.parametrize(
    "waits",
    [
        lambda loss: loss.item(),
        lambda loss: print(loss),
        lambda loss: bool(loss > 1),
        lambda loss: loss * tensor([2.0], dtype="f", device="cuda"),
    ],
)
def test_what_cannot_be_recorded_is_an_error(waits):
    step, _, _ = problem()
    captured = cuda.Captured(lambda: waits(step()))
    with pytest.raises(RuntimeError, match=r"recording the step failed .* cannot wait for a"):
        for _ in range(3):
            captured()
    assert not recording()


def test_an_interrupt_is_passed_on():
    calls = []

    def interrupted():
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    captured = cuda.Captured(interrupted)
    captured(), captured()
    with pytest.raises(KeyboardInterrupt):
        captured()
    assert not recording()
    captured()  # the interrupt left nothing half open


def test_adam_in_float64_cannot_be_captured():
    step, _, _ = problem(dtype=np.float64)
    captured = cuda.Captured(step)
    with pytest.raises(RuntimeError, match="float32 and on the GPU"):
        for _ in range(3):
            captured()


def test_a_captured_step_within_a_captured_step():
    inner = cuda.Captured(problem()[0])
    outer = cuda.Captured(inner)
    outer(), outer()
    with pytest.raises(RuntimeError, match="a captured step cannot be part of another one"):
        outer()


def test_an_arena_dies_with_its_step(cupy):
    """What it returned stays good: eager arrays made later do not get its memory."""
    captured = cuda.Captured(problem()[0])
    for _ in range(4):
        loss = captured()
    value = loss.item()
    others = [cupy.full(1 + k, 7.0, np.float32) for k in range(40)]
    captured()
    assert loss.item() != value and all(float(x[0]) == 7.0 for x in others)


def test_gradients_may_be_cleared_between_the_steps():
    def between(k, parameters, optimiser):
        optimiser.zero_grad()

    assert_equal(follow(False, 6, between=between), follow(True, 6, between=between))


@pytest.mark.parametrize("optimiser", [optim.AdamW, optim.SGD])
def test_changed_settings_count(optimiser):
    def between(k, parameters, optimiser):
        if k == 4:
            optimiser.weight_decay = 0.5

    make = dict(optimiser=optimiser, lr=0.02, between=between)
    assert_equal(follow(False, 7, **make), follow(True, 7, **make))


def test_the_next_batch_is_written_in_place(cupy):
    x = tensor(np.zeros(3), dtype="f", device="cuda")
    captured = cuda.Captured(lambda: (x * x).sum())
    for k in range(5):
        x.data[...] = cupy.asarray(np.full(3, k, np.float32))
        assert captured().item() == 3 * k * k


def test_a_step_that_fails_leaves_nothing_running():
    w = tensor(np.ones(3), dtype="f", device="cuda")
    calls = []

    def step():
        w.data[...] = w.data + 1.0
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("x")

    captured = cuda.Captured(step, warm_up=1)
    with pytest.raises(KeyError):
        captured()
    assert w.numpy().tolist() == [2, 2, 2]  # waits for the other stream: else the double objects
    captured(), captured()  # the failed warm-up did not count
    assert w.numpy().tolist() == [4, 4, 4]


def test_an_adam_that_has_not_made_a_step():
    optimisers = [problem()[0] for _ in range(2)]
    steps = iter([optimisers[0], optimisers[1]])
    captured = cuda.Captured(lambda: next(steps)(), warm_up=1)
    captured()
    with pytest.raises(RuntimeError, match="Adam must have made a step before one is captured"):
        captured()


def test_a_schedule_is_asked_once_for_each_step():
    asked = []
    step, _, _ = problem(lr=lambda t: asked.append(t) or 0.1)
    step(), step()
    assert asked == [0, 1]


def test_the_gpu_is_probed_once(monkeypatch):
    from minigrad import backend

    probed = []
    status = backend.gpu_status
    monkeypatch.setattr(backend, "gpu_status", lambda: probed.append(1) or status())
    monkeypatch.setattr(backend, "_proven", {})
    for _ in range(3):
        tensor([1.0], device="cuda")
    assert len(probed) == 1


def test_without_a_warm_up_or_a_gpu(cupy, monkeypatch):
    for bad in (0, 1.5, "2"):
        with pytest.raises(ValueError, match="warm_up must be an integer of at least 1, got"):
            cuda.Captured(lambda: None, warm_up=bad)
    with pytest.raises(TypeError, match="expected a function without arguments, got int"):
        cuda.Captured(3)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match="a CUDA graph needs a GPU: CuPy is not installed"):
        cuda.Captured(lambda: None)


def test_the_counts_follow_the_host():
    like = tensor(np.ones(2), device="cuda").data
    counts = Counts(like, (0.9, 0.99))
    counts.before_step(1, 0.5)
    assert counts.array.get().tolist() == [0, 1, 1, 0.5]
    counts.before_step(2, 0.25)  # the kernel has advanced the rest, this test has none
    assert counts.array.get().tolist() == [0, 1, 1, 0.25]
    counts.before_step(4, 0.25)
    assert counts.array.get().tolist() == [3, 0.9 * 0.9 * 0.9, 0.99 * 0.99 * 0.99, 0.25]


def test_callbacks_belong_to_the_record():
    with pytest.raises(AttributeError):
        each_replay(None, None)  # nothing is being recorded
