"""Proves that the command writes a complete run folder, repeats itself bit for bit, survives
Ctrl-C, and answers bad input with one sentence and exit status 2."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from autoencoder.runs.old_run import Config, reconstruct, run

from autoencoder import datasets
from autoencoder.__main__ import main
from autoencoder.datasets import DataUnavailable
from autoencoder.olivetti import DeepAutoencoder
from minigrad import checkpoint

FIGURES = ["codes.png", "reconstructions_16.png", "reconstructions_8.png", "training_curve.png"]


@pytest.fixture
def data(tmp_path):
    """24 smooth images of 16x16, in a file."""
    rng = np.random.default_rng(0)
    coarse = rng.random((24, 4, 4), np.float32)
    path = tmp_path / "small.npz"
    np.savez(path, images=coarse.repeat(4, axis=1).repeat(4, axis=2))
    return str(path)


def small(data, **options):
    return Config(
        **{**dict(data=data, epochs=3, batch_size=6, image_size=8, code_length=16), **options}
    )


def rows_of(folder):
    with open(folder / "history.csv") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("noise", ["none", "gaussian"])
def test_the_run_folder_is_complete_and_consistent(data, tmp_path, noise):
    folder = tmp_path / "run"
    metrics = run(small(data, noise=noise), folder, progress=False)
    assert sorted(p.name for p in (folder / "figures").iterdir()) == FIGURES
    config = json.loads((folder / "config.json").read_text())
    assert config["epochs"] == 3
    assert config["noise"] == noise
    assert config["data_used"] == "small"
    rows = rows_of(folder)
    assert [r["epoch"] for r in rows] == ["1", "2", "3"]
    saved = json.loads((folder / "metrics.json").read_text())
    assert saved == json.loads(json.dumps(metrics))
    assert float(rows[-1]["loss_per_sample"]) == pytest.approx(
        saved["final_loss_per_sample"], abs=1e-6
    )
    assert ("noisy_input_loss" in saved) == (noise == "gaussian")
    model = DeepAutoencoder(8, 16, rng=np.random.default_rng(9))
    assert checkpoint.load(folder / "model.npz", into=model).about["epochs_done"] == 3
    if noise == "none":
        clean = np.load(data)["images"][:, ::2, ::2, None]
        rebuilt, codes = reconstruct(model, clean, batch_size=7)
        assert codes.shape == (24, 16)
        loss = ((rebuilt.astype(float) - clean) ** 2).sum() / 2 / 24
        assert saved["loss_all_images"] == pytest.approx(loss, rel=1e-5)
        mean = ((clean.astype(float) - clean.mean(0, dtype=float)) ** 2).sum() / 2 / 24
        assert saved["baselines_all_images"]["mean image"] == pytest.approx(mean, rel=1e-6)


def test_the_same_seed_repeats_bit_for_bit_and_another_does_not(data, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(small(data, seed=seed, noise="gaussian"), tmp_path / name, progress=False)
    a, b, c = (checkpoint.load(tmp_path / n / "model.npz").arrays for n in "abc")
    assert rows_of(tmp_path / "a") == rows_of(tmp_path / "b") != rows_of(tmp_path / "c")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert not np.array_equal(a["encoder.layers.0.weight"], c["encoder.layers.0.weight"])


def test_noise_changes_neither_the_first_weights_nor_the_order(data, tmp_path):
    metrics = [
        run(small(data, noise=n, learning_rate=1e-12), tmp_path / n, progress=False)
        for n in ("none", "gaussian")
    ]
    a, b = (checkpoint.load(tmp_path / n / "model.npz").arrays for n in ("none", "gaussian"))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=1e-10)
    assert metrics[0]["final_loss_per_sample"] != metrics[1]["final_loss_per_sample"]


def test_ctrl_c_stops_after_the_epoch_and_everything_is_written(data, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "autoencoder", "train", "--data", data, "--epochs", "100000"]
    command += ["--image-size", "8", "--code-length", "16", "--batch-size", "6"]
    process = subprocess.Popen(
        [*command, "--output", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.time() + 60
    while not (folder / "config.json").exists() and time.time() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Stopped after" in out
    assert "Traceback" not in err
    done = len(rows_of(folder))
    assert 0 < done < 100000
    assert checkpoint.load(folder / "model.npz").about["epochs_done"] == done
    assert sorted(p.name for p in (folder / "figures").iterdir()) == FIGURES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nothing"], "nothing"),
        (["--epochs", "0"], "epochs must be above 0, got 0"),
        (["--batch-size", "-3"], "batch_size must be above 0, got -3"),
        (["--learning-rate", "nan"], "learning_rate must be above 0, got nan"),
        (["--noise", "gaussian", "--noise-std", "0"], "noise_std must be above 0"),
        (["--image-size", "7"], "image size must be even"),
        (["--code-length", "0"], "code_length must be above 0"),
        (["--device", "cuda"], "cuda"),
        (["--seed", "-1"], "seed must be 0 or more"),
    ],
)
def test_bad_input_gets_one_sentence(data, tmp_path, capsys, arguments, words):
    standard = ["--data", data, "--epochs", "1", "--image-size", "8", "--code-length", "16"]
    status = main(["train", *standard, *arguments, "--output", str(tmp_path / "run")])
    err = capsys.readouterr().err
    assert status == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_colour_images_are_refused(tmp_path, capsys):
    np.save(tmp_path / "colour.npy", np.zeros((3, 8, 8, 3), np.uint8))
    data = str(tmp_path / "colour.npy")
    assert main(["train", "--data", data, "--output", str(tmp_path / "run")]) == 2
    assert "square grey images" in capsys.readouterr().err


def test_without_the_real_faces_generated_ones_are_used_and_named(tmp_path, capsys, monkeypatch):
    def unavailable(**options):
        raise DataUnavailable("no faces here")

    monkeypatch.setattr(datasets, "load_olivetti", unavailable)
    arguments = ["train", "--epochs", "1", "--image-size", "8", "--code-length", "16"]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "no faces here" in out
    assert "generated faces" in out
    assert (
        json.loads((tmp_path / "run" / "config.json").read_text())["data_used"] == "generated faces"
    )


def test_a_folder_that_cannot_be_written_is_named(data, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    status = main(["train", "--data", data, "--output", str(tmp_path / "file" / "run")])
    assert status == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_run_leaves_numpy_and_the_environment_alone(data, tmp_path):
    before, environment = np.random.get_state()[1].tolist(), dict(os.environ)  # noqa: NPY002
    run(small(data, epochs=1), tmp_path / "run", progress=False)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert dict(os.environ) == environment


@pytest.mark.parametrize(("restarts", "expected"), [(0, 0), (2, 2), (5, 3)])
def test_a_collapsed_run_begins_again_with_other_weights(
    data, tmp_path, monkeypatch, capsys, restarts, expected
):
    """The first three models are built with a dead encoder; the fourth is alive."""
    built = []

    class Fated(DeepAutoencoder):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            built.append(self.encoder.layers[0].weight.data.copy())
            if len(built) <= 1 + 3:  # the first only tries whether the model can be built
                self.encoder.layers[5].weight.data[...] = 0
                self.encoder.layers[3].bias.data[...] = -1e9

    monkeypatch.setattr("autoencoder.runs.attempts.DeepAutoencoder", Fated)
    config = small(data, epochs=5, restarts=restarts)
    metrics = run(config, tmp_path / "run", progress=False)
    assert metrics["restarts"] == expected
    assert metrics["epochs"] == 5
    assert len(built) == 2 + expected
    assert len({w.tobytes() for w in built}) == len(built)
    assert capsys.readouterr().out.count("beginning again with other weights") == expected
