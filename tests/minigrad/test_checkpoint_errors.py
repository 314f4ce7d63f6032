"""A model file that is missing, damaged, foreign or does not fit is refused in one sentence."""

import json
import zipfile

import numpy as np
import pytest
from sentences import one_sentence

import minigrad as mg
from minigrad import nn


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.npz"
    mg.checkpoint.save(path, {"w": np.arange(6.0).reshape(2, 3)}, about={"epochs": 5})
    return path


def refused(path, *words, exception=ValueError, **options):
    with pytest.raises(exception) as caught:
        mg.checkpoint.load(path, **options)
    message = one_sentence(caught.value)
    assert str(path) in message or not words
    assert [w for w in words if w not in message] == [], message


def test_a_whole_file_loads(saved):
    loaded = mg.checkpoint.load(saved)
    assert loaded.about == {"epochs": 5} and loaded.arrays["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_arrays_that_are_read_when_they_are_asked_for(saved):
    arrays = mg.checkpoint.load(saved, lazy=True).arrays
    assert list(arrays) == ["w"] and len(arrays) == 1
    assert arrays["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    for name in ("v", mg.checkpoint._HEADER):
        with pytest.raises(KeyError, match=name):
            arrays[name]


def test_a_missing_file(tmp_path):
    refused(tmp_path / "none.npz", "there is no file", exception=FileNotFoundError)


@pytest.mark.parametrize("keep", [0, 1, 10, 100, -100, -1])
def test_a_file_cut_short(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    refused(saved, "damaged", "save the model again")


def test_a_file_with_a_changed_byte(saved):
    content = saved.read_bytes()
    for k in range(0, len(content), 7):
        saved.write_bytes(content[:k] + bytes([content[k] ^ 0xFF]) + content[k + 1 :])
        try:
            loaded = mg.checkpoint.load(saved)  # a byte that carries no meaning
        except ValueError as error:
            assert str(saved) in one_sentence(error)
        else:
            assert loaded.arrays["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
            assert loaded.about == {"epochs": 5}


def test_an_array_of_another_numpy_format(saved):
    content = saved.read_bytes()
    assert content.count(b"\x93NUMPY\x01\x00") == 2
    with np.load(saved) as stored:
        members = {f"{name}.npy": stored[name] for name in stored.files}
    saved.write_bytes(content.replace(b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"))
    with zipfile.ZipFile(saved) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("w.npy")
    for version in ((2, 0), (3, 0)):
        with zipfile.ZipFile(saved, "w") as archive:
            for name, array in members.items():
                with archive.open(name, "w") as file:
                    np.lib.format.write_array(file, array, version)
        refused(saved, "is damaged")


def test_a_foreign_file(tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(path, w=np.ones(3))
    refused(path, "is not a file that minigrad saved")
    path.write_text("hello")
    refused(path, "is not a file that minigrad saved")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    refused(path, "is not a file that minigrad saved")


def test_a_single_array_is_no_model(tmp_path):
    np.save(tmp_path / "array.npy", np.ones(3))
    refused(tmp_path / "array.npy", "is not a file that minigrad saved")


def test_a_pickle_is_not_executed(tmp_path):
    path = tmp_path / "pickled.npz"
    header = np.array(json.dumps({"format": 2, "arrays": {}}))
    np.savez(path, w=np.array([{"a": 1}], dtype=object), __minigrad__=header)
    refused(path, "is not a file that minigrad saved")


def test_a_header_that_does_not_fit(tmp_path):
    path = tmp_path / "model.npz"
    for header, word in (
        ({"format": 99, "arrays": {}}, "format 99"),
        ([], "format"),
        ({"format": 2, "arrays": {"w": [[4], "<f8", 0]}}, "header"),
        ({"format": 2, "arrays": {}}, "header"),
        ({"format": 2, "arrays": {"w": [[3], "<f8", 7]}}, "header"),
    ):
        np.savez(path, __minigrad__=np.array(json.dumps(header)), w=np.ones(3))
        refused(path, word)


def test_a_model_of_another_shape(saved):
    model = nn.Dense(2, 4, rng=np.random.default_rng(0))
    before = model.weight.data.copy()
    with pytest.raises(ValueError, match=r"bias is missing; weight is missing|weight is missing"):
        mg.checkpoint.load(saved, into=model)
    np.testing.assert_array_equal(model.weight.data, before)


def test_members_that_are_compressed_or_have_one_name_are_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(saved, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    assert mg.checkpoint.load(saved).about == {"epochs": 5}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    refused(saved, "its members are compressed, or two have one name")
    with zipfile.ZipFile(saved, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("w.npy", members[-1][1])
    refused(saved, "its members are compressed, or two have one name")


def test_the_number_of_members_is_looked_at_before_they_are(saved, monkeypatch):
    counts = []
    monkeypatch.setattr(mg.checkpoint, "_members", lambda archive, size: counts.append(1) or 1 / 0)
    refused(saved, "is damaged")
    assert counts == [1]
    monkeypatch.setattr(mg.checkpoint, "MOST_ARRAYS", 2)  # the header and one array
    refused(saved, "is damaged")
    assert counts == [1, 1]
    monkeypatch.setattr(mg.checkpoint, "MOST_ARRAYS", 1)
    refused(saved, "it does not end as an archive of at most 1 members")
    assert counts == [1, 1]
