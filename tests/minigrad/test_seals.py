"""An array changed between forward and backward never gives a wrong gradient: the change is
refused, or the gradient is that of the values that were used."""

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def changed(y, name="multiply"):
    """Backward of `y` is refused, since a saved array was changed after `name` had used it."""
    with pytest.raises(RuntimeError) as caught:
        y.backward(np.ones(y.shape))
    message = str(caught.value)
    assert message.startswith(f"backward of {name} at {__file__}:")
    assert "was changed after" in message and "give a copy" in message
    return True


def test_a_leaf_changed_through_data():
    x = vector(1, 2)
    array = x.data  # taken hold of before
    y = x * x
    array[0] = 5
    assert changed(y)
    x = vector(1, 2)
    y = x * x
    x.data[0] = 5  # taken hold of after
    assert changed(y)
    x = vector(1, 2)
    y = x * x
    x.numpy()[0] = 5
    assert changed(y)
    x = vector(1, 2)
    y = x * x
    x.detach().data[0] = 5
    assert changed(y)


def test_one_bit_is_enough():
    x = mg.tensor(np.zeros((50, 50)), requires_grad=True)
    y = x * x
    x.data.view(np.uint64)[25, 25] = 1
    assert changed(y)


def test_a_leaf_updated_with_minus_equals():
    x = vector(1, 2)
    y = x * x
    x.data -= 0.5
    assert changed(y)


def test_an_optimizer_step_between_forward_and_backward():
    for make in (mg.optim.SGD, mg.optim.Adam, mg.optim.RMSprop, mg.optim.AdamW):
        x = vector(1, 2)
        y = x * x
        x.grad = mg.tensor([1.0, 1.0])
        make([x], lr=0.1).step()
        assert changed(y)


def test_a_step_seen_through_a_view():
    for view in (lambda x: x[1:], lambda x: x.reshape(2, 1), lambda x: x.T[:1].reshape(-1)):
        x = vector(1, 2)
        part = view(x)
        y = part * part
        x.grad = mg.tensor([1.0, 1.0])
        mg.optim.SGD([x], lr=0.1).step()
        assert changed(y)


def test_a_leaf_changed_below_a_view():
    for take in (lambda x: x.data, lambda x: x.numpy()):
        x = vector(1, 2)
        y = x[::-1] * x[1:]
        take(x)[0] = 9
        assert changed(y)


def backward_of(y, x):
    y.backward(np.ones(y.shape))
    return x.grad.data.tolist()


def test_a_constant_counts_as_it_was_when_it_was_used():
    x, c = vector(1, 2), np.array([3.0, 4.0])
    y = x * c
    c[0] = 5
    assert backward_of(y, x) == [3, 4]
    x, c = vector(1, 2), np.array([3.0, 4.0])
    y = x * c[::-1]
    c[0] = 5
    assert backward_of(y, x) == [4, 3]
    x, index = vector(1, 2), np.array([0, 0, 1])
    y = x[index]
    index[0] = 1
    assert backward_of(y, x) == [2, 1]
    x, mask = vector(1, 2), np.array([True, False])
    y = mg.where(mask, x, 0.0)
    mask[1] = True
    assert backward_of(y, x) == [1, 0]


def test_a_constant_tensor_counts_as_it_was_when_it_was_used():
    x, c = vector(1, 2), mg.tensor([3.0, 4.0])
    y = x * c
    c.data[0] = 5
    assert backward_of(y, x) == [3, 4]
    x, c = vector(1, 2), mg.tensor([3.0, 4.0])
    y = x * c.reshape(2)
    c.data[0] = 5
    assert backward_of(y, x) == [3, 4]
    x = vector(1, 2)
    (x * x).sum().backward()
    y = x * x.grad
    x.grad.data[0] = 5
    assert mg.grad(y, x, np.ones(2)).data.tolist() == [2, 4]


def test_a_change_below_a_recorded_backward():
    x = vector(1, 2)
    (g,) = mg.grad((x * x * x).sum(), [x], create_graph=True)
    x.data[0] = 7
    with pytest.raises(RuntimeError, match="was changed after"):
        mg.grad(g, [x], np.ones(2))


def right_or_refused(x, array):
    """Whoever changes the `array` that was given to `x` gets no wrong gradient."""
    expected = (2 * array).tolist()
    y = x * x
    array[0] = 5
    try:
        y.backward(np.ones(2))
    except RuntimeError as error:
        assert "was changed after" in str(error)
    else:
        assert x.grad.data.tolist() == expected


def test_the_array_that_replaced_a_leafs_changed():
    x, array = vector(1, 2), np.array([3.0, 4.0])
    x.data = array
    right_or_refused(x, array)


def test_an_array_taken_before_the_tensor_became_a_leaf():
    x = mg.tensor([1.0, 2.0])
    array = x.data
    x.requires_grad = True
    y = x * x
    array[0] = 5
    assert changed(y)


def test_a_leaf_frozen_and_then_changed():
    x, w = vector(1, 2), vector(3, 4)
    y = x * w
    w.requires_grad = False
    w.data[0] = 5
    assert changed(y)


def test_the_array_that_a_parameter_was_made_of():
    array = np.array([1.0, 2.0])
    p = mg.nn.Parameter(array)
    right_or_refused(p, array)


def test_tensor_copies():
    array = np.array([1.0, 2.0])
    x = mg.tensor(array, requires_grad=True)
    y = x * x
    array[0] = 5
    y.backward(np.ones(2))
    assert x.grad.data.tolist() == [2, 4]
    assert not np.shares_memory(mg.tensor(x).data, x.data)


def test_results_are_read_only():
    x = vector(1, 2)
    y = mg.exp(x)
    for array in (y.data, y.numpy(), y.detach().data, y.detach().numpy()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    with pytest.raises(TypeError, match="cannot be assigned"):
        y[0] = 5
    with pytest.raises(ValueError, match="its data cannot be replaced"):
        y.data = np.ones(2)
