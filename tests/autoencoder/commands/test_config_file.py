"""Proves that --config means what its file says, and that a run's config.json repeats the run."""

import json
import shutil
from dataclasses import fields

import numpy as np
import pytest

from autoencoder.__main__ import main
from autoencoder.commands import config_file
from autoencoder.commands.arguments import parser
from autoencoder.datasets import load_digits
from autoencoder.runs import MODELS, Config, figures
from autoencoder.runs.records import read_config
from minigrad import checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data file, and a run of each of three models."""
    place = tmp_path_factory.mktemp("config")
    np.savez(place / "d.npz", images=load_digits().images[:60], labels=np.arange(60) % 3)
    for model, *more in (
        ("vae", "--beta", "0.5", "--hidden", "8"),
        ("olivetti", "--image-size", "8", "--batch-size", "10", "--restarts", "0"),
        ("denoising", "--noise-std", "0.3", "--patience", "9", "--test-fraction", "0.3"),
    ):
        given = ["--model", model, "--epochs", "2", "--n-components", "3", "--seed", "5", *more]
        assert train(place, model, "--data", str(place / "d.npz"), *given) == 0
    return place


@pytest.fixture(scope="module", autouse=True)
def no_figures():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(figures, "draw", lambda *a, **k: [])
        yield


def train(place, name, *given):
    return main(["train", "--output", str(place / name), *given])


def toml(place, text):
    path = place / "settings.toml"
    path.write_text(text)
    return str(path)


def refused(capsys, *given):
    """The sentence with which train refuses the arguments."""
    assert main(["train", *given]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize("model", ["vae", "olivetti", "denoising"])
def test_a_config_json_gives_the_same_run_again(place, tmp_path, model, capsys):
    capsys.readouterr()
    config = place / model / "config.json"
    assert train(tmp_path, "again", "--config", str(config)) == 0
    assert "the last digits may differ" not in capsys.readouterr().out
    for name in ("config.json", "history.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (place / model / name).read_bytes()
    (arrays, about), (others, told) = (
        checkpoint.load(folder / "model.npz") for folder in (place / model, tmp_path / "again")
    )
    assert about == told and arrays.keys() == others.keys()
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays)


def test_the_command_line_wins(place, tmp_path):
    config = place / "vae" / "config.json"
    assert train(tmp_path, "other", "--config", str(config), "--seed", "6", "--hidden") == 0
    before, after = read_config(config), read_config(tmp_path / "other" / "config.json")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"seed", "hidden", "split"}  # which is drawn with the seed


def test_a_toml_file_is_the_options(place, tmp_path):
    text = f"""
    model = "conv"             # a comment
    data = {json.dumps(str(place / "d.npz"))}
    hidden = [2, 3]
    n-components = 4           # as on the command line, or
    batch_size = 16            # as in config.json
    learning-rate = 1
    epochs = 1
    convolutional = true
    checkpoint-every = 0
    output = {json.dumps(str(tmp_path / "run"))}
    """
    assert main(["train", "--config", toml(tmp_path, text), "--batch-size", "20"]) == 0
    settings = Config.recorded(read_config(tmp_path / "run" / "config.json"))
    assert settings == Config(
        "conv",
        str(place / "d.npz"),
        4,
        (2, 3),
        True,
        batch_size=20,
        learning_rate=1,
        epochs=1,
    )


def test_other_images_than_those_of_the_run_are_refused(place, tmp_path, capsys):
    shutil.copytree(place / "vae", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "data_crc32": 1}))
    given = ["--config", str(tmp_path / "run" / "config.json"), "--output", str(tmp_path / "new")]
    assert "are not those that this model was trained on" in refused(capsys, *given)
    assert not (tmp_path / "new").exists()
    assert main(["train", *given, "--data", str(place / "d.npz"), "--epochs", "1"]) == 0


def test_other_versions_are_named(place, tmp_path, capsys):
    config = json.loads((place / "vae" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "numpy": "1.0"}))
    assert train(tmp_path, "run", "--config", str(tmp_path / "config.json")) == 0
    assert f"had numpy 1.0, here {np.__version__}: the last digits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", "there is no setting 'epoch': do you mean epochs?"),
        ("learning_rat = 1", "do you mean learning_rate?"),
        ("zzz = 1", "there is no setting 'zzz': train --help lists them"),
        ("[train]\nepochs = 1", "there is no setting 'train': settings stand in no [table]"),
        ("resume = 'x'", "there is no setting 'resume'"),
        ("n_components = 3\nn-components = 4", "has n_components twice"),
        ("epochs = '3'", "epochs cannot be '3': write a whole number"),
        ("epochs = 3.0", "epochs cannot be 3.0: write a whole number"),
        ("epochs = true", "epochs cannot be True: write a whole number"),
        ("epochs = 9223372036854775808", "write a whole number"),
        ("learning_rate = nan", "learning_rate cannot be nan: write a number"),
        ("learning_rate = inf", "write a number"),
        ("hidden = 3", "hidden cannot be 3: write a list of whole numbers"),
        ("hidden = [3, '4']", "write a list of whole numbers"),
        ("convolutional = 1", "write true or false"),
        ('output = "a\\u0000b"', "output cannot be 'a\\x00b': write a text"),
        ("data = 3", "data cannot be 3: write a text in quotes"),
        ("model = 'dens'", 'model cannot be \'dens\': write "olivetti" or "dense"'),
        ("likelihood = []", "likelihood cannot be []: write"),
        ("noise = 'loud'", "noise cannot be 'loud': write \"none\""),
        ("device = 'tpu'", 'device cannot be \'tpu\': write "cpu" or "cuda"'),
        ("epochs = 0", "epochs must be above 0"),
        ("model = 'olivetti'\nlikelihood = 'bernoulli'", "--model olivetti has no --likelihood"),
        ("epochs", "is no TOML (Expected '='"),
        ("a = " + "[" * 5000, "is no TOML"),
        ("#" * 2**21, "it has more than 1048576 bytes"),
    ],
)
def test_wrong_settings_are_a_sentence(place, tmp_path, capsys, text, words):
    given = ["--config", toml(tmp_path, text), "--output", str(tmp_path / "new")]
    assert words in refused(capsys, *given, *([] if "data" in text else ["--data", "digits"]))
    assert not (tmp_path / "new").exists()


def test_wrong_files_are_a_sentence(place, tmp_path, capsys):
    assert "there is no file" in refused(capsys, "--config", str(tmp_path / "no.toml"))
    assert "there is no file" in refused(capsys, "--config", str(tmp_path / "no.json"))
    assert "is a folder: give" in refused(capsys, "--config", str(place / "vae"))
    assert "has the wrong ending" in refused(capsys, "--config", str(place / "d.npz"))
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    assert "is no TOML" in refused(capsys, "--config", str(tmp_path / "odd.toml"))
    (tmp_path / "odd.json").write_text('{"epochs": 3}')
    assert "does not describe a run" in refused(capsys, "--config", str(tmp_path / "odd.json"))
    given = ["--resume", str(place / "vae"), "--config", str(place / "vae" / "config.json")]
    assert "leave --config out" in refused(capsys, *given)


def test_every_option_of_train_can_stand_in_a_file():
    options = set(vars(parser().parse_args(["train"]))) - {*("version", "verb", "config", "resume")}
    assert options == set(config_file.KINDS)
    assert {field.name for field in fields(Config)} < options


@pytest.mark.parametrize("model", MODELS)
def test_what_a_model_fixes_may_be_said(model):
    settings = {field.name: getattr(Config.of(model), field.name) for field in fields(Config)}
    assert Config.of(**settings) == Config.of(model)
