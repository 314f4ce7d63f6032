"""Proves that tables, pictures of mixed sizes and large arrays go through the commands."""

import csv
import json
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image

import autoencoder as ae
from autoencoder.__main__ import main
from autoencoder.datasets import images, load_images
from autoencoder.evaluation.tables import evaluate_table
from autoencoder.runs import dataset, open_run
from autoencoder.runs.config import Config, size_of

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table, pictures of mixed sizes, and a run of each."""
    folder = tmp_path_factory.mktemp("data")
    z = RNG.normal(size=(120, 1))
    X = z * [1.0, 10, 1000, -2] + RNG.normal(size=(120, 4)) * [0.1, 1, 100, 0.1] + [0, 5, 1e4, 0]
    X[RNG.random(X.shape) < 0.03] = np.nan
    with open(folder / "cars.csv", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Höhe", "b;2", "weight", "d", "kind"])
        for row, kind in zip(X, np.where(z[:, 0] > 0, "big", "small"), strict=True):
            writer.writerow([*("" if np.isnan(x) else f"{x:.6g}" for x in row), kind])
    (folder / "mixed").mkdir()
    for k in range(12):
        size = (int(RNG.integers(10, 30)), int(RNG.integers(10, 30)))
        pixels = RNG.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "mixed" / f"{k:02d} ü.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        common = ["--epochs", "3", "--n-components", "1", "--seed", "0"]
        table = ["--data", str(folder / "cars.csv"), "--label", "kind"]
        assert main(["train", *table, *common, "--output", str(folder / "table")]) == 0
        pictures = ["--data", str(folder / "mixed"), "--size", "12x8", "--model", "dense"]
        how = ["--likelihood", "gaussian", "--fit", "pad"]
        assert main(["train", *pictures, *common, *how, "--output", str(folder / "images")]) == 0
    return folder


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


# ---------------------------------------------------------------------- tables
def test_a_run_of_a_table(place):
    config = json.loads((place / "table" / "config.json").read_text())
    assert config["columns"] == ["Höhe", "b;2", "weight", "d"] and config["image_shape"] == [
        1,
        4,
        1,
    ]
    assert config["model"] == "dense" and config["likelihood"] == "gaussian"
    run = open_run(place / "table")
    assert run.is_table and run.estimator.missing == "mask" and run.estimator._scaling is not None
    metrics = json.loads((place / "table" / "metrics.json").read_text())
    assert next(iter(metrics["evaluation"]["rows"])) == "model"
    figures = {path.stem for path in (place / "table" / "figures").glob("*.png")}
    assert figures == {"loss", "codes"}
    assert "rows have a mean squared error" in (place / "table" / "report.html").read_text()


def test_the_commands_read_and_write_tables(place, tmp_path, capsys):
    run, data = open_run(place / "table"), str(place / "cars.csv")
    rows = run.read(data).images.reshape(120, 4)
    assert np.isnan(rows).any()
    for verb, expected, header in (
        ("encode", run.estimator.transform(rows), ["code_1"]),
        ("reconstruct", run.estimator.reconstruct(rows), run.config["columns"]),
    ):
        out = tmp_path / f"{verb}.csv"
        assert main([verb, str(run.folder), data, str(out)]) == 0
        names, numbers = read(out)
        assert names == header
        np.testing.assert_array_equal(np.array(numbers, np.float32), expected)
    assert main(["encode", str(run.folder), data, str(tmp_path / "encode.csv")]) == 0  # its own
    assert main(["encode", str(run.folder), data, str(tmp_path / "z.npz")]) == 0
    assert main(["decode", str(run.folder), str(tmp_path / "z.npz"), str(tmp_path / "x.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), run.estimator.reconstruct(rows))
    assert main(["detect", str(run.folder), data, str(tmp_path / "scores.csv")]) == 0
    names, numbers = read(tmp_path / "scores.csv")
    assert names == ["row", "score", "anomalous"] and len(numbers) == 120
    out = str(tmp_path / "new.csv")
    assert main(["sample", str(run.folder), out, "-n", "5", "--prior", "gaussian"]) == 0
    assert np.array(read(out)[1], float)[:, 2].mean() > 1000  # in the columns' own units
    assert main(["evaluate", str(run.folder)]) == 0
    assert main(["plot", str(run.folder), "--only", "codes"]) == 0
    assert main(["info", str(run.folder)]) == 0
    assert "rows of Höhe, b;2, weight, d, 1 code units" in capsys.readouterr().out
    assert main(["data", data, "--label", "kind"]) == 0
    assert "missing" in capsys.readouterr().out


def test_columns_are_found_by_their_names(place, tmp_path, capsys):
    run = open_run(place / "table")
    (tmp_path / "other.csv").write_text("d,extra,weight,b;2,Höhe\n1,9,1000,2,3\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="the model does not read 'extra'"):
        data = run.read(tmp_path / "other.csv")
    assert data.images.ravel().tolist() == [3, 2, 1000, 1]
    (tmp_path / "less.csv").write_text("d,weight\n1,1000\n")
    args = [str(run.folder), str(tmp_path / "less.csv"), str(tmp_path / "z.csv")]
    assert main(["encode", *args]) == 2
    assert "has no 'Höhe', 'b;2', and the model reads these columns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "CSV", "--model", "olivetti"], "--model olivetti is for images"),
        (["train", "--data", "CSV", "--model", "conv"], "is for images, and"),
        (["train", "--data", "CSV", "--size", "8"], "--size is for images"),
        (["train", "--data", "CSV", "--label", "sort"], "has no column 'sort': it has"),
        (["train", "--data", "CSV"], "no numbers, 'kind' (such as"),
        (["train", "--data", "MIXED", "--label", "kind"], "--label names a column of a table"),
        (["train", "--data", "MIXED", "--size", "big", "--model", "dense"], "--size must be like"),
        (["train", "--data", "MIXED", "--model", "dense"], "All pictures must have one size"),
        (["train", "--data", "digits", "--size", "4", "--model", "dense"], "for your own files"),
        (["compress", "TABLE", "CSV", "x.mgae"], "compress is for images, and"),
        (["reconstruct", "TABLE", "CSV", "x.png"], "has the wrong ending: use .csv, .npz, .npy"),
        (["encode", "TABLE", "MIXED", "x.csv"], "is no table, and the model reads one"),
        (["encode", "IMAGES", "CSV", "x.npz"], "is a table, and the model reads images"),
        (["plot", "TABLE", "--only", "manifold"], "the figure manifold is of images"),
        (["reconstruct", "TABLE", "CSV", "CSV"], "is where the input is"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(
    place, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    names = {"CSV": "cars.csv", "MIXED": "mixed", "TABLE": "table", "IMAGES": "images"}
    assert main([str(place / names[a]) if a in names else a for a in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_measured_in_standard_deviations():
    X = RNG.normal(size=(200, 1)) * [1.0, 1000.0] + [0, 5]
    model = ae.Autoencoder(1, random_state=0, max_epochs=100).fit(X)
    rows = evaluate_table(model, X[:150], X[150:])["rows"]
    assert rows["model"]["MSE"] < 0.01 and rows["PCA 1"]["MSE"] < 1e-10
    expected = np.square((X[150:] - X[:150].mean(axis=0)) / X[:150].std(axis=0)).mean()
    assert rows["means of the columns"]["MSE"] == pytest.approx(expected)
    X[170, 0] = np.nan
    model = ae.Autoencoder(1, missing="mask", random_state=0, max_epochs=100).fit(X)
    assert list(evaluate_table(model, X[:150], X[150:])["rows"]) == [
        "model",
        "means of the columns",
    ]


# ---------------------------------------------------------------------- pictures
def test_pictures_of_mixed_sizes_are_read_by_every_command_as_by_train(place, tmp_path):
    run = open_run(place / "images")
    assert run.image_shape == (8, 12, 3) and run.config["fit"] == "pad"
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(tmp_path / "white.png")
    out = tmp_path / "z.npz"
    assert main(["encode", str(run.folder), str(place / "mixed"), str(out)]) == 0
    assert np.load(out)["codes"].shape == (12, 1)
    image = run.read(tmp_path).images[0]
    assert (image[:, [0, 1, 10, 11]] == 0).all() and (image[:, 2:10] == 1).all()  # padded
    assert size_of("12x8") == (8, 12) and Config(size="7").reading["size"] == (7, 7)


def test_older_runs_without_the_new_settings_are_read(place, tmp_path):
    config = json.loads((place / "table" / "config.json").read_text())
    older = {k: v for k, v in config.items() if k not in ("size", "fit", "label", "columns")}
    assert Config.recorded({**older, "data": "mnist"}) == Config.recorded(
        {**config, "data": "mnist", "label": None}
    )


# ---------------------------------------------------------------------- large arrays
@pytest.fixture
def mapped(monkeypatch):
    """Files of any size count as large ones."""
    monkeypatch.setattr(images, "MAPPED", 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16"])
def test_large_arrays_stay_on_disk_and_have_the_same_numbers(tmp_path, monkeypatch, dtype):
    pixels = RNG.random((600, 6, 5))
    if dtype.startswith("u"):
        pixels *= np.iinfo(dtype).max
    path = tmp_path / "a.npy"
    np.save(path, pixels.astype(dtype))
    expected = load_images(path).images
    monkeypatch.setattr(images, "MAPPED", 0)
    found = load_images(path).images
    assert isinstance(found, np.memmap) and not isinstance(expected, np.memmap)
    np.testing.assert_array_equal(found, expected)
    chosen = RNG.random(600) < 0.3
    assert isinstance(dataset.part(found, chosen), np.memmap)
    np.testing.assert_array_equal(dataset.part(found, chosen), expected[chosen])


def test_damaged_large_arrays_are_a_sentence(tmp_path, mapped):
    path = tmp_path / "a.npy"
    np.save(path, RNG.random((60, 6, 5), dtype=np.float32))
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[:60], b"junk", b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as a NumPy file: ") as caught:
            load_images(path)
        assert "\n" not in str(caught.value)
    np.save(path, np.full((60, 6, 5), None))
    with pytest.raises(ValueError, match="cannot be read as a NumPy file: "):
        load_images(path)


def test_encoding_a_large_array_takes_constant_memory(tmp_path, mapped):
    path = tmp_path / "a.npy"
    model = ae.Autoencoder(2, max_epochs=1, random_state=0)
    model.fit(RNG.random((60, 256), dtype=np.float32))

    def peak(count):
        np.save(path, RNG.random((count, 16, 16), dtype=np.float32))
        tracemalloc.start()
        images = load_images(path).images
        model.transform(images.reshape(len(images), -1))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(100)
    assert peak(6000) < 1_500_000  # of 6.1 MB


def test_a_table_can_be_explored(place, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["explore", str(place / "table"), "--output", str(out)]) == 0
    assert out.is_file() and "rows without missing numbers" in out.read_text(encoding="utf-8")
