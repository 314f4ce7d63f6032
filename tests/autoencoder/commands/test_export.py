"""``export`` writes what other programs read, over nothing that it did not write itself."""

import sys

import numpy as np
import pytest

import autoencoder as ae
from autoencoder.__main__ import main
from minigrad import safetensors

X = np.random.default_rng(0).random((30, 64), dtype=np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "vae"
    words = "train --data digits --model vae --n-components 2 --epochs 1 --output"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autoencoder.runs.figures.draw", lambda *args, **more: None)  # slow
        assert main([*words.split(), str(folder)]) == 0
    return folder


def test_a_run_becomes_an_onnx_model(run, capsys):
    from onnx_runs import run as run_onnx  # skips without onnxruntime

    for _ in range(2):  # its own file it writes again
        assert main(["export", str(run)]) == 0
        assert capsys.readouterr().out == f"{run / 'model.onnx'}\n"
    got = run_onnx(run / "model.onnx", X=X)
    model = ae.load(run / "model.npz")
    np.testing.assert_allclose(got["reconstruction"], model.reconstruct(X), atol=1e-6)
    assert {"codes", "log_variance", "reconstruction"} == set(got)
    output = run.parent / "decoder.onnx"
    assert main(["export", str(run / "model.npz"), "--part", "decoder", "-o", str(output)]) == 0
    got = run_onnx(output, codes=np.zeros((3, 2), np.float32))
    np.testing.assert_allclose(got["data"], model.inverse_transform(np.zeros((3, 2))), atol=1e-6)


def test_weights(run, tmp_path, capsys):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    state = ae.load(run / "model.npz").network_.state_dict()
    path = tmp_path / "a.safetensors"
    assert main(["export", str(run), "--to", "safetensors", "-o", str(path)]) == 0
    for name, array in safetensors.load(path).items():
        np.testing.assert_array_equal(array, state[name])
    assert main(["export", str(run), "--to", "pytorch"]) == 0
    theirs = safetensors.load(run / "model.pytorch.safetensors")
    ours = state["encoder.layers.0.weight"]
    np.testing.assert_array_equal(theirs["encoder.0.weight"], ours.T)
    capsys.readouterr()
    assert main(["export", str(run), "--to", "safetensors", "-o", str(path)]) == 2
    assert "is there already and is something else" in capsys.readouterr().err


def test_a_detector_in_a_file(tmp_path):
    from onnx_runs import run as run_onnx

    inner = ae.Autoencoder(2, max_epochs=1)
    detector = ae.AutoencoderAnomalyDetector(inner, random_state=0).fit(X)
    detector.save(tmp_path / "model.npz")
    assert main(["export", str(tmp_path / "model.npz")]) == 0
    got = run_onnx(tmp_path / "model.onnx", X=X)
    np.testing.assert_allclose(got["score_samples"], detector.score_samples(X), rtol=1e-5)


WRONG = {
    "nothing there": (["nix"], "there is no folder"),
    "another ending": (["RUN", "-o", "TMP/a.h5"], "has the wrong ending: use .onnx"),
    "a file of others": (["RUN", "-o", "TMP/mine.onnx"], "is there already and is something else"),
    "parts of weights": (["RUN", "--to", "safetensors", "--part", "decoder"], "are for --to onnx"),
    "no model": (
        ["TMP/mine.onnx"],
        "mine.onnx is not of the kind .npz, but one exported for other programs",
    ),
    "unknown format": (["RUN", "--to", "tf"], "invalid choice: 'tf'"),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_is_wrong_is_said(why, run, tmp_path, capsys):
    words, sentence = WRONG[why]
    (tmp_path / "mine.onnx").write_text("mine")
    words = [w.replace("RUN", str(run)).replace("TMP", str(tmp_path)) for w in words]
    assert main(["export", *words]) == 2
    err = capsys.readouterr().err
    assert sentence in err and err.count("\n") == 1 and "Traceback" not in err
    assert (tmp_path / "mine.onnx").read_text() == "mine"


@pytest.mark.parametrize("package, to", [("onnx", "onnx"), ("safetensors.numpy", "safetensors")])
def test_without_the_package_a_sentence_says_what_to_install(package, to, run, tmp_path, capsys,
                                                             monkeypatch):  # fmt: skip
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / f"a.{to}"
    assert main(["export", str(run), "--to", to, "-o", str(path)]) == 2
    assert f'pip install "minigrad-autoencoder[{to}]"' in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
