"""Proves that the pictures of a folder keep their names and colours in all that commands make."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from autoencoder import plots
from autoencoder.__main__ import main
from autoencoder.commands.files import _files
from autoencoder.datasets import load_images, make_faces
from autoencoder.runs import open_run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of colour photographs of six people, and a run that was trained on it."""
    place = tmp_path_factory.mktemp("names")
    faces = make_faces(people=6, variations=4, size=16)
    for k, (image, person) in enumerate(zip(faces.images, faces.labels, strict=True)):
        path = place / "photos" / f"s{person}" / f"{chr(ord('z') - k)}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = image * np.array([1.0, 0.8, 0.6])
        Image.fromarray((colours * 255).astype(np.uint8)).save(path)
    options = ["--epochs", "1", "--n-components", "4", "--data", str(place / "photos")]
    assert main(["train", "--model", "dense", *options, "--output", str(place / "run")]) == 0
    return place


def test_the_held_out_files_are_named(place):
    split = json.loads((place / "run" / "config.json").read_text())["split"]
    names = load_images(place / "photos").names
    assert split["files"] == [names[k] for k in split["test"]]
    assert open_run(place / "run").image_shape == (16, 16, 3)


def test_detect_names_the_files_in_table_and_output(place, tmp_path, capsys, monkeypatch):
    run, photos = str(place / "run"), str(place / "photos")
    names = load_images(photos).names
    drawn = {}
    monkeypatch.setattr(plots, "score_groups", lambda groups, *_, **__: drawn.update(groups))
    monkeypatch.setattr(plots, "anomaly_scores", None)  # a ROC would need to know the anomalies
    output = [str(tmp_path / name) for name in ("a.csv", "a.png", "a.npz")]
    assert main(["detect", run, photos, output[0], "--figure", output[1]]) == 0
    with open(output[0]) as file:
        rows = list(csv.DictReader(file))
    assert tuple(row["image"] for row in rows) == names
    scores = np.array([float(row["score"]) for row in rows])
    worst = capsys.readouterr().out.splitlines()[1].split()
    assert worst[0] == names[scores.argmin()]
    flagged = scores[np.array([row["anomalous"] == "1" for row in rows])]
    assert [*drawn] == ["test images", "photos, not anomalous", "photos, anomalous"]  # as its table
    np.testing.assert_allclose(drawn["photos, anomalous"], flagged, atol=1e-6)
    assert main(["detect", run, photos, output[2]]) == 0
    assert tuple(np.load(output[2])["names"]) == names


def test_names_go_through_all_files(place, tmp_path):
    run, photos = str(place / "run"), str(place / "photos")
    names = load_images(photos).names
    codes, decoded, folder = (str(tmp_path / name) for name in ("c.npz", "d.npz", "pictures"))
    assert main(["encode", run, photos, codes]) == 0
    assert main(["decode", run, codes, decoded]) == 0
    assert load_images(decoded).names == names
    assert main(["reconstruct", run, decoded, folder]) == 0
    written = load_images(folder).names
    assert written == tuple(name.replace(".jpg", ".png") for name in names)
    assert load_images(decoded).images.shape[3] == 3


def test_names_that_would_meet_or_leave_the_folder():
    assert _files(("b/A.jpg", "b/a.png"), 2) == ["b/A.jpg.png", "b/a.png.png"]
    for bad in ("../a.png", "/a.png", "b/../../a.png"):
        assert _files((bad,), 1) == ["00000.png"]


def test_a_model_of_grey_images_says_that_it_leaves_out_colours(place, tmp_path, capsys):
    small = ["--image-size", "8", "--n-components", "16", "--epochs", "1"]
    run = str(tmp_path / "run")
    assert main(["train", "--data", str(place / "photos"), *small, "--output", run]) == 0
    assert "their colours are left out" in capsys.readouterr().err
    assert open_run(run).image_shape == (8, 8, 1)
    assert main(["reconstruct", run, str(place / "photos"), str(tmp_path / "a.npy")]) == 0
    assert np.load(tmp_path / "a.npy").shape == (24, 8, 8, 1)


def test_grey_pictures_are_read_by_a_model_of_colours(place, tmp_path):
    np.save(tmp_path / "grey.npy", make_faces(people=1, variations=3, size=16).images)
    run, output = str(place / "run"), str(tmp_path / "a.npy")
    assert main(["reconstruct", run, str(tmp_path / "grey.npy"), output]) == 0
    assert np.load(output).shape == (3, 16, 16, 3)
