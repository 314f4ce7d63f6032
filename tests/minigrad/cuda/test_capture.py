"""A captured step is the step itself: the same bits, and an error where it could not be."""

import sys
import weakref

import device
import numpy as np
import pytest

import minigrad as mg
from minigrad import cuda, optim, tensor
from minigrad.cuda import adam, launch
from minigrad.cuda.adam import Counts
from minigrad.cuda.capture import each_replay, recording
from minigrad.optimizer import Part
from minigrad.random import Philox


@pytest.fixture(autouse=True)
def cupy():
    with device.installed() as cupy:
        yield cupy


def problem(optimizer=optim.Adam, dtype=np.float32, device="cuda", **options):
    """A step function of an optimizer on two parameters, with what it works on."""
    rng = np.random.default_rng(3)
    shapes = (4, 3), (3,)
    parameters = [tensor(rng.standard_normal(s), True, dtype=dtype, device=device) for s in shapes]
    x = tensor(rng.standard_normal((5, 4)), dtype=dtype, device=device)
    optimizer = optimizer(parameters, **{"lr": 0.1, **options})

    def step():
        y = (x.sum() * parameters[0]).sum()
        loss = y * y + (parameters[1] * parameters[1]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, parameters, optimizer


def values(parameters):
    return [p.numpy() for p in parameters]


def follow(captured, steps, make=problem, between=lambda k, *problem: None, **options):
    """Losses of all steps and the parameters after the last."""
    step, parameters, optimizer = make(**options)
    call, losses = (cuda.Captured(step) if captured else step), []
    for k in range(steps):
        between(k, parameters, optimizer)
        losses.append(call().item())
    return losses, values(parameters), optimizer.state_dict()


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
        {"optimizer": optim.AdamW},
        {"optimizer": optim.Adam, "epsilon_hat": True, "weight_decay": 0.1},
        {"optimizer": optim.SGD, "momentum": 0.9},
        {"optimizer": optim.SGD, "lr": optim.ExponentialDecay(0.01, 0.9)},
        {"optimizer": optim.RMSprop, "lr": 0.01},
    ],
)
def test_replayed_steps_are_the_steps(options):
    plain, captured = (follow(c, 7, **options) for c in (False, True))
    assert plain[0][0] != plain[0][-1]
    assert_equal(plain, captured)


def test_a_replay_is_one_launch_and_nothing_else():
    step, _, optimizer = problem()
    captured = cuda.Captured(step)
    for _ in range(3):
        captured()
    with device.region() as used:
        captured()
    assert used["graph_launches"] == 1 and not used["launches"] and not used["allocations"]
    assert optimizer.t == 4


def test_a_changed_learning_rate_counts():
    def between(k, parameters, optimizer):
        if k == 4:
            optimizer.lr = 0.01

    for optimizer in (optim.Adam, optim.SGD):
        make = dict(optimizer=optimizer, lr=0.02, between=between)
        assert_equal(follow(False, 7, **make), follow(True, 7, **make))
        assert follow(True, 7, optimizer=optimizer, lr=0.02)[0] != follow(True, 7, **make)[0]


def test_a_loaded_state_counts():
    """New arrays are in other places, and another step count is on the host only."""
    saved = {}

    def between(k, parameters, optimizer):
        if k == 2:
            saved.update(state=optimizer.state_dict(), weights=values(parameters))
        if k == 5:
            optimizer.load_state_dict(saved["state"])
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
    def between(k, parameters, optimizer):
        optimizer.zero_grad()

    assert_equal(follow(False, 6, between=between), follow(True, 6, between=between))


def test_changed_betas_count():
    """The powers on the device are of the old betas; the record has to be made anew, too."""

    def between(k, parameters, optimizer):
        if k == 4:
            optimizer.betas = [0.5, 0.9]
        if k == 6:
            optimizer.betas[0] = 0.1

    by_gpu = [follow(captured, 9, between=between) for captured in (False, True)]
    assert_equal(*by_gpu)
    for p, q in zip(by_gpu[0][1], on_cpu(9, between=between), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-5)
    assert by_gpu[0][0] != follow(True, 9)[0]


def on_cpu(steps, **options):
    """The parameters after the steps of `follow`, made on the CPU."""
    between = options.pop("between", lambda k, *problem: None)
    step, parameters, optimizer = problem(device="cpu", **options)
    for k in range(steps):
        between(k, parameters, optimizer)
        step()
    return values(parameters)


def late_problem(device="cuda", **options):
    """As `problem`, but the second parameter has a gradient only from the fourth step on."""
    _, parameters, optimizer = problem(device=device, **options)
    w, b = parameters
    made = []

    def late_step():
        made.append(1)
        loss = (w * w).sum() + ((b * b).sum() if len(made) > 3 else 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return late_step, parameters, optimizer


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_a_late_gradient_is_corrected_as_a_first_one(kind, dtype):
    """By the kernel (float32) and by CuPy's operations (float64)."""
    made = []
    for device_ in ("cuda", "cpu"):
        step, parameters, optimizer = late_problem(device_, optimizer=kind, dtype=dtype, lr=0.01)
        for _ in range(3):
            step()
        before = parameters[1].numpy().copy()
        step()
        moved = np.abs(parameters[1].numpy() - before * (1 - 0.0001 * (kind is optim.AdamW)))
        np.testing.assert_allclose(moved, 0.01, rtol=1e-4)  # the learning rate, as a first step
        for _ in range(3):
            step()
        assert [optimizer.state[p]["t"] for p in parameters] == [7, 4]
        made.append(values(parameters))
    for p, q in zip(*made, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-6)


@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD, optim.RMSprop])
def test_groups_are_captured(kind):
    def make(**options):
        _, (w, b), _ = problem()
        groups = [{"params": w, "lr": optim.ExponentialLR(0.02, 0.9)}, {"params": b, "lr": 0.01}]
        optimizer = kind(groups, lr=0.1)

        def grouped():
            loss = (w * w).sum() + (b * b * b).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return grouped, [w, b], optimizer

    def between(k, parameters, optimizer):
        if k == 5:
            optimizer.param_groups[1]["lr"] = 0.5

    plain, captured = (follow(c, 8, make, between) for c in (False, True))
    assert_equal(plain, captured)
    assert plain[0] != follow(False, 8, make)[0]


def test_a_first_step_with_dampening_is_captured():
    """The first gradient is taken in full, so the record of a first step holds for one replay."""
    options = dict(optimizer=optim.SGD, momentum=0.9, dampening=0.5, lr=0.02)
    (step, parameters, _), (other, *_) = problem(**options), problem()
    steps = iter([other])
    captured = cuda.Captured(lambda: next(steps, step)(), warm_up=1)
    for _ in range(6):
        captured()
    plain, expected, _ = problem(**options)
    for _ in range(5):
        plain()
    for p, q in zip(parameters, expected, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_what_counts_on_the_host_cannot_be_captured():
    class Slower(optim.Optimizer):
        def update(self, w, g, *, t, lr, weight_decay):
            w -= lr / t * g

    for options in ({"amsgrad": True}, {"optimizer": Slower}):
        captured = cuda.Captured(problem(**{"weight_decay": 0.0, **options})[0])
        with pytest.raises(RuntimeError, match="only if Adam's kernel takes every parameter"):
            for _ in range(3):
                captured()
    w = [tensor(np.ones(3), True, dtype="f", device=d) for d in ("cuda", "cpu")]
    optimizer = optim.SGD(w, lr=0.1)

    def mixed():
        for p in w:
            p.grad = p.data * 1
        optimizer.step()

    captured = cuda.Captured(mixed)
    with pytest.raises(RuntimeError, match="only if all parameters are on the GPU"):
        for _ in range(3):
            captured()
    assert [p.numpy()[0] for p in w] == [pytest.approx(0.81)] * 2  # not captured they may be


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("captured", [False, True])
def test_an_interrupt_does_not_spoil_the_count(when, captured, monkeypatch, cupy):
    """Ctrl-C around the launch: the device knows whether it made the step."""
    expected = follow(False, 8)
    step, parameters, optimizer = problem()
    call = cuda.Captured(step) if captured else step
    for _ in range(4):
        call()

    def interrupted(launch):
        def once(*args, **options):
            if when == "after":
                launch(*args, **options)
            monkeypatch.undo()
            raise KeyboardInterrupt

        return once

    if captured:
        monkeypatch.setattr(type(call._graph), "launch", interrupted(type(call._graph).launch))
    else:
        monkeypatch.setattr(adam, "step", interrupted(adam.step))
    with pytest.raises(KeyboardInterrupt):
        call()
    made = 4 + (when == "after")
    assert optimizer.t == made and [optimizer.state[p]["t"] for p in parameters] == [made] * 2
    for _ in range(8 - made):
        call()
    assert_equal(expected, (expected[0], values(parameters), optimizer.state_dict()))


def test_a_group_added_after_the_capture():
    _, (w, b), _ = problem()
    optimizer = optim.Adam([w], lr=0.1)

    def grouped():
        loss = (w * w).sum() + (b * b).sum()
        for p in (w, b):
            p.grad = None
        loss.backward()
        optimizer.step()
        return loss

    captured = cuda.Captured(grouped)
    for _ in range(4):
        captured()
    optimizer.add_param_group({"params": [b], "lr": 0.2})
    before = b.numpy().copy()
    with pytest.raises(RuntimeError, match="must have made a step with all its parameters"):
        captured()
    grouped()
    for _ in range(3):
        captured()
    assert [optimizer.state[p]["t"] for p in (w, b)] == [8, 4]
    assert np.abs(b.numpy() - before).min() > 0.4


def test_a_group_added_after_the_capture_of_sgd():
    _, (w, b), _ = problem()
    optimizer = optim.SGD([w], lr=0.1)

    def grouped():
        for p in (w, b):
            p.grad = p.data * 1
        optimizer.step()

    captured = cuda.Captured(grouped)
    for _ in range(4):
        captured()
    before = b.numpy().copy()
    optimizer.add_param_group({"params": [b], "lr": 0.5})
    captured()
    np.testing.assert_allclose(b.numpy(), before / 2)


@pytest.mark.parametrize("optimizer", [optim.AdamW, optim.SGD])
def test_changed_settings_count(optimizer):
    def between(k, parameters, optimizer):
        if k == 4:
            optimizer.weight_decay = 0.5

    make = dict(optimizer=optimizer, lr=0.02, between=between)
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
    optimizers = [problem()[0] for _ in range(2)]
    steps = iter([optimizers[0], optimizers[1]])
    captured = cuda.Captured(lambda: next(steps)(), warm_up=1)
    captured()
    with pytest.raises(RuntimeError, match="Adam must have made a step with all its"):
        captured()


def test_a_schedule_is_asked_once_for_each_step():
    asked = []
    step, _, _ = problem(lr=lambda t: asked.append(t) or 0.1)
    step(), step()
    assert asked == [0, 1]


def test_the_gpu_is_probed_once(monkeypatch):
    from minigrad import gpu

    probed = []
    status = gpu.status
    monkeypatch.setattr(gpu, "status", lambda: probed.append(1) or status())
    monkeypatch.setattr(gpu, "_proven", {})
    for _ in range(3):
        tensor([1.0], device="cuda")
    assert len(probed) == 1


def test_streams_and_captured_steps_have_tickets_of_their_own(cupy):
    launcher = launch.Launcher()
    like = cupy.zeros(1)
    outside = launcher.tickets(like, 3)
    assert launcher.tickets(like, 5) is outside
    with cupy.cuda.Stream(non_blocking=True):
        other = launcher.tickets(like, 3)
        assert other is launcher.tickets(like, 3) and other is not outside
    found = []

    def step():
        found.append(launcher.tickets(like, 3))
        return like + 1

    first, second = cuda.Captured(step), cuda.Captured(step)
    for _ in range(3):
        first(), second()
    assert found[0] is found[2] is found[4] and found[1] is found[3] is found[5]
    assert len({id(tickets) for tickets in (outside, other, *found)}) == 4
    assert launcher.tickets(like, 3) is outside


def test_without_memory_a_step_is_recorded_again_and_then_refused(cupy, monkeypatch):
    freed, left, arrays = [], [1], []
    pool = cupy.get_default_memory_pool()
    monkeypatch.setattr(type(pool), "free_all_blocks", lambda self: freed.append(self))
    run, *_ = problem()

    def step():
        made = cupy.zeros(3)
        if recording() and left:
            arrays.append(weakref.ref(made))
            left.pop()
            raise MemoryError("out of memory allocating 512 bytes")
        alive = [a for a in arrays if a() is not None]
        assert not alive  # those of the attempt before are free again
        return run()

    captured, plain = cuda.Captured(step), problem()[0]
    for _ in range(5):
        assert captured().item() == plain().item()
    assert freed == [pool]
    left += [1, 2]
    captured = cuda.Captured(step)
    captured(), captured()
    with pytest.raises(MemoryError, match=r"no memory left to record .*512 bytes.*smaller batches"):
        captured()
    assert not recording() and len(freed) == 2


def test_an_interrupt_as_a_recording_begins_or_ends_leaves_no_capture_open(cupy, monkeypatch):
    for name in ("begin_capture", "end_capture"):
        step, *_ = problem()
        captured = cuda.Captured(step)
        captured(), captured()
        original = getattr(cupy.cuda.Stream, name)

        def interrupted(stream, original=original, name=name):
            monkeypatch.setattr(cupy.cuda.Stream, name, original)
            if name == "begin_capture":
                original(stream)
            raise KeyboardInterrupt

        monkeypatch.setattr(cupy.cuda.Stream, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            captured()
        assert not recording() and not captured._stream.is_capturing()
        captured()
        assert captured._graph is not None


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
    parameters = [tensor(np.ones(2), True, dtype="f", device="cuda") for _ in range(3)]
    a, b, c = parameters
    groups = [{"params": [a, b], "lr": 0.5}, {"params": [c], "betas": (0.8, 0.9), "lr": 0.1}]
    optimizer = optim.Adam(groups, betas=(0.9, 0.99))
    counts = Counts(optimizer, a.data)

    def before_step(*steps, lr=0.5):
        parts = [
            Part(group, {"betas": group["betas"], "lr": lr}, [(p, {"t": t}) for p, t in some])
            for group, some in zip(optimizer.param_groups, steps, strict=True)
        ]
        counts.before_step(parts)
        counts.after_step(parts)
        return counts.array.get().tolist()

    assert before_step([(a, 0)], []) == [[0, 1, 1, 0.5], [0, 1, 1, 0], [0, 1, 1, 0]]
    # the kernel would have advanced a, this test has none
    assert before_step([(a, 1), (b, 0)], []) == [[0, 1, 1, 0.5], [0, 1, 1, 0.5], [0, 1, 1, 0]]
    assert before_step([(a, 2)], [], lr=0.25) == [[0, 1, 1, 0.25], [0, 1, 1, 0.5], [0, 1, 1, 0]]
    assert before_step([(a, 3)], [(c, 2)], lr=0.25) == [
        [3, 0.9 * 0.9 * 0.9, 0.99 * 0.99 * 0.99, 0.25],
        [1, 0.9, 0.99, 0.5],
        [2, 0.8 * 0.8, 0.9 * 0.9, 0.25],
    ]
    optimizer.betas = 0.5, 0.25
    assert before_step([(a, 4)], [])[0] == [4, 0.5**4, 0.25**4, 0.5]


def test_callbacks_belong_to_the_record():
    with pytest.raises(AttributeError):
        each_replay(None)  # nothing is being recorded
