"""Defaults, limits and sentences of minigrad that no other file looks at."""

import dataclasses
import itertools
import os
import sys
import threading

import numpy as np
import pytest
from sentences import one_sentence

import minigrad as mg
from minigrad import debug, gradient, memory, nn, optim, optimizer, state, testing
from minigrad.conv import Geometry
from minigrad.cpu import winograd
from minigrad.functional import check_rng
from minigrad.testing import assert_close_to_torch, gradcheck

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((2, 5, 6, 3)), RNG.standard_normal((2, 5, 6, 4))
W = RNG.standard_normal((3, 3, 3, 4))


# ---------------------------------------------------------------------- defaults
@pytest.mark.parametrize(
    ("short", "whole"),
    [
        (lambda: mg.conv2d(X, W), lambda: mg.conv2d(X, W, stride=1, dilation=1, groups=1)),
        (lambda: mg.conv2d_transpose(Y, W),
         lambda: mg.conv2d_transpose(Y, W, stride=1, padding="same", dilation=1, groups=1)),
        (lambda: mg.conv2d_weight(X, Y, 3),
         lambda: mg.conv2d_weight(X, Y, 3, stride=1, padding="same", dilation=1, groups=1)),
        (lambda: mg.argmin(X), lambda: mg.argmin(X, axis=None, keepdims=False)),
        (lambda: mg.argmax(X, 1), lambda: mg.argmax(X, axis=1, keepdims=False)),
        (lambda: mg.resize_bilinear(X, 3),
         lambda: mg.resize_bilinear(X, 3, half_pixel_centers=True, antialias=False)),
        (lambda: mg.resize_bicubic(X, 3),
         lambda: mg.resize_bicubic(X, 3, a=-0.75, half_pixel_centers=True, antialias=False)),
        (lambda: mg.hard_sigmoid(X), lambda: (X / 6 + 0.5).clip(0, 1)),
    ],
)  # fmt: skip
def test_what_is_left_out_has_its_documented_value(short, whole):
    a, b = np.asarray(short()), np.asarray(whole())
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=1e-14)


def test_adam_decays_weights_by_the_gradient_and_adamw_by_itself():
    def step(kind):
        p = nn.Parameter(np.array([2.0]))
        p.grad = mg.tensor([0.0])
        kind([p], lr=0.1, weight_decay=0.5).step()
        return p.numpy()[0]

    assert step(optim.AdamW) == pytest.approx(2.0 * (1 - 0.1 * 0.5))
    assert step(optim.Adam) == pytest.approx(2.0 - 0.1)  # a whole step along the decay's gradient


def test_a_transposed_layer_says_what_it_reads_and_makes():
    layer = nn.Conv2DTranspose(3, 5, kernel_size=(2, 4), stride=2, rng=RNG)
    assert layer.extra_repr() == "3 -> 5, 2x4, stride 2"


def test_a_generator_is_needed_and_philox_only_where_it_will_do():
    from minigrad.random import Philox

    philox = Philox(1, "cpu")
    check_rng("f", RNG)
    check_rng("f", philox, or_philox=True)
    with pytest.raises(TypeError) as caught:
        check_rng("f", philox)
    assert one_sentence(caught.value).startswith(
        "f: rng must be a numpy.random.Generator, got Philox: pass"
    )
    with pytest.raises(
        TypeError, match=r"numpy\.random\.Generator or a minigrad\.random\.Philox, "
    ):
        check_rng("f", 3, or_philox=True)


SCHEDULES = (
    optim.StepDecay(1.0, 2), optim.MultiStepLR(1.0, (1, 2)), optim.ExponentialDecay(1.0, 0.5),
    optim.CosineDecay(1.0, 5),
)  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_a_schedule_is_a_value(schedule):
    assert hash(schedule) == hash(dataclasses.replace(schedule))
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.lr = 2.0


# ---------------------------------------------------------------------- shapes
def test_numbers_arrays_and_tensors_can_be_stacked_together():
    stacked = mg.stack([1.0, np.array(2.0), mg.tensor(3.0, requires_grad=True)])
    assert stacked.numpy().tolist() == [1.0, 2.0, 3.0] and stacked.requires_grad
    assert mg.stack([np.float64(1), 2.0]).tolist() == [1.0, 2.0]
    assert mg.concatenate([mg.tensor([1.0]), np.array([2.0])]).numpy().tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="expected a sequence of Tensors or arrays, got 1 of them"):
        mg.stack(["a" for _ in range(1)] and [[1.0]])


def test_sums_over_what_broadcasting_stretched():
    x = np.arange(24.0).reshape(2, 3, 4)
    for shape in ((3, 1), (1, 3, 4), (1, 1), (4,), (), (2, 1, 4), (1, 3, 1)):
        lead = 3 - len(shape)
        expected = x.sum(axis=tuple(range(lead)))
        for axis, n in enumerate(shape):
            expected = expected.sum(axis=axis, keepdims=True) if n == 1 else expected
        np.testing.assert_array_equal(mg.sum_to(x, shape), expected.reshape(shape))


# ---------------------------------------------------------------------- time
def test_the_table_of_a_profile_is_made_of_the_clock(monkeypatch):
    clock = itertools.count()  # each look at it takes a second
    monkeypatch.setattr(debug.time, "perf_counter", lambda: float(next(clock)))
    with debug.profile() as table:
        mg.exp(mg.exp(np.ones(2)))
        mg.exp(mg.tensor([1.0]))
        mg.exp(mg.tensor([1.0]))
    rows = table().splitlines()
    assert rows[0].split() == ["operation", "phase", "calls", "ms", "share"]
    (row,) = [line.split() for line in rows[1:] if line.startswith("exp ")]
    assert row[1:3] == ["forward", "4"] and float(row[3]) == 4000.0 and row[4] == "100.0%"


# ---------------------------------------------------------------------- state, forks, memory
def test_an_interrupt_at_the_beginning_of_a_block_leaves_the_mode(monkeypatch):
    before, real = state.mode.get(), state.mode

    class Interrupted:
        get = staticmethod(real.get)
        calls = 0

        def set(self, value):
            real.set(value)
            self.calls += 1
            if self.calls == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(state, "mode", Interrupted())
    with pytest.raises(KeyboardInterrupt), state.Block(recording=False):
        raise AssertionError("the block was never begun")
    assert real.get() is before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a fork beside threads warns there")
@pytest.mark.parametrize(("module", "lock"), [(memory, "_lock"), (gradient, "_adding")])
def test_a_child_is_not_locked_out_by_a_thread_that_it_does_not_have(module, lock):
    held, done = threading.Event(), threading.Event()

    def hold():
        with getattr(module, lock):
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if not child:
        os._exit(0 if getattr(module, lock).acquire(timeout=5) else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert status == 0


def test_every_leaf_owns_its_gradient():
    taken = set()
    g = np.ones(4)
    assert gradient._own(g, taken) is g
    assert gradient._own(g, taken) is not g  # another leaf has it
    frozen = np.ones(4)
    frozen.flags.writeable = False
    assert gradient._own(frozen, set()).flags.writeable
    part = np.ones(100)[:10]
    assert gradient._own(part, set()).base is None
    half = np.ones(8)[:4]
    assert gradient._own(half, set()) is half
    turned = np.ones((3, 2)).T
    assert gradient._own(turned, set()).flags.c_contiguous


def test_a_count_that_is_interrupted_is_finished_and_the_interrupt_goes_on(monkeypatch):
    p = nn.Parameter(np.ones(2))
    p.grad = mg.tensor([1.0, 1.0])
    sgd = optim.SGD([p], lr=0.5)
    real, calls = optimizer.Optimizer._set_counts, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(self, *arguments)

    monkeypatch.setattr(optimizer.Optimizer, "_set_counts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sgd.step()
    assert sgd.t == 1 and len(calls) == 2
    assert p.numpy().tolist() == [1.0, 1.0]


def test_a_setting_of_all_groups_is_read_and_written_as_one():
    parameters = [nn.Parameter(np.ones(1)) for _ in range(2)]
    adam = optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:]}], lr=0.5)
    assert adam.lr == 0.5 and adam.betas == (0.9, 0.999)
    adam.lr = 0.25
    assert [group["lr"] for group in adam.param_groups] == [0.25, 0.25]
    assert adam.defaults["lr"] == 0.25


# ---------------------------------------------------------------------- minigrad.testing
class Torch:
    """As much of a PyTorch tensor as the comparison needs."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def numpy(self, force):
        return self.values


def test_a_comparison_with_pytorch_can_fail():
    one = np.array([1.0, np.nan, np.inf])
    assert assert_close_to_torch(one, Torch(one)) == 0.0
    assert assert_close_to_torch(np.zeros(0), Torch(np.zeros(0))) == 0.0
    assert assert_close_to_torch(np.array([np.nan]), Torch([np.nan])) == 0.0
    assert assert_close_to_torch(np.array([4.0, 1.0]), Torch([4.0, 1.0 + 4e-13])) == (
        pytest.approx(1e-13, rel=1e-2)
    )
    for mine, theirs, words in (
        ([1.0, np.inf], [1.0, 2.0], "x: not finite in other places than PyTorch's"),
        ([1.0, np.inf], [1.0, -np.inf], "x"),
        ([1.0, np.nan, 2.0], [1.0, np.nan, 2.1], r"x at \(2,\): minigrad .*2\.0\)?, PyTorch"),
        ([1.0], [1.0, 2.0], r"x: minigrad gives \(1,\) float64, PyTorch \(2,\) float64"),
        (np.ones(1, np.float32), [1.0], r"x: minigrad gives \(1,\) float32, PyTorch"),
    ):
        with pytest.raises(AssertionError, match=words):
            assert_close_to_torch(np.asarray(mine), Torch(theirs), what="x")


def test_gradients_of_outputs_that_do_not_depend_on_an_input_are_zero():
    def f(x, y):
        return mg.sum(x * x), mg.tensor(np.ones(2)) * 3.0

    gradcheck(f, [np.array([1.0, 2.0]), np.array([4.0])], order=2)

    def linear(x):
        return mg.sum(x) * 2.0  # whose gradient depends on nothing

    gradcheck(linear, [np.array([1.0, 2.0])], order=3)


def test_directions_have_a_largest_element_of_one():
    for seed in range(5):
        d = testing._direction((3, 2), np.random.default_rng(seed))
        assert np.abs(d).max() == pytest.approx(1.0)
    assert testing._direction((0,), np.random.default_rng(0)).shape == (0,)


def test_files_say_that_they_have_format_2(tmp_path):
    path = tmp_path / "model.npz"
    mg.checkpoint.save(path, {"w": np.ones(2)})
    with np.load(path) as stored:
        headers = [str(stored[n]) for n in stored.files if stored[n].dtype.kind == "U"]
    assert '"format": 2' in headers[0]


def test_the_bound_on_winograds_rounding_counts_the_roundings_of_a_term():
    """By both transforms of the image and of the kernel, the product, the sum over channels and the
    transform of the result: 6 + 6, 3 + 3, 2, C and 6 + 6; for the kernel's gradient it is over
    tiles."""
    geometry = Geometry.of((8, 12), (3, 3), (1, 1), "same", (1, 1), 1)
    x, w, y = np.ones((2, 8, 12, 5)), np.ones((3, 3, 5, 7)), np.ones((2, 8, 12, 7))
    absolute = lambda dtype: [np.abs(m) for m in winograd.matrices(dtype)]  # noqa: E731
    tiles = 2 * 2 * 3
    for kernel, a, b, count in (
        (winograd.conv_y, x, w, 32 + 5),
        (winograd.conv_x, y, w, 32 + 7),
        (winograd.conv_w, x, y, 34 + tiles),
    ):
        relative = winograd.error_bound(kernel, a, b, geometry) / kernel(a, b, geometry, absolute)
        roundings = np.log1p(relative) / np.log1p(np.finfo(float).eps / 2)
        np.testing.assert_allclose(roundings, count, rtol=1e-6)


def test_a_parameter_that_was_stretched_cannot_be_trained():
    for n in (2, 3):
        p = mg.tensor(np.ones(n), requires_grad=True)
        p._data = np.lib.stride_tricks.as_strided(np.ones(1), (n,), (0,))
        with pytest.raises(ValueError, match="cannot be changed in place, its array is read-only"):
            optim.SGD([p], lr=0.1)
    one = mg.tensor(np.ones(1), requires_grad=True)
    one._data = np.lib.stride_tricks.as_strided(np.ones(1), (1,), (0,))
    optim.SGD([one], lr=0.1)


def test_winograd_takes_what_its_tiles_reach():
    def takes(pads, **more):
        settings = dict(kernel=(3, 3), stride=(1, 1), dilation=(1, 1), groups=1) | more
        return winograd.takes(
            Geometry.of((9, 9), settings["kernel"], settings["stride"], pads, settings["dilation"],
                        settings["groups"])
        )  # fmt: skip

    assert takes(((0, 0), (0, 0))) and takes(((2, 2), (2, 2)))
    for pads in (((3, 0), (0, 0)), ((0, 3), (0, 0)), ((0, 0), (3, 0)), ((0, 0), (0, 3))):
        assert not takes(pads)
    one = ((1, 1), (1, 1))
    assert not takes(one, stride=(2, 1)) and not takes(one, dilation=(1, 2))
    assert not takes(one, kernel=(3, 5)) and not takes(one, groups=2)
