"""Proves that every command does what its Python counterpart does, on files that come back."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from forged import forge_config
from PIL import Image

from autoencoder.__main__ import main
from autoencoder.codec import Codec
from autoencoder.commands import arguments
from autoencoder.datasets import load_digits, load_images, make_faces
from autoencoder.parts import CHOICES
from autoencoder.runs import MODELS, figures, open_run, train
from autoencoder.runs.figures import FIGURES

FILES = {"checkpoint.npz", "config.json", "figures", "history.csv", "metrics.json", "model.npz"}
FILES |= {"report.html"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images of digits and of faces, and four runs."""
    place = tmp_path_factory.mktemp("commands")
    digits = load_digits()
    np.savez(place / "train.npz", images=digits.images[:300], labels=digits.labels[:300])
    np.savez(place / "new.npz", images=digits.images[300:330], labels=digits.labels[300:330])
    faces = make_faces(people=6, variations=4, size=16)
    np.savez(place / "faces.npz", images=faces.images, labels=faces.labels)
    for model, data, *options in (
        ("dense", "train.npz", "--n-components", "10", "--epochs", "3", "--batch-size", "32"),
        (
            "vae",
            "train.npz",
            "--n-components",
            "2",
            "--epochs",
            "2",
            "--beta",
            "0.5",
            "--likelihood",
            "optimal_gaussian",
        ),
        ("denoising", "faces.npz", "--epochs", "1", "--image-size", "8", "--n-components", "9"),
        ("olivetti", "faces.npz", "--epochs", "1", "--image-size", "8", "--n-components", "9"),
    ):
        assert run(place, "train", "--model", model, "--data", data, *options, out=model) == 0
    return place


def run(place, verb, *arguments, out=None):
    """Run a command with file names taken as those in `place`; returns the exit status."""
    given = [str(place / a) if "." in a and not a[0].isdigit() else a for a in arguments]
    return main([verb, *given, *(["--output", str(place / out)] if out else [])])


def stored(path, name="images"):
    with np.load(path) as file:
        return file[name]


@pytest.mark.parametrize("model", ["dense", "vae", "denoising", "olivetti"])
def test_a_run_folder_is_complete(place, model):
    folder = place / model
    assert {path.name for path in folder.iterdir()} == FILES
    config = json.loads((folder / "config.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert Path(config["data"]).is_absolute()
    with open(folder / "history.csv") as file:
        assert len(list(csv.DictReader(file))) == metrics["epochs"] == config["epochs"]
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    rows = metrics["evaluation"]["reconstruction"]
    assert drawn <= set(FIGURES)
    assert {"reconstructions", "loss", "samples", "rate_distortion"} <= drawn
    assert ("manifold" in drawn) == ("traversals" in drawn) == (model == "vae")
    assert ("training_curve" in drawn) == (model == "olivetti")  # a fixed variance
    assert ("full_size" in drawn) == (model in ("denoising", "olivetti"))
    assert {"model", "untrained network", "mean image"} < set(rows)
    assert ("Wiener filter" in rows) == (model == "denoising")
    assert "final_loss_as_published" not in metrics  # these are other data


def test_only_the_published_data_and_settings_are_compared_with_the_publication(place):
    opened = open_run(place / "olivetti")
    usual = {**opened.config, "image_size": 32, "n_components": 256, "batch_size": 50}
    usual |= {"data": "olivetti", "data_used": "olivetti"}
    assert replace(opened, config=usual).published is MODELS["olivetti"].published
    for other in ({"data_used": "generated faces"}, {"noise": "gaussian"}, {"image_size": 16}):
        assert replace(opened, config=usual | other).published is None
    assert open_run(place / "dense").published is None


def test_people_are_on_one_side_of_the_split_only(place):
    split = json.loads((place / "denoising" / "config.json").read_text())["split"]
    labels = stored(place / "faces.npz", "labels")
    held_out = labels[split["test"]]
    assert split["how"] == "1 of 6 people"
    assert len(held_out) == 4
    assert set(labels[np.setdiff1d(np.arange(24), split["test"])]).isdisjoint(held_out)
    samples = open_run(place / "denoising").samples()
    full = stored(place / "faces.npz")[split["test"]]
    np.testing.assert_array_equal(samples.test, full[:, ::2, ::2])
    assert len(json.loads((place / "dense" / "config.json").read_text())["split"]["test"]) == 30


def test_settings_reach_the_estimator(place):
    vae, denoising = (open_run(place / name).estimator for name in ("vae", "denoising"))
    assert vae.code.beta == 0.5
    assert vae.likelihood == "optimal_gaussian"
    assert repr(denoising.noise) == "GaussianNoise(clip=(0, 1))"
    assert open_run(place / "dense").estimator.get_params()["batch_size"] == 32
    assert (vae.callbacks, vae.verbose) == (None, 0)


@pytest.mark.parametrize(("model", "data"), [("dense", "new.npz"), ("olivetti", "faces.npz")])
def test_decode_of_encode_is_reconstruct(place, tmp_path, model, data):
    folder, given = str(place / model), str(place / data)
    assert main(["encode", folder, given, str(tmp_path / "codes.npz")]) == 0
    assert main(["decode", folder, str(tmp_path / "codes.npz"), str(tmp_path / "a.npz")]) == 0
    assert main(["reconstruct", folder, given, str(tmp_path / "b.npy")]) == 0
    decoded, rebuilt = stored(tmp_path / "a.npz"), np.load(tmp_path / "b.npy")
    np.testing.assert_array_equal(decoded, rebuilt)
    opened = open_run(folder)
    rows = opened.rows(load_images(given).images)
    np.testing.assert_array_equal(
        rebuilt.reshape(len(rows), -1), opened.estimator.reconstruct(rows)
    )
    labels = stored(place / data, "labels")
    np.testing.assert_array_equal(stored(tmp_path / "codes.npz", "labels"), labels)


@pytest.mark.parametrize("step", [None, "0.4"])
def test_decompress_of_compress_is_decode_of_the_quantised_codes(place, tmp_path, step, capsys):
    packed, folder = tmp_path / "new.mgae", place / "dense"
    options = ["--step", step] if step else []
    for _ in range(2):  # the second time with the tables that the first one left
        assert run(place, "compress", str(folder), "new.npz", str(packed), *options) == 0
    out = capsys.readouterr().out
    assert f"{packed.stat().st_size:,}" in out
    assert "JPEG" in out
    assert run(place, "decompress", str(folder), str(packed), str(tmp_path / "back.npz")) == 0
    opened = open_run(folder)
    codec = Codec.load(folder / (f"codec-{step}.npz" if step else "codec.npz"), opened.estimator)
    X = opened.rows(stored(place / "new.npz"))
    quantiser = codec.quantiser_
    codes = quantiser.dequantise(quantiser.quantise(opened.estimator.transform(X)))
    np.testing.assert_array_equal(stored(tmp_path / "back.npz"), opened.decode(codes))
    assert packed.read_bytes() == codec.compress(X)


def test_evaluate_prints_what_training_measured_and_keeps_it(place, capsys):
    path = place / "dense" / "metrics.json"
    before = json.loads(path.read_text())
    assert run(place, "evaluate", str(place / "dense")) == 0
    out = capsys.readouterr().out
    assert json.loads(path.read_text()) == before
    assert str(before["evaluation"]["reconstruction"]["model"]["PSNR"])[:4] in out
    assert "mean image" in out
    assert run(place, "evaluate", str(place / "dense"), "--data", "new.npz") == 0
    other = json.loads(path.read_text())["evaluation_of_other_data"]
    (results,) = other.values()
    assert results["reconstruction"] != before["evaluation"]["reconstruction"]


def test_the_reference_model_is_measured_and_its_prior_sampled(place, tmp_path, capsys):
    folder = str(place / "olivetti")
    assert main(["evaluate", folder]) == 0
    assert "which the model was trained on" in capsys.readouterr().out
    assert main(["sample", folder, str(tmp_path / "s.npz"), "-n", "5", "--prior", "gaussian"]) == 0
    assert stored(tmp_path / "s.npz").shape == (5, 8, 8, 1)
    assert main(["plot", folder, "--only", "filters", "samples"]) == 0


def test_moved_data_are_known_again_and_changed_ones_refused(place, tmp_path, capsys):
    moved = tmp_path / "moved.npz"
    moved.write_bytes((place / "train.npz").read_bytes())
    opened = open_run(place / "dense")
    np.testing.assert_array_equal(opened.samples(str(moved)).test, opened.samples().test)
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("model.npz", "config.json"):
        (folder / name).write_bytes((place / "dense" / name).read_bytes())
    for name, words in (("data", "on"), ("labels", "with")):
        before = {f"{name}_crc32": opened.config[f"{name}_crc32"]}
        forge_config(folder, **{f"{name}_crc32": 1})
        assert main(["evaluate", str(folder)]) == 2
        assert f"are not those that this model was trained {words}" in capsys.readouterr().err
        forge_config(folder, **before)


def test_shuffled_labels_and_any_changed_image_are_noticed(place, tmp_path, capsys):
    images, labels = stored(place / "train.npz"), stored(place / "train.npz", "labels")
    data, folder = tmp_path / "mine.npz", tmp_path / "run"
    images = np.tile(images, (4, 1, 1, 1))  # 1,200 of them: the last ones count, too
    labels = np.tile(labels, 4)
    np.savez(data, images=images, labels=labels)
    train = ["train", "--model", "dense", "--data", str(data), "--epochs", "1"]
    assert main([*train, "--n-components", "2", "--output", str(folder)]) == 0
    assert main(["evaluate", str(folder)]) == 0
    shuffled, changed = np.random.default_rng(0).permutation(labels), images.copy()
    changed[-1, 4, 4] = 0.25
    for others, words in (
        ((images, shuffled), "labels of"),
        ((changed, labels), "images of"),
        ((images[:-1], labels[:-1]), "images of"),
    ):
        for where in (data, tmp_path / "moved.npz"):
            np.savez(where, images=others[0], labels=others[1])
        capsys.readouterr()
        assert main(["evaluate", str(folder)]) == 2
        assert f"the {words} {data} are not those" in capsys.readouterr().err
        np.savez(data, images=images, labels=labels)
        moved = main(["evaluate", str(folder), "--data", str(tmp_path / "moved.npz")])
        assert moved == (2 if words == "labels of" else 0)  # other images are other data


def test_measuring_leaves_the_cores_to_others(place, monkeypatch):
    """Of BLAS's threads, which spin, a machine that is not idle gets ten times slower."""
    seen = []

    def watched(*arguments, **options):
        info = threadpoolctl.threadpool_info()
        seen.extend(lib["num_threads"] for lib in info if lib["user_api"] == "blas")

    opened = open_run(place / "dense")
    monkeypatch.setattr(train, "evaluate", watched)
    monkeypatch.setitem(FIGURES, "codes", FIGURES["codes"]._replace(draw=watched))
    with threadpoolctl.threadpool_limits(2, "blas"):
        train.assess(opened, opened.samples())
        figures.draw(opened, opened.samples(), ["codes"])
    assert set(seen) == {1}


def test_plot_draws_what_is_asked_for(place, capsys):
    figures = place / "vae" / "figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    (figures / "units.png").unlink()
    assert main(["plot", str(place / "vae"), "--only", "units"]) == 0
    assert str(figures / "units.png") in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == before


def test_samples_repeat_and_depend_on_the_seed(place, tmp_path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        path = str(tmp_path / f"{name}.npz")
        assert main(["sample", str(place / "vae"), path, "-n", "3", "--seed", seed]) == 0
    a, b, c = (stored(tmp_path / f"{name}.npz") for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_denoise_adds_the_noise_that_it_is_asked_for(place, tmp_path, capsys):
    arguments = ["denoise", str(place / "denoising"), str(place / "faces.npz")]
    assert main([*arguments, str(tmp_path / "grid.png"), "--noise-std", "0.3"]) == 0
    assert "dB noisy" in capsys.readouterr().out
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size[0] > 100
    assert main([*arguments, str(tmp_path / "a.npz"), "--noise-std", "0.3"]) == 0
    assert main([*arguments, str(tmp_path / "b.npz")]) == 0
    assert not np.array_equal(stored(tmp_path / "a.npz"), stored(tmp_path / "b.npz"))
    rebuilt = open_run(place / "denoising").reconstruct(stored(place / "faces.npz"))
    np.testing.assert_array_equal(stored(tmp_path / "b.npz"), rebuilt)


def test_a_folder_of_pictures_can_be_written_and_read(place, tmp_path):
    folder = tmp_path / "pictures"
    dense = str(place / "dense")
    assert run(place, "reconstruct", dense, "new.npz", str(folder)) == 0
    assert run(place, "reconstruct", dense, "new.npz", str(tmp_path / "a.npz")) == 0
    pictures = load_images(folder).images
    np.testing.assert_allclose(pictures, stored(tmp_path / "a.npz"), atol=0.5 / 255 + 1e-6)
    assert main(["encode", dense, str(folder), str(tmp_path / "codes.npy")]) == 0
    assert np.load(tmp_path / "codes.npy").shape == (30, 10)


@pytest.mark.parametrize("model", ["dense", "olivetti"])
def test_detect_flags_the_scores_below_the_training_quantile(place, tmp_path, model, capsys):
    opened = open_run(place / model)
    given = str(place / ("new.npz" if model == "dense" else "faces.npz"))
    arguments = ["detect", str(place / model), given]
    figure = ["--figure", str(tmp_path / "roc.png")]
    assert main([*arguments, str(tmp_path / "s.npz"), "--contamination", "0.2", *figure]) == 0
    X_train, _ = opened.samples().rows
    threshold = np.quantile(opened.estimator.score_samples(X_train), 0.2)
    scores = opened.estimator.score_samples(opened.rows(load_images(given).images))
    np.testing.assert_allclose(stored(tmp_path / "s.npz", "scores"), scores)
    np.testing.assert_array_equal(stored(tmp_path / "s.npz", "anomalous"), scores < threshold)
    assert (tmp_path / "roc.png").exists()
    assert f"{np.sum(scores < threshold)} of {len(scores)} images" in capsys.readouterr().out
    assert main([*arguments, str(tmp_path / "s.csv")]) == 0
    with open(tmp_path / "s.csv") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(row["score"]) for row in rows], scores, atol=1e-6)


def test_detect_does_not_flag_a_score_that_is_the_threshold(place, tmp_path, monkeypatch):
    opened, given = open_run(place / "dense"), str(place / "new.npz")
    scores = opened.estimator.score_samples(opened.rows(load_images(given).images))
    monkeypatch.setattr(np, "quantile", lambda *_: np.sort(scores)[5])
    assert main(["detect", str(place / "dense"), given, str(tmp_path / "s.npz")]) == 0
    assert stored(tmp_path / "s.npz", "anomalous").sum() == 5


def test_a_score_falls_with_the_squared_error(place):
    opened = open_run(place / "olivetti")
    X, _ = opened.samples().rows
    errors = np.square(X - opened.estimator.reconstruct(X), dtype=float).sum(axis=1)
    differences = opened.estimator.score_samples(X) + errors / 2
    np.testing.assert_allclose(differences, -32 * np.log(2 * np.pi), rtol=1e-9)  # D = 64


def test_info_and_data_say_what_there_is(place, capsys):
    assert main(["info", str(place / "dense")]) == 0
    assert "30 of 300 images, drawn" in capsys.readouterr().out
    assert main(["info", str(place / "vae" / "model.npz")]) == 0
    assert "VariationalAutoencoder" in capsys.readouterr().out
    assert main(["data"]) == 0
    assert "olivetti" in capsys.readouterr().out
    assert main(["data", str(place / "new.npz")]) == 0
    assert "30 images, 8x8, grey" in capsys.readouterr().out


def test_every_model_can_replace_the_run_of_another(place, tmp_path):
    output = tmp_path / "run"
    for model in ("conv", "sparse", "contractive"):
        options = ["--epochs", "1", "--n-components", "3", "--validation-fraction", "0.2"]
        options += ["--overwrite"]
        assert run(place, "train", "--model", model, "--data", "new.npz", *options, out=output) == 0
        opened = open_run(output)
        assert opened.config["model"] == model
        assert type(opened.estimator) is MODELS[model].estimator
        assert opened.estimator.reconstruct(opened.samples().rows[1]).shape == (3, 64)
        assert "validation_loss" in opened.history()


def test_the_grammar_knows_what_the_table_of_models_knows():
    assert set(arguments.MODELS) == set(MODELS)
    assert set(arguments.LIKELIHOODS) == set(CHOICES["likelihood"])
    assert set(arguments.NOISES) == {"none", *CHOICES["noise"]}
