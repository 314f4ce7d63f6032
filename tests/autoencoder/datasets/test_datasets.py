"""The data sets have the promised shapes, ranges and values, and every failure is one sentence."""

import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import fetch_olivetti_faces

from autoencoder import datasets
from autoencoder.datasets import (
    DataUnavailable,
    draw_faces,
    face_factors,
    load,
    load_digits,
    load_images,
    load_olivetti,
    make_faces,
)
from autoencoder.datasets.faces import PERSON_FACTORS, PERSON_TRAITS, VARIATION_FACTORS
from autoencoder.datasets.images import shrink
from minigrad import resize_bicubic

HOME = Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser()
needs_olivetti = pytest.mark.skipif(
    not (HOME / "olivetti_py3.pkz").exists(), reason="the Olivetti faces are not on this machine"
)


@pytest.fixture
def offline(monkeypatch):
    """No name can be looked up, as on a machine without a network."""

    def refuse(*args, **kwargs):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    timeout = socket.getdefaulttimeout()
    yield
    socket.setdefaulttimeout(timeout)


@pytest.fixture(scope="module")
def faces():
    return make_faces()


def check(dataset, shape):
    assert dataset.images.shape == shape
    assert dataset.images.dtype == np.float32
    assert dataset.images.min() >= 0
    assert dataset.images.max() <= 1
    assert dataset.labels.shape == shape[:1]
    assert np.issubdtype(dataset.labels.dtype, np.integer)
    assert dataset.name
    assert dataset.description.endswith(".")


# Olivetti


@needs_olivetti
def test_olivetti_is_the_reference_programs_data():
    olivetti = load_olivetti()
    check(olivetti, (400, 64, 64, 1))
    assert (np.bincount(olivetti.labels) == np.full(40, 10)).all()
    # The order, fixed by random_state=1000, and the pixels.
    order = np.random.RandomState(1000).permutation(400)
    assert (olivetti.labels == order // 10).all()
    assert olivetti.images.mean(dtype=np.float64) == pytest.approx(0.547043, abs=1e-6)
    theirs = fetch_olivetti_faces(shuffle=True, random_state=1000)
    np.testing.assert_array_equal(olivetti.images[..., 0], theirs.images)


def test_olivetti_without_cache_and_network_is_one_sentence(tmp_path, offline, capsys):
    socket.setdefaulttimeout(77)
    start = time.perf_counter()
    with pytest.raises(DataUnavailable, match=r"neither in .*empty nor could.*SCIKIT_LEARN_DATA"):
        load_olivetti(data_home=tmp_path / "empty")
    assert time.perf_counter() - start < 10  # no long waits between attempts
    assert socket.getdefaulttimeout() == 77  # lowered for the download, and put back
    try:
        load_olivetti(data_home=tmp_path / "empty")
    except DataUnavailable as error:
        assert error.__suppress_context__  # no traceback of sklearn's inside
        assert "\n" not in str(error)


def test_olivetti_from_a_damaged_cache_is_the_same_sentence(tmp_path, offline):
    (tmp_path / "olivetti_py3.pkz").write_bytes(b"this is no pickle")
    with pytest.raises(DataUnavailable, match="The Olivetti faces are neither in"):
        load_olivetti(data_home=tmp_path)


def test_load_falls_back_on_generated_faces_and_says_so(tmp_path, offline, monkeypatch, faces):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    said = []
    dataset = load("olivetti", say=said.append)
    assert dataset.name == "generated faces"
    assert (dataset.images == faces.images).all()
    assert len(said) == 1
    assert "generated faces" in said[0]
    assert "no network in this test" in said[0]
    assert str(tmp_path) in said[0]
    assert "\n" not in said[0]
    with pytest.raises(DataUnavailable):
        load("olivetti", fall_back=False, say=said.append)
    assert len(said) == 1
    with pytest.warns(UserWarning) as warned:
        assert load("olivetti").name == "generated faces"
    assert [str(one.message) for one in warned] == said


# Digits and names


def test_digits_are_always_there():
    digits = load_digits()
    check(digits, (1797, 8, 8, 1))
    assert digits.images[0, 0, :4, 0].tolist() == [0, 0, 5 / 16, 13 / 16]
    assert digits.labels[:5].tolist() == [0, 1, 2, 3, 4]


def test_load_knows_names_and_paths(tmp_path):
    assert load("digits").name == "digits"
    assert load("faces").name == "generated faces"
    np.save(tmp_path / "mine.npy", np.zeros((2, 4, 5), np.float32))
    assert load(tmp_path / "mine.npy").name == "mine"
    assert load(str(tmp_path / "mine.npy")).images.shape == (2, 4, 5, 1)


@pytest.mark.parametrize("name", ["olivettti", "no/such/file.npz", "mnist "])
def test_unknown_names_are_answered_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"'" + name + r"': use one of olivetti, digits, faces, .*"
                       r"path of an \.npz file, an \.npy file, a folder"):  # fmt: skip
        load(name)


# Generated faces


def test_generated_faces_have_shape_range_and_people(faces):
    check(faces, (400, 64, 64, 1))
    assert (np.bincount(faces.labels) == np.full(40, 10)).all()
    assert (np.diff(faces.labels) != 0).sum() > 300  # the people are mixed
    # As light and as varied as photographs are: Olivetti has 0.55 and 0.17.
    assert 0.35 < faces.images.mean() < 0.65
    assert 0.12 < faces.images.std() < 0.25
    assert np.unique(faces.images.reshape(400, -1), axis=0).shape[0] == 400


def test_generated_faces_are_a_function_of_their_arguments(faces):
    assert make_faces().images.tobytes() == faces.images.tobytes()
    assert (make_faces(seed=1, people=3).images != make_faces(seed=2, people=3).images).any()
    check(make_faces(people=2, variations=3, size=17), (6, 17, 17, 1))


# 36 faces (12 people), each projected on one random direction: any change of the drawing is seen.
FACES = """
-35.831 -32.747 -33.189 -33.247 -30.951 -25.142 -21.564 -32.234 -29.55 -32.594 -24.881 -17.925
-31.426 -33.644 -25.708 -21.055 -34.516 -22.558 -14.67 -31.967 -37.787 -33.54 -24.054 -24.873
-21.521 -30.319 -26.276 -25.159 -35.112 -31.021 -24.591 -31.509 -18.082 -26.047 -15.644 -29.576
"""


def test_generated_faces_are_the_same_in_every_version():
    images = make_faces(people=12, variations=3, size=32).images.reshape(36, -1)
    direction = np.random.default_rng(1).standard_normal(32 * 32)
    np.testing.assert_allclose(images @ direction, np.array(FACES.split(), float), atol=1e-3)


def test_generated_faces_leave_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_faces(people=2)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_one_person_is_nearer_to_itself_than_to_others(faces):
    pixels = faces.images[:, ::2, ::2].reshape(400, -1).astype(np.float64)
    squares = (pixels**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * pixels @ pixels.T
    same = faces.labels[:, None] == faces.labels
    others = ~np.eye(400, dtype=bool)
    assert distances[same & others].mean() < 0.6 * distances[~same].mean()
    nearest = np.where(others, distances, np.inf).argmin(axis=1)
    right = (faces.labels[nearest] == faces.labels).mean()
    # Recognising them is possible and not trivial: Olivetti has 0.95.
    assert 0.8 < right < 0.995


def test_edges_are_smooth():
    # A small picture is close to the average of a large one; with hard edges the last percent
    # of the pixels would be wrong by 0.20 and the worst by 0.64.
    factors = face_factors(people=8, variations=2)
    large = draw_faces(factors, 512).reshape(16, 64, 8, 64, 8, 1).mean(axis=(2, 4))
    wrong = np.abs(draw_faces(factors, 64) - large)
    assert np.quantile(wrong, 0.99) < 0.15
    assert wrong.max() < 0.4


def test_factors_are_known_and_belong_to_people_or_pictures():
    factors = face_factors(people=5, variations=4, seed=3)
    pose = {*VARIATION_FACTORS, "glasses"}
    assert set(factors) == {"person", *PERSON_FACTORS, *PERSON_TRAITS, *pose} - {"owns_glasses"}
    for name, column in factors.items():
        assert column.shape == (20,)
        per_person = [len(np.unique(column[factors["person"] == p])) for p in range(5)]
        if name not in pose:
            assert per_person == [1] * 5, name
        elif name != "glasses":
            assert per_person == [4] * 5, name
    for name, (low, high) in {**PERSON_FACTORS, **VARIATION_FACTORS}.items():
        assert low <= factors[name].min() <= factors[name].max() <= high + 1e-6, name


def test_a_face_is_exactly_the_picture_of_its_factors(faces):
    factors = face_factors()
    assert (factors["person"] == faces.labels).all()
    some = np.array([7, 123, 399])
    alone = draw_faces({name: column[some] for name, column in factors.items()})
    np.testing.assert_allclose(alone, faces.images[some], atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(face_factors(people=1)) - {"person"}))
def test_every_factor_can_be_seen(name):
    factors = face_factors(people=8, variations=1, seed=0)
    factors["glasses"] = np.ones(8, np.float32)
    low, high = {**PERSON_FACTORS, **VARIATION_FACTORS}.get(name, (0.0, 1.0))
    pictures = [
        draw_faces({**factors, name: np.full(8, value, np.float32)}, 32) for value in (low, high)
    ]
    change = np.abs(pictures[1] - pictures[0]).max(axis=(1, 2, 3))
    assert np.median(change) > 0.02


@pytest.mark.parametrize("arguments", [{"people": 0}, {"variations": -1}, {"size": 4}])
def test_impossible_faces_are_refused(arguments):
    with pytest.raises(ValueError, match="Generated faces need at least"):
        make_faces(**arguments)


# Your own images


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 4), np.uint8)


@pytest.mark.parametrize("name", ["images", "x", "X", "data", "whatever"])
def test_npz_files_are_searched_for_images_and_labels(tmp_path, name):
    path = tmp_path / "pictures.npz"
    np.savez(path, **{name: IMAGES})
    dataset = load_images(path)
    check(dataset, (3, 6, 4, 1))
    assert dataset.name == "pictures"
    np.testing.assert_array_equal(dataset.images[..., 0], IMAGES.astype(np.float32) / 255)
    assert dataset.labels.tolist() == [0, 1, 2]  # no labels: each its own
    if name != "whatever":
        np.savez(path, **{name: IMAGES}, y=[4, 4, 7], unrelated=np.zeros(9))
        assert load_images(path).labels.tolist() == [4, 4, 7]


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.ones((2, 5, 4), np.float64), (2, 5, 4, 1)),
        (np.ones((2, 5, 4, 3), np.float16), (2, 5, 4, 3)),
        (np.ones((2, 25), np.float32), (2, 5, 5, 1)),
        (np.full((2, 5, 5), 255, np.int64), (2, 5, 5, 1)),
        (np.ones((2, 5, 5), bool), (2, 5, 5, 1)),
    ],
)
def test_npy_files_of_many_kinds_become_images(tmp_path, array, shape):
    np.save(tmp_path / "a.npy", array)
    dataset = load_images(tmp_path / "a.npy")
    check(dataset, shape)
    assert (dataset.images == 1).all()


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones((2, 26), np.float32), r"have shape \(2, 26\), but .* square"),
        (
            np.ones((2, 3, 8, 8), np.float32),
            r"have shape \(2, 3, 8, 8\).* channels last.*transpose\(0, 2, 3, 1\)",
        ),
        (np.ones(4, np.float32), r"have shape \(4,\)"),
        (np.ones((0, 4, 4), np.float32), r"have shape \(0, 4, 4, 1\)"),
        (np.full((2, 4, 4), 300), "run from 300 to 300, but integers from 0 to 255"),
        (np.full((2, 4, 4), 1.5), "run from 1.5 to 1.5, but values from 0 to 1"),
        (np.full((2, 4, 4), -0.1), "run from -0.1"),
        (np.linspace(-0.1, 0.5, 32).reshape(2, 4, 4), "run from -0.1 to 0.5"),
        (np.linspace(0.1, 1.5, 32).reshape(2, 4, 4), "run from 0.1 to 1.5"),
        (np.full((2, 4, 4), np.nan), "run from nan to nan"),
        (np.full((2, 4, 4), 1j), "are complex128, but numbers are needed"),
        (np.full((2, 4, 4), None), "cannot be read as a NumPy file: it holds something else"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, array, sentence):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(ValueError, match=r"bad\.npy .*" + sentence):
        load_images(tmp_path / "bad.npy")


def test_labels_that_do_not_fit_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=[1, 2])
    with pytest.raises(ValueError, match=r"should be 3 integers.* shape \(2,\)"):
        load_images(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=["p", "q", "r"])
    with pytest.raises(ValueError, match="should be 3 integers, one for each image"):
        load_images(tmp_path / "a.npz")


def test_an_npz_with_several_unknown_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", first=IMAGES, second=IMAGES)
    with pytest.raises(ValueError, match="has the arrays first, second: call the one"):
        load_images(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_damaged_files_are_one_sentence(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save = np.savez if suffix == ".npz" else np.save
    save(path, IMAGES)
    whole = path.read_bytes()
    for damaged in (b"", b"junk", whole[:60], whole[: len(whole) // 2], whole[:-9]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"cannot be read as a NumPy file: .+") as caught:
            load_images(path)
        assert "\n" not in str(caught.value)
        assert caught.value.__suppress_context__


def test_missing_and_foreign_files_are_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file or folder .*nothing\.npz"):
        load_images(tmp_path / "nothing.npz")
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"a\.csv is neither an \.npz file"):
        load_images(tmp_path / "a.csv")


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name, picture in zip(("b.png", "a.PNG", "c.bmp"), IMAGES, strict=True):
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "._b.png").write_bytes(b"what macOS leaves behind")
    dataset = load_images(tmp_path)
    check(dataset, (3, 6, 4, 1))
    assert dataset.name == tmp_path.name
    assert dataset.labels.tolist() == [0, 1, 2]  # one folder is not one person
    expected = IMAGES[[1, 0, 2]].astype(np.float32) / 255
    np.testing.assert_array_equal(dataset.images[..., 0], expected)


def test_subfolders_are_people(tmp_path):
    for person in ("s1", "s2"):
        (tmp_path / person).mkdir()
        for index, picture in enumerate(IMAGES[:2]):
            Image.fromarray(picture).save(tmp_path / person / f"{index}.pgm")
    assert load_images(tmp_path).labels.tolist() == [0, 0, 1, 1]


def test_a_folder_is_in_colour_if_one_of_its_pictures_is(tmp_path):
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "b.png")  # saved as colour
    dataset = load_images(tmp_path)
    check(dataset, (2, 4, 4, 1))
    np.testing.assert_array_equal(dataset.images[0], dataset.images[1])
    red = np.zeros((4, 4, 3), np.uint8)
    red[...] = (255, 0, 0)
    Image.fromarray(red).save(tmp_path / "c.png")
    Image.fromarray(red).convert("P").save(tmp_path / "d.gif")
    Image.fromarray(np.dstack([red, grey])).save(tmp_path / "e.png")
    with pytest.warns(UserWarning, match="1 of 5 pictures .* transparency, which is ignored"):
        dataset = load_images(tmp_path)
    check(dataset, (5, 4, 4, 3))
    np.testing.assert_array_equal(dataset.images[0], np.stack([grey / np.float32(255)] * 3, -1))
    assert (dataset.images[2:] == (1, 0, 0)).all()


def test_a_folder_keeps_the_names_of_its_files(tmp_path):
    for name in ("s2/b.png", "s1/c.bmp", "s2/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(IMAGES[0]).save(tmp_path / name)
    assert load_images(tmp_path).names == ("s1/c.bmp", "s2/a.png", "s2/b.png")
    np.save(tmp_path / "a.npy", IMAGES)
    assert load_images(tmp_path / "a.npy").names is None


def test_folders_that_cannot_be_used_are_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="has no pictures"):
        load_images(tmp_path)
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    Image.fromarray(IMAGES[0].T).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"one size, but .*a\.png is 4x6 and .*b\.png is 6x4"):
        load_images(tmp_path)
    (tmp_path / "b.png").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"b\.png cannot be read as a picture"):
        load_images(tmp_path)


def test_images_shrink_by_whole_numbers_and_otherwise_by_interpolation():
    images = np.random.default_rng(0).random((2, 12, 12, 1), dtype=np.float32)
    np.testing.assert_array_equal(shrink(images, 4), images[:, ::3, ::3])
    assert shrink(images, 12) is images
    for array, size in ((images, 8), (images[:, :, :8], 4), (images, 5), (images, 24)):
        expected = resize_bicubic(array, size, half_pixel_centers=False)
        np.testing.assert_array_equal(shrink(array, size), expected)


def test_everything_public_is_listed():
    assert all(hasattr(datasets, name) for name in datasets.__all__)
