"""Weights go into safetensors files and come back to the same bits, in PyTorch's layout as well."""

import numpy as np
import pytest

from minigrad import safetensors
from minigrad.interchange import from_torch_state_dict, to_torch_state_dict
from minigrad.nn import BatchNorm2D, Conv2D, Conv2DTranspose, Dense, Flatten, Reshape, Sequential

library = pytest.importorskip("safetensors", reason="safetensors is not installed")


def model(seed, dtype=np.float32):
    make = dict(rng=np.random.default_rng(seed), dtype=dtype)
    return Sequential(
        Reshape(4, 4, 2), Conv2D(2, 3, stride=2, **make), BatchNorm2D(3, dtype=dtype),
        Conv2DTranspose(3, 2, stride=2, **make), Flatten(), Dense(32, 5, **make),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_come_back_to_the_same_bits(dtype, tmp_path):
    first, second = model(0, dtype).eval(), model(1, dtype).eval()
    safetensors.save(tmp_path / "a.safetensors", first, {"made": "here"})
    second.load_state_dict(safetensors.load(tmp_path / "a.safetensors"))
    x = np.random.default_rng(2).random((3, 32)).astype(dtype)
    np.testing.assert_array_equal(first(x).data, second(x).data)
    with library.safe_open(tmp_path / "a.safetensors", "np") as file:  # what others read
        assert file.metadata() == {"made": "here"}
        assert set(file.keys()) == set(first.state_dict())


def test_arrays_of_any_memory_order_and_single_numbers(tmp_path):
    whole = np.arange(24.0).reshape(2, 3, 4)
    arrays = {"fortran": np.asfortranarray(whole), "view": whole[:, ::2], "turned": whole.T}
    arrays["number"] = np.array(5.0)
    safetensors.save(tmp_path / "a.safetensors", arrays)
    for name, array in safetensors.load(tmp_path / "a.safetensors").items():
        np.testing.assert_array_equal(array, arrays[name], strict=True)


def test_torch_reads_them_in_its_own_layout(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours, path = model(0).eval(), tmp_path / "a.safetensors"
    safetensors.save(path, to_torch_state_dict(ours))
    nn = torch.nn

    class ToImages(nn.Module):
        def forward(self, x):
            return x.reshape(-1, 4, 4, 2).permute(0, 3, 1, 2)

    class Same(nn.Module):
        """The padding of stride 2 here is at the end alone."""

        def forward(self, x):
            return nn.functional.pad(x, (0, 1, 0, 1))

    class Crop(nn.Module):
        def forward(self, x):
            return x[:, :, :4, :4]

    layers = {
        "image": ToImages(), "pad": Same(), "1": nn.Conv2d(2, 3, 3, stride=2),
        "2": nn.BatchNorm2d(3), "3": nn.ConvTranspose2d(3, 2, 3, stride=2), "crop": Crop(),
        "flat": nn.Flatten(), "5": nn.Linear(32, 5),
    }  # fmt: skip
    theirs = nn.Sequential(torch.nn.modules.container.OrderedDict(layers)).eval()
    from safetensors.torch import load_file, save_file

    missing, unknown = theirs.load_state_dict(load_file(path), strict=False)
    assert not unknown and not missing
    x = np.random.default_rng(2).random((3, 32), dtype=np.float32)
    with torch.no_grad():
        y = theirs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours(x).data, y, rtol=1e-5, atol=1e-6)
    save_file(theirs.state_dict(), tmp_path / "b.safetensors")
    again = model(1).eval()
    state = safetensors.load(tmp_path / "b.safetensors")
    again.load_state_dict(from_torch_state_dict(again, state))
    np.testing.assert_array_equal(again(x).data, ours(x).data)


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.save(path, {"w": np.ones(100)})
    content = path.read_bytes()
    for bad in (b"", b"x" * 50, content[:-1], content[:40], b"\xff" * 8 + content[8:]):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"a\.safetensors is no safetensors file that can be"):
            safetensors.load(path)
    with pytest.raises(FileNotFoundError):
        safetensors.load(tmp_path / "nothing")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.save(path, {"w": np.ones(3)})
    with pytest.raises(ValueError, match="w holds object objects: only numbers are written"):
        safetensors.save(path, {"w": np.array([None])})
    assert safetensors.load(path)["w"].tolist() == [1, 1, 1] and len(list(tmp_path.iterdir())) == 1
