"""Proves that a saved model comes back bit for bit, and that any other file is refused in one
sentence, without pickle and without leaving half a file behind."""

import io
import json
import zipfile

import numpy as np
import pytest

from minigrad import checkpoint
from minigrad.nn import Dense, Sequential
from minigrad.optim import Adam


def model(seed=0):
    rng = np.random.default_rng(seed)
    return Sequential(Dense(3, 4, activation="relu", rng=rng), Dense(4, 2, rng=rng))


def test_a_model_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "model.npz"
    checkpoint.save(path, model(0), about={"epochs": 3, "name": "é"})
    other = model(1)
    arrays, about = checkpoint.load(path, into=other)
    assert about == {"epochs": 3, "name": "é"}
    for name, array in model(0).state_dict().items():
        np.testing.assert_array_equal(arrays[name], array)
        np.testing.assert_array_equal(other.state_dict()[name], array)
        assert arrays[name].dtype == array.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_an_optimizer_continues_where_it_was(tmp_path):
    def steps(net, optimizer, n):
        for _ in range(n):
            optimizer.zero_grad()
            (net(np.ones((2, 3), np.float32)) ** 2).sum().backward()
            optimizer.step()

    whole, half = model(), model()
    steps(whole, Adam(whole.parameters()), 6)
    first = Adam(half.parameters())
    steps(half, first, 3)
    checkpoint.save(tmp_path / "m.npz", half)
    checkpoint.save(tmp_path / "o.npz", first)
    resumed = model(9)
    second = Adam(resumed.parameters())
    checkpoint.load(tmp_path / "m.npz", into=resumed)
    checkpoint.load(tmp_path / "o.npz", into=second)
    steps(resumed, second, 3)
    for name, array in whole.state_dict().items():
        np.testing.assert_array_equal(array, resumed.state_dict()[name])


def _bytes(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _saved(tmp_path):
    checkpoint.save(tmp_path / "good.npz", model())
    return (tmp_path / "good.npz").read_bytes()


def _lie(content):
    """The same file with another array in place of one that the header names."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "layers.0.bias.npy":
                buffer = io.BytesIO()
                np.save(buffer, np.zeros(5, np.float32))
                data = buffer.getvalue()
            new.writestr(name, data)
    return out.getvalue()


HEADER = json.dumps({"format": 99, "arrays": {}, "about": {}})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda good: b"", "damaged, or is not a file that minigrad saved"),
        (lambda good: b"hello, I am a text", "damaged, or is not a file that minigrad saved"),
        (lambda good: good[: len(good) // 2], "damaged, or is not a file that minigrad saved"),
        (lambda good: good[:300] + b"\x55" * 40 + good[340:], "damaged"),
        (lambda good: _bytes(w=np.ones(3)), "damaged, or is not a file that minigrad saved"),
        (lambda good: _bytes(w=np.array([{}])), "damaged, or is not a file that minigrad saved"),
        (lambda good: _bytes(__minigrad__=np.array("no json")), "damaged, or is not"),
        (lambda good: _bytes(__minigrad__=np.array("[1]")), "this version reads format 2"),
        (lambda good: _bytes(__minigrad__=np.array(HEADER)), "has format 99"),
        (_lie, "not those that its header names"),
    ],
)
def test_any_other_file_is_refused_in_one_sentence(tmp_path, content, words):
    path = tmp_path / "other.npz"
    path.write_bytes(content(_saved(tmp_path)))
    with pytest.raises(ValueError, match=words) as caught:
        checkpoint.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        checkpoint.load(tmp_path / "nothing.npz")


def test_nothing_is_pickled(tmp_path):
    with pytest.raises(ValueError, match="objects"):
        checkpoint.save(tmp_path / "m.npz", {"w": np.array([{}, 1], dtype=object)})
    assert not list(tmp_path.iterdir())


def test_a_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "model.npz"
    checkpoint.save(path, model(0))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(path, model(1), about={"not json": object()})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_others_may_read_the_file_where_the_umask_lets_them(tmp_path):
    checkpoint.save(tmp_path / "model.npz", model())
    (tmp_path / "plain").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
