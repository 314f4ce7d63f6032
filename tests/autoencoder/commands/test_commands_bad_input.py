"""Proves that every wrong input gets one sentence and status 2, and that nothing is overwritten."""

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from autoencoder.__main__ import main
from autoencoder.datasets import load_digits
from autoencoder.runs import open_run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Images, a run, and files that are something else; the run as a file name is "run"."""
    place = tmp_path_factory.mktemp("wrong")
    digits = load_digits().images[:40]
    np.savez(place / "digits.npz", images=digits)
    np.savez(place / "odd.npz", images=np.zeros((2, 8, 9)))
    np.savez(place / "wide.npz", images=np.zeros((2, 16, 16)))
    np.savez(place / "codes.npz", codes=np.zeros((2, 5)))
    np.savez(place / "nan_codes.npz", codes=np.full((2, 3), np.nan))
    digits[3, 4, 4] = np.nan
    np.save(place / "nan.npy", digits)
    (place / "junk.npz").write_text("no archive")
    (place / "table.csv").write_text("a,b\n1,2\n")
    (place / "file").write_text("a file")
    (place / "full").mkdir()
    (place / "full" / "mine.txt").write_text("mine")
    train = ["train", "--model", "dense", "--data", str(place / "digits.npz"), "--epochs", "1"]
    assert main([*train, "--n-components", "3", "--output", str(place / "run")]) == 0
    return place


def snapshot(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def refused(arguments, capsys):
    """The sentence with which the command was refused."""
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert error.startswith("python -m autoencoder")
    return error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--model dens", "invalid choice: 'dens'"),
        ("--epochs many", "invalid int value: 'many'"),
        ("--wings 2", "unrecognized arguments: --wings"),
        ("--beta 2", "--beta belongs to --model vae"),
        ("--penalty-weight 2", "--penalty-weight belongs to --model sparse or contractive"),
        ("--noise-std 1", "--noise-std belongs to --noise gaussian"),
        ("--noise gaussian --noise-std 0", "noise_std must be above 0"),
        ("--restarts -1", "restarts must be 0 or more"),
        ("--model olivetti --likelihood bernoulli", "--model olivetti has no --likelihood"),
        ("--model olivetti --hidden 3", "--model olivetti has no --hidden"),
        ("--model denoising --noise none", "without noise is --model dense"),
        ("--model conv --hidden", "needs --hidden, the channels"),
        ("--model vae --beta -1", "beta must be 0 or more"),
        ("--model sparse --penalty-weight -1", "penalty_weight must be 0 or more"),
        ("--epochs 0", "epochs must be above 0, got 0"),
        ("--n-components 0", "n_components must be above 0"),
        ("--batch-size -1", "batch_size must be above 0"),
        ("--learning-rate nan", "learning_rate must be above 0"),
        ("--image-size 0", "image_size must be above 0"),
        ("--image-size 5", "are 8x8 grey, the model reads 5x5 grey"),
        ("--hidden 0", "every width in hidden"),
        ("--patience 0", "patience must be"),
        ("--validation-fraction 1", "validation_fraction must be"),
        ("--test-fraction 1", "test_fraction must be at least 0 and below 1"),
        ("--seed -1", "seed must be 0 or more"),
        ("--device cuda", "cuda"),
        ("--data nothing", "There are no data called 'nothing'"),
        ("--data {}/nan.npy", "run from nan to nan"),
        ("--data {}/junk.npz", "cannot be read"),
        ("--output {}/full", "holds something else than a run"),
        ("--output {}", "the data are in"),
        ("--output {}/file/run", "file"),
    ],
)
def test_train_refuses_before_anything_is_written(place, capsys, options, words):
    before = snapshot(place)
    standard = ["--model", "dense", "--data", str(place / "digits.npz")]
    given = [option.format(place) for option in options.split()]
    if "--output" not in given:
        given += ["--output", str(place / "new")]
    assert words in refused(["train", *standard, *given], capsys)
    assert snapshot(place) == before
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "COMMAND"),
        ("fly", "invalid choice: 'fly'"),
        ("evaluate", "required: RUN"),
        ("evaluate nowhere", "there is no folder"),
        ("evaluate full", "not a finished run, it has no config.json and no model.npz"),
        ("evaluate run --data wide.npz", "are 16x16 grey, the model reads 8x8 grey"),
        ("plot run --only filterz", "there is no figure 'filterz': use reconstructions"),
        ("plot run --only manifold", "manifold needs a code of two units"),
        ("info nowhere", "there is no folder"),
        ("info junk.npz", "is damaged"),
        ("data nothing", "There are no data called"),
        ("reconstruct run odd.npz new.png", "are 9x8 grey, the model reads 8x8 grey"),
        ("reconstruct run nan.npy new.png", "run from nan to nan"),
        ("reconstruct run none.npz new.png", "no file or folder"),
        ("reconstruct run digits.npz digits.npz", "is where the input is"),
        ("reconstruct run digits.npz codes.npz", "is something else"),
        ("reconstruct run digits.npz run/model.npz", "is something else"),
        ("reconstruct run digits.npz new.jpg", "wrong ending: use .npz, .npy, .png, a folder"),
        ("reconstruct run digits.npz nowhere/new.png", "there is no folder"),
        ("reconstruct run digits.npz full", "not empty"),
        ("reconstruct run full full/new.png", "is where the input is"),
        ("reconstruct run digits.npz file", "there already"),
        ("denoise run digits.npz new.npz --noise-std 0", "--noise-std must be above 0"),
        ("encode run digits.npz new.png", "wrong ending: use .npz, .npy"),
        ("decode run codes.npz new.png", "(2, 5), this model's are (N, 3)"),
        ("decode run nan_codes.npz new.png", "not all finite"),
        ("decode run junk.npz new.png", "holds no codes"),
        ("decode run digits.npz new.png", "this model's are (N, 3)"),
        ("sample run new.png", "ask for --prior gaussian"),
        ("sample run new.png --prior gaussian -n 0", "-n must be 1 or more"),
        ("sample run new.png --prior gaussian --seed -1", "--seed must be 0 or more"),
        ("detect run digits.npz new.csv --contamination 0.6", "must be in (0, 0.5]"),
        ("detect run digits.npz table.csv", "is something else"),
        ("detect run digits.npz new.csv --figure table.csv", "wrong ending: use .png"),
        ("compress run digits.npz new.bin", "wrong ending: use .mgae"),
        ("compress run digits.npz new.mgae --step 0", "step must be a positive number"),
        ("decompress run junk.npz new.npz", "compress something with this run first"),
        ("decompress run none.mgae new.npz", "there is no file"),
    ],
)
def test_every_other_command_refuses_without_writing(place, capsys, monkeypatch, line, words):
    monkeypatch.chdir(place)
    before = snapshot(place)
    assert words in refused(line.split(), capsys)
    assert snapshot(place) == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.npz", lambda old: old[: len(old) // 2], "is damaged"),
        ("config.json", lambda old: b"{", "is damaged"),
        ("config.json", lambda old: b"[]", "does not describe a run"),
        ("config.json", lambda old: old.replace(b'"image_shape"', b'"shape"'), "is damaged"),
        ("config.json", lambda old: old.replace(b"[8, 8, 1]", b"[9, 8, 1]"), "are not of one run"),
        ("config.json", lambda old: old.replace(b'"dense"', b'"olivetti"'), "are not of one run"),
        ("config.json", lambda old: old.replace(b'"seed": 0', b'"seed": 1'), "are not of one run"),
        ("config.json", lambda old: old.replace(b'"format": 2', b'"format": 1'), "version 0.1"),
        ("config.json", lambda old: old.replace(b'"format": 2,', b""), "version 0.1"),
        ("metrics.json", lambda old: b"[", "metrics.json is damaged"),
    ],
)
def test_a_damaged_run_is_named(place, tmp_path, capsys, name, content, words):
    folder = tmp_path / "run"
    shutil.copytree(place / "run", folder)
    (folder / name).write_bytes(content((folder / name).read_bytes()))
    assert words in refused(["evaluate", str(folder)], capsys)


def test_damaged_and_foreign_compressed_files_are_refused(place, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(place / "run", folder)
    packed, target = tmp_path / "a.mgae", str(tmp_path / "a.npz")
    assert main(["compress", str(folder), str(place / "digits.npz"), str(packed)]) == 0
    good = packed.read_bytes()
    packed.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "checksum is wrong" in refused(["decompress", str(folder), str(packed), target], capsys)
    packed.write_bytes(good)
    (folder / "codec.npz").unlink()
    coarse = ["compress", str(folder), str(place / "digits.npz"), str(tmp_path / "b.mgae")]
    assert main([*coarse, "--step", "2"]) == 0
    assert "with other tables" in refused(["decompress", str(folder), str(packed), target], capsys)


def test_divergence_is_one_sentence_and_the_run_is_finished(place, tmp_path, capsys):
    folder = tmp_path / "run"
    wild = ["--model", "dense", "--likelihood", "gaussian", "--learning-rate", "1e30"]
    data = ["--data", str(place / "digits.npz"), "--epochs", "2", "--output", str(folder)]
    assert main(["train", *wild, *data]) == 1
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "no longer finite" in warnings[0]
    assert np.isfinite(open_run(folder).reconstruct(load_digits().images[:5])).all()
    assert (folder / "report.html").exists()
    assert json.loads((folder / "metrics.json").read_text())["ended"] == "diverged"
    assert "it diverged, and with more" in refused(
        ["train", "--resume", str(folder), "--epochs", "9"], capsys
    )


def test_ctrl_c_stops_after_the_epoch_and_everything_is_written(place, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "autoencoder", "train", "--model", "dense"]
    command += ["--data", str(place / "digits.npz"), "--epochs", "1000000"]
    process = subprocess.Popen(
        [*command, "--output", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.time() + 60
    while not (folder / "checkpoint.npz").exists() and time.time() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Stopped after" in out
    assert "Traceback" not in err
    done = json.loads((folder / "metrics.json").read_text())["epochs"]
    assert 0 < done < 1000000
    assert open_run(folder).estimator.n_iter_ == open_run(folder).epochs == done
    assert (folder / "report.html").exists()


def test_help_is_no_error(capsys):
    for arguments in (["--help"], ["train", "--help"], ["detect", "-h"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
        assert "usage: python -m autoencoder" in capsys.readouterr().out
