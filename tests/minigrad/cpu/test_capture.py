"""A captured step gives the bits of the step itself, or says in a sentence why it cannot."""

import functools

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.cpu import Captured

ROUNDS = 7


def network(dtype=np.float32, rng=0):
    rng = np.random.default_rng(rng)
    layers = (
        nn.Dense(6, 5, activation="tanh", dtype=dtype, rng=rng),
        nn.Dense(5, 6, dtype=dtype, rng=rng),
    )
    return nn.Sequential(*layers)


def a_step(x, model, optimizer, more=lambda y: y):
    """A training step on `x`, which returns its loss and the reconstruction."""

    def step():
        y = more(model(x))
        loss = mg.losses.binary_cross_entropy_with_logits(y, mg.sigmoid(x).detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, {"y": y}

    return step


def both(make, between=lambda k, model, optimizer, x: None, rounds=ROUNDS):
    """Run a step as it is and captured, side by side; the results and weights must be equal to the
    last bit. Returns the captured step."""
    sides = []
    for capture in (False, True):
        model, x = network(), mg.tensor(np.zeros((4, 6), np.float32))
        optimizer, step = make(model, x)
        sides.append((model, optimizer, x, Captured(step) if capture else step))
    for k in range(rounds):
        seen = []
        for model, optimizer, x, step in sides:
            x.data[...] = np.random.default_rng(k).standard_normal((4, 6))
            between(k, model, optimizer, x)
            result = step()
            arrays = [t._data for t in (result[0], *result[1].values())]
            seen.append([a.tobytes() for a in (*arrays, *model.state_dict().values())])
            seen[-1] += [p.grad._data.tobytes() for p in model.parameters() if p.grad is not None]
        assert seen[0] == seen[1], k
    return sides[1][3]


def is_replayed(step):
    return step._record is not None


OPTIMIZERS = {
    "SGD": functools.partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "RMSprop": functools.partial(optim.RMSprop, lr=0.01, centered=True, momentum=0.5),
    "Adam": functools.partial(optim.Adam, lr=optim.CosineDecay(0.1, 5)),
    "AdamW": functools.partial(optim.AdamW, lr=0.1, amsgrad=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_is_the_same_to_the_last_bit(name):
    def make(model, x):
        optimizer = OPTIMIZERS[name](model.parameters())
        return optimizer, a_step(x, model, optimizer)

    assert is_replayed(both(make))


def test_settings_that_change_between_the_calls_count():
    def make(model, x):
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        return optimizer, a_step(x, model, optimizer)

    def change(k, model, optimizer, x):
        optimizer.lr, optimizer.betas = 0.01 * (k + 1), (0.9 - k / 20, 0.99)
        if k == 5:
            model.load_state_dict(network(rng=1).state_dict())

    assert is_replayed(both(make, change))


def test_a_weight_that_changes_is_a_tensor():
    weights = {}

    def make(model, x):
        optimizer = optim.Adam(model.parameters())
        weights[id(model)] = weight = mg.tensor(np.float32(0.1))

        def more(y):
            return y * weight

        return optimizer, a_step(x, model, optimizer, more)

    def warm_up(k, model, optimizer, x):
        weights[id(model)].data[...] = 0.1 * (k + 1)

    assert is_replayed(both(make, warm_up))


def test_numbers_are_drawn_anew():
    def make(model, x):
        optimizer, rng = optim.Adam(model.parameters()), np.random.default_rng(1)
        noisy = nn.Dropout(0.5, rng=rng), nn.GaussianNoise(0.1, rng=mg.random.Philox(2))
        return optimizer, a_step(x, model, optimizer, nn.Sequential(*noisy))

    assert is_replayed(both(make))


def test_what_the_step_looks_up_is_looked_up_anew():
    def make(model, x):
        optimizer = optim.Adam(model.parameters())

        def more(y):
            largest = mg.max(y, axis=1, keepdims=True)
            marked = mg.where(np.isclose(y.detach(), largest.detach()), y * 2, y)
            whole = marked.astype(np.int64).astype(np.float32)
            return mg.sort(marked)[mg.argmax(y[:, :4], axis=1)] + whole

        return optimizer, a_step(x, model, optimizer, lambda y: more(y) * np.float32(1))

    assert is_replayed(both(make))


def test_train_and_eval_are_noticed():
    drop = {}

    def make(model, x):
        optimizer = optim.Adam(model.parameters())
        drop[id(model)] = nn.Dropout(0.5, rng=np.random.default_rng(0))
        return optimizer, a_step(x, model, optimizer, drop[id(model)])

    def switch(k, model, optimizer, x):
        drop[id(model)].train(k < 5 or k > 9)

    assert is_replayed(both(make, switch, 14))


def test_freezing_is_noticed():
    def make(model, x):
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return optimizer, a_step(x, model, optimizer)

    def freeze(k, model, optimizer, x):
        if k in (5, 9):
            model[0].weight.requires_grad = k == 9

    def make_anew(model, x):
        step = make(model, x)
        return step

    assert is_replayed(both(make_anew, freeze, 14))


def test_running_statistics_go_on():
    def make(model, x):
        norm = nn.BatchNorm1D(6)
        model.append(norm) if hasattr(model, "append") else setattr(model, "norm", norm)
        optimizer = optim.Adam(model.parameters())
        return optimizer, a_step(x, model, optimizer, norm)

    assert is_replayed(both(make))


def test_clipped_gradients_a_second_walk_and_the_values_of_a_constant():
    def make(model, x):
        optimizer = optim.Adam(model.parameters())

        def step():
            inputs = x.detach()
            inputs.requires_grad = True
            y = model(inputs)
            (slope,) = mg.grad(y.sum(), [inputs], create_graph=True)
            loss = (mg.where(y > 0, y, y * 0.5) ** 2).mean() + (slope * slope).sum()
            optimizer.zero_grad()
            loss.backward()
            with mg.no_grad():
                loss = loss + mg.transpose(y)[0, 0] * mg.reshape(model[0].weight, (-1,))[0]
            norm = optim.clip_grad_norm(model.parameters(), 0.1)
            optimizer.step()
            return loss, {"norm": mg.Tensor(np.zeros(0)) if norm < 0 else y, "slope": slope}

        return optimizer, step

    assert is_replayed(both(make))


def test_two_walks_add_up_and_gradients_of_earlier_calls_are_refused():
    def make(model, x, clear=True):
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step():
            if clear:
                optimizer.zero_grad()
            first, second = model(x).mean(), (model(x) ** 2).mean()
            first.backward()
            second.backward()
            optimizer.step()
            return first, {"second": second}

        return optimizer, step

    assert is_replayed(both(make))
    with pytest.raises(RuntimeError, match=r"gradients of an earlier call.* at .*test_capture.py"):
        both(functools.partial(make, clear=False))


def test_a_number_of_the_step_is_returned():
    w = mg.tensor(np.ones(3), requires_grad=True)

    def step():
        w.grad = None
        (w * x).sum().backward()
        return optim.clip_grad_norm([w], 1e9), [w.grad, None, "name", 3]

    x = mg.tensor(np.zeros(3))
    step = Captured(step)
    for k in range(6):
        x.data[...] = k
        norm, (gradient, *others) = step()
        assert norm == pytest.approx(k * 3**0.5)
        assert gradient.data.tolist() == [k, k, k]
        assert others == [None, "name", 3]
    assert is_replayed(step)


def test_the_record_can_be_read():
    x, w = mg.tensor(np.ones(2)), leaf(3, 4)

    def step():
        w.grad = None
        loss = mg.exp(w * x).sum()
        loss.backward()
        return loss, {"slope": w.grad}

    step = Captured(step)
    assert step.source == ""
    for _ in range(3):
        step()
    source = step.source.splitlines()
    assert source[0] == "def step():"
    calls = [line.split("= ")[1].split("(")[0] for line in source if " = " in line]
    calls = [call for call in calls if call != "view"]
    assert calls[2:] == ["multiply", "exp", "sum", "vjp_of_sum", "vjp_of_exp", "vjp_of_multiply"]
    assert all(call.startswith("t") and call.endswith("._array") for call in calls[:2])
    assert source[-1].startswith("    return (Tensor(x")
    assert sum(line.startswith("    del ") for line in source) >= 3


# ---------------------------------------------------------------------- what cannot be replayed
def refused(step, calls=3):
    """What a step of its own says when it is captured."""
    step = Captured(step)
    with pytest.raises(RuntimeError) as error:
        for _ in range(calls):
            step()
    with pytest.raises(RuntimeError) as again:  # and goes on saying
        step()
    assert str(again.value) == str(error.value)
    return str(error.value)


def leaf(*values):
    return mg.tensor(np.array(values, float), requires_grad=True)


READS = {
    "x.item()": lambda x: x.sum() * x.sum().item(),
    "x.data": lambda x: x * x.data.max(),
    "numpy()": lambda x: x * x.numpy().max(),
    "if x": lambda x: x * 2 if x.sum() else x,
    "float(x)": lambda x: x * float(x.detach().sum()),
    "x.tolist()": lambda x: x * x.tolist()[0],
    "np.asarray": lambda x: x * np.asarray(x.detach()),
    "dlpack": lambda x: x * np.from_dlpack(x.detach()),
    "a mask of masks": lambda x: mg.where((x > 0) & (x < 9), x, 0.0),
    "a part of a mask": lambda x: mg.where((x > 0)[:1], x, 0.0),
    "a copy of a mask": lambda x: mg.where((x > 0).copy(), x, 0.0),
    "any": lambda x: x if (x > 0).any() else -x,
    "how many": lambda x: x / np.count_nonzero(x.detach()),
    "how many of a mask": lambda x: x / (x > 0).sum(),
    "a mask as a number": lambda x: x * int((x > 0).sum()),
    "a mask of one": lambda x: x if x.sum() > 0 else -x,
    "a list of a mask": lambda x: x * (x > 0).tolist()[0],
    "where the largest is": lambda x: x * float(mg.argmax(x)),
    "the next one": lambda x: mg.getitem(x, mg.argmax(x, axis=0, keepdims=True) - 1),
}


@pytest.mark.parametrize("how", READS)
def test_reading_numbers_is_refused(how):
    x = leaf(1, 2)
    assert "which a replay would not" in refused(lambda: READS[how](x))


def test_a_batch_that_is_another_array_each_time_is_refused():
    x, rng = leaf(1, 2), np.random.default_rng(0)
    for draw in (lambda: rng.random(2), lambda: mg.tensor(rng.random(2)), lambda: rng.random()):
        said = refused(lambda draw=draw: (x * draw()).sum())
        assert "multiply at " in said or "tensor at " in said
        assert "another one at each call" in said


def test_a_batch_that_is_filled_inside_the_step_is_refused():
    x, batch, count = leaf(1, 2), np.zeros(2), iter(range(99))
    held = mg.tensor(np.zeros(2))
    outside = held.data

    def before():
        batch[...] = next(count)
        return (x * batch).sum()

    def after():
        y = (x * held).sum()
        outside[...] = next(count)
        return y

    assert "changed inside the step" in refused(before)
    assert "changed inside the step" in refused(after)


def test_a_step_that_is_not_always_the_same_is_refused():
    x, count = leaf(1, 2), iter(range(99))
    assert "same operations" in refused(lambda: mg.exp(x) if next(count) % 2 else mg.tanh(x))
    assert "number of operations" in refused(lambda: [x * 2 for _ in range(next(count))])


def set_by_name(optimizer):
    optimizer.lr = 0.01


def set_in_the_group(optimizer):
    optimizer.param_groups[0]["lr"] *= 0.9


@pytest.mark.parametrize("change", [set_by_name, set_in_the_group])
def test_a_setting_that_is_changed_in_the_step_is_refused(change):
    w = leaf(1.0)
    optimizer = optim.SGD([w], lr=0.1)

    def step():
        optimizer.zero_grad()
        (w * w).sum().backward()
        change(optimizer)
        optimizer.step()

    assert "setting of an optimizer is changed in the step" in refused(step)


def test_results_from_elsewhere_are_refused():
    x, count = leaf(1, 2), iter(range(99))
    assert "have not computed" in refused(lambda: (x.sum(), np.random.default_rng(0).random(2)))
    assert "have not computed" in refused(lambda: (x.sum(), next(count)))
    assert "have not computed" in refused(lambda: {x.sum()})


def test_an_index_that_the_step_computes_is_refused():
    x = leaf(1, 2, 3)
    assert "index that the step computes" in refused(lambda: x[mg.argmax(mg.stack([x]), axis=1),])


def test_the_step_is_done_when_it_is_refused():
    w = leaf(1.0)
    optimizer = optim.SGD([w], lr=0.5)

    def step():
        (w * w).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        return w.sum().item()

    step = Captured(step, warm_up=1)
    step_of_its_own = Captured(step.function, warm_up=1, refuse=False)
    assert step_of_its_own() == 0.0
    w.data[...] = 1
    with pytest.raises(RuntimeError, match="the step was done, but cannot be replayed"):
        step(), step()
    assert w.data.tolist() == [0.0]
    w.data[...] = 4
    assert [step_of_its_own(), step_of_its_own()] == [0.0, 0.0]  # as it is, without a word


def test_not_within_another_one_a_hook_or_no_grad():
    x, seen = leaf(1, 2), []
    inner = Captured(lambda: (x * x).sum())
    for _ in range(4):
        inner()
    with pytest.raises(RuntimeError, match="cannot be part of another one"):
        outer = Captured(lambda: inner())
        outer(), outer()

    def around(primitive, where, phase, function, args):
        seen.append(primitive.name)
        return function(*args)

    with mg.hook(around):
        assert inner().requires_grad
    assert seen == ["multiply", "sum"]
    assert not inner().requires_grad
    with mg.no_grad():
        assert inner().item() == 5.0
    with pytest.raises(RuntimeError, match="hook"):
        step = Captured(lambda: _hooked(around, x))
        step(), step(), step()


def _hooked(around, x):
    with mg.hook(around):
        return x * 2


@pytest.mark.parametrize(
    ("function", "warm_up"), [(3, 2), (dict, 0), (dict, 1.5), (lambda batch: batch, 2)]
)
def test_wrong_arguments(function, warm_up):
    with pytest.raises((TypeError, ValueError), match=r"Captured: .*, got "):
        Captured(function, warm_up)


def test_an_error_in_the_step_is_the_steps_own():
    x, calls = leaf(1, 2), iter(range(99))

    def step():
        if next(calls) in (1, 2):
            raise KeyError("mine")
        return (x * x).sum()

    step = Captured(step)
    for k in range(7):
        if k in (1, 2):
            with pytest.raises(KeyError, match="mine"):
                step()
        else:
            assert step().item() == 5.0
    assert is_replayed(step)


def test_it_keeps_no_more_memory_than_the_step():
    import tracemalloc

    x, w = mg.tensor(np.ones((200, 200))), mg.tensor(np.ones((200, 200)), requires_grad=True)

    def step():
        w.grad = None
        y = x
        for _ in range(20):
            y = mg.tanh(y * 0.5 + w * 1e-3)
        y.sum().backward()

    captured, peaks = Captured(step), []
    for call in (step, captured):
        for _ in range(4):
            call()
        tracemalloc.start()
        call()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= peaks[0] * 1.02
