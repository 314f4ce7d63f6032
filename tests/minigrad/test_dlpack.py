"""Proves that arrays go to other libraries and come from them without a way to change a gradient in
secret, and that what cannot come gets a sentence."""

import numpy as np
import pytest

import minigrad as mg


class Elsewhere:
    """An array on a device that is neither CPU nor CUDA."""

    def __dlpack__(self, **options):
        raise AssertionError

    def __dlpack_device__(self):
        return 8, 0


class Refusing(Elsewhere):
    def __dlpack__(self, **options):
        raise BufferError("its numbers have 4 bits")

    def __dlpack_device__(self):
        return 1, 0


@pytest.mark.parametrize(
    "result", [lambda w: w * w, lambda w: w[:1], lambda w: w.reshape(2, 1), lambda w: w + 0]
)
def test_a_result_is_handed_out_as_a_copy(result):
    """Few libraries heed that memory must not be written to, so they get other memory."""
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    y = result(w)
    theirs = np.from_dlpack(y.detach())
    np.testing.assert_array_equal(theirs, y.numpy())
    assert not np.shares_memory(theirs, y.numpy())
    constant = mg.tensor([1.0, 2.0])
    assert np.shares_memory(np.from_dlpack(constant), constant.numpy())


def test_nobody_changes_a_gradient_through_what_was_handed_out():
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    y = w * w
    z = (y * y).sum()
    torch.from_dlpack(y.detach())[0] = 100
    z.backward()
    np.testing.assert_array_equal(w.grad.numpy(), [4, 32])
    z = (w * w).sum()
    torch.from_dlpack(w.detach())[0] = 7  # a leaf is its owner's: changing it is noticed
    with pytest.raises(RuntimeError, match="changed"):
        z.backward()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_arrays_come_in_as_they_are(dtype):
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    theirs = torch.tensor([[1, 0], [2, 5]]).to(getattr(torch, dtype)).T
    ours = mg.from_dlpack(theirs)
    assert str(ours.dtype) == dtype and not ours.requires_grad
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    theirs[0, 0] = 0
    assert ours.numpy()[0, 0] == 1
    assert mg.from_dlpack(mg.tensor([3.0])).item() == 3


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        ([1.0], r"a list does not speak DLPack .* use tensor\(...\)"),
        (Elsewhere(), "on a device of DLPack's type 8"),
        (Refusing(), r"cannot be handed over \(its numbers have 4 bits\)"),
    ],
)
def test_what_cannot_come_gets_a_sentence(x, sentence):
    with pytest.raises(TypeError, match=f"^from_dlpack: .*{sentence}"):
        mg.from_dlpack(x)


def test_pytorchs_own_refusals_get_one_too():
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    for theirs in (torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)):
        with pytest.raises(TypeError, match=r"^from_dlpack: the torch.Tensor cannot be handed"):
            mg.from_dlpack(theirs)
