"""What can be asked of the commands, and what they answer, word for word.

Numbers of a network are in the transcripts as # and are tested one by one.
"""

import json
import re

import numpy as np
import pytest
from PIL import Image

import autoencoder.runs.figures
from autoencoder.__main__ import main
from autoencoder.codec import Codec, eight_bits, jpeg_curve
from autoencoder.commands import arguments, detect, files
from autoencoder.commands import train as train_command
from autoencoder.datasets import load_digits
from autoencoder.parts import GaussianNoise
from autoencoder.runs import open_run

DIGITS = load_digits()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images and a run of two epochs, without figures."""
    place = tmp_path_factory.mktemp("transcripts")
    np.savez(place / "d.npz", images=DIGITS.images[:60], labels=DIGITS.labels[:60])
    command = ["train", "--model", "dense", "--data", str(place / "d.npz"), "--epochs", "2"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(autoencoder.runs.figures, "draw", lambda *_, **__: [])
        assert main([*command, "--n-components", "4", "--output", str(place / "run")]) == 0
    return place


@pytest.fixture
def said(place, capsys):
    """A function that runs a command on the run and returns what it prints, paths made short."""

    def said(verb, *arguments):
        words = [str(place / a) if "." in a and not a[0].isdigit() else a for a in arguments]
        subject = [] if verb == "data" else [str(place / "run")]
        capsys.readouterr()
        assert main([verb, *subject, *words]) == 0
        return capsys.readouterr().out.replace(f"{place}/", "")

    return said


def hidden(text):
    """The text with # for every number that has a point, spaces joined."""
    return re.sub(r" +", " ", re.sub(r"-?\d+\.\d+", "#", text))


# ---------------------------------------------------------------------- what can be asked
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "train --model vae --data d.npz --epochs 3 --batch-size 8 --n-components 5 --hidden 7 9"
            " --convolutional --image-size 16 --learning-rate 0.1 --likelihood bernoulli --noise "
            "masking --noise-std 0.3 --beta 2 --penalty-weight 4 --validation-fraction 0.25 "
            "--patience 6 --test-fraction 0.5 --seed 11 --device cuda --restarts 12 --output o "
            "--overwrite --resume r --checkpoint-every 2.5 --config c "
            "--size 8x9 --fit pad --label kind",
            {
                "model": "vae", "data": "d.npz", "epochs": 3, "batch_size": 8, "n_components": 5,
                "hidden": [7, 9], "convolutional": True, "image_size": 16, "learning_rate": 0.1,
                "likelihood": "bernoulli", "noise": "masking", "noise_std": 0.3, "beta": 2.0,
                "penalty_weight": 4.0, "validation_fraction": 0.25, "patience": 6,
                "test_fraction": 0.5, "seed": 11, "device": "cuda", "restarts": 12, "output": "o",
                "overwrite": True, "resume": "r", "checkpoint_every": 2.5,
                "config": "c", "size": "8x9", "fit": "pad", "label": "kind",
            },
        ),
        ("evaluate r --data d", {"run": "r", "device": "cpu", "data": "d"}),
        (
            "plot r --only a b --data d --device cuda",
            {"run": "r", "device": "cuda", "only": ["a", "b"], "data": "d"},
        ),
        ("info p", {"path": "p"}),
        ("data", {"name": "list", "size": None, "label": None}),
        ("data t.csv --label k", {"name": "t.csv", "size": None, "label": "k"}),
        ("reconstruct r i o", {"run": "r", "device": "cpu", "input": "i", "output": "o"}),
        (
            "denoise r i o",
            {
                "run": "r", "device": "cpu", "input": "i", "output": "o", "noise_std": None,
                "seed": 0,
            },
        ),
        (
            "denoise r i o --noise-std 0.5 --seed 3",
            {
                "run": "r", "device": "cpu", "input": "i", "output": "o", "noise_std": 0.5,
                "seed": 3,
            },
        ),
        ("encode r i o", {"run": "r", "device": "cpu", "input": "i", "output": "o"}),
        ("decode r c o", {"run": "r", "device": "cpu", "codes": "c", "output": "o"}),
        (
            "sample r o",
            {"run": "r", "device": "cpu", "output": "o", "number": 64, "prior": None, "seed": 0},
        ),
        (
            "sample r o -n 5 --prior gaussian --seed 2",
            {
                "run": "r", "device": "cpu", "output": "o", "number": 5, "prior": "gaussian",
                "seed": 2,
            },
        ),
        (
            "detect r i",
            {
                "run": "r", "device": "cpu", "input": "i", "output": None, "contamination": 0.1,
                "figure": None,
            },
        ),
        (
            "detect r i o --contamination 0.25 --figure f",
            {
                "run": "r", "device": "cpu", "input": "i", "output": "o", "contamination": 0.25,
                "figure": "f",
            },
        ),
        (
            "compress r i o",
            {"run": "r", "device": "cpu", "input": "i", "output": "o", "step": None},
        ),
        (
            "compress r i o --step 0.5",
            {"run": "r", "device": "cpu", "input": "i", "output": "o", "step": 0.5},
        ),
        ("decompress r i o", {"run": "r", "device": "cpu", "input": "i", "output": "o"}),
        (
            "explore r",
            {
                "run": "r", "output": None, "data": None, "table": False, "budget": None, "seed": 0,
                "weights": "auto",
            },
        ),
    ],
)  # fmt: skip
def test_every_option_is_understood(line, expected):
    found = vars(arguments.parser().parse_args(line.split()))
    assert found.pop("version") is None
    assert found == {"verb": line.split()[0], **expected}


def test_options_of_a_training_that_are_not_given_are_left_to_the_model():
    found = vars(arguments.parser().parse_args(["train"]))
    assert {value for name, value in found.items() if name != "verb"} == {None}


# ---------------------------------------------------------------------- what is answered
def test_evaluate(said, place):
    rows = json.loads((place / "run/metrics.json").read_text())["evaluation"]["reconstruction"]
    text = said("evaluate")
    assert text.startswith("Dense autoencoder, d, 2 epochs; test: 2 of 10 people.\n\nReconstruct")
    line, _ = re.findall(r"^model +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    expected = [rows["model"][name] for name in ("MSE", "PSNR", "SSIM")]
    np.testing.assert_allclose(np.array(line, float), expected, rtol=1e-3)


INFO = """\
Dense autoencoder, d, 2 epochs
 images (8, 8, 1), 4 code units
 parameters 2,320 bytes
 held out for the test: 2 of 10 people
 format 2, model dense, data """
NETWORK = """\
 Network
encoder Sequential
encoder.layers.0 Dense 64 -> 4 weight (64, 4) bias (4,) 260
decoder Sequential
decoder.layers.0 Dense 4 -> 64 weight (4, 64) bias (64,) 320
580 parameters
"""


def test_info_of_a_run(said, place):
    text = hidden(said("info"))
    assert text.startswith(INFO)
    assert text.endswith(NETWORK)
    assert " model: MSE #, PSNR #, SSIM #\n" in text
    assert "mean image: MSE #, PSNR #, SSIM #\n" in text
    rows = json.loads((place / "run/metrics.json").read_text())["evaluation"]["reconstruction"]
    assert f"PSNR {rows['mean image']['PSNR']:.5g}, " in said("info")


def test_info_of_a_run_that_held_nothing_out_and_of_a_model(said, place, capsys):
    assert main(["info", str(place / "run/model.npz")]) == 0
    text = capsys.readouterr().out.replace(f"{place}/", "")
    size = sum(a.nbytes for a in np.load(place / "run/model.npz").values() if a.dtype.kind == "f")
    assert text.startswith("run/model.npz: Autoencoder, ")
    found = re.match(r"\S+ Autoencoder, (\d+) arrays of ([\d,]+) bytes\n", text)
    assert abs(int(found[2].replace(",", "")) - size) < 200
    assert "  n_components: 4\n" in text
    assert '  activation: "relu"\n' in text
    assert "  network/encoder.layers.0.weight (64, 4) float32\n" in text
    assert "optimizer/" not in text
    assert "None" not in text


def test_data(said, tmp_path, place):
    lines = said("data").splitlines()
    names = [line.split()[0] for line in lines]
    assert names == ["olivetti", "faces", "digits", "mnist", "Your"]
    assert lines[2] == "digits    1797 handwritten digits, 8x8 grey; inside scikit-learn"
    assert lines[4] == (
        "Your own: an .npz or .npy file, a folder of images, or a table (.csv, .parquet)."
    )
    mean = DIGITS.images[:60].mean()
    assert said("data", "d.npz") == (
        "d: 60 images of 8x8 pixels read from d.npz.\n"
        f"  60 images, 8x8, grey\n  values 0 to 1, mean {mean:.3g}\n  10 labels\n"
    )
    np.save(place / "wide.npy", np.full((3, 4, 6, 3), 0.25, np.float32))
    assert said("data", "wide.npy").endswith(
        "  3 images, 6x4, in colour\n  values 0.25 to 0.25, mean 0.25\n  no labels\n"
    )


COMPRESSED = """\
x.mgae: 60 images, step #
 bytes bits/pixel PSNR (dB)
this file {size} # #
JPEG files, quality {quality} {jpeg:,} # #
8-bit pixels 3,840 # inf
The receiver needs model and tables as well: {once:,} bytes, once.
"""


def test_compress_and_decompress(said, place):
    text = said("compress", "d.npz", "x.mgae")
    size = (place / "x.mgae").stat().st_size
    run = open_run(place / "run")
    codec = Codec.load(place / "run/codec.npz", run.estimator)
    rebuilt = run.images(codec.decompress((place / "x.mgae").read_bytes()))
    images = DIGITS.images[:60]
    error = np.mean((eight_bits(images).astype(float) - eight_bits(rebuilt)) ** 2)
    quality = 10 * np.log10(255**2 / error)
    nearest = min(jpeg_curve(images), key=lambda point: abs(point.psnr - quality))
    jpeg = round(nearest.bpp * 60 * 64 / 8)
    once = 4 * 580 + codec.nbytes
    expected = COMPRESSED.format(size=size, quality=nearest.setting, jpeg=jpeg, once=once)
    assert hidden(text) == expected
    assert f"step {codec.step:.4g}\n" in text
    assert re.search(rf"this file +{size} +{8 * size / 3840:.3f} +{quality:.1f}\n", text)
    assert re.search(r"8-bit pixels +3,840 +8\.000 +inf\n", text)
    text = said("decompress", "x.mgae", "back.npz")
    assert text == f"60 images from {size} bytes: back.npz\n"


def test_conversions(said, place):
    run, images = open_run(place / "run"), DIGITS.images[:60]

    def psnr(other):
        error = ((images.astype(float) - other) ** 2).mean(axis=(1, 2, 3))
        return f"{np.mean(-10 * np.log10(error)):.1f} dB"

    assert said("encode", "d.npz", "c.npz") == "60 codes of 4 numbers: c.npz\n"
    assert said("decode", "c.npz", "i.npz") == "60 images: i.npz\n"
    assert said("sample", "s.npz", "--prior", "gaussian") == "64 images: s.npz\n"
    text = said("reconstruct", "d.npz", "r.npz")
    assert text == f"60 images, PSNR {psnr(run.reconstruct(images))}: r.npz\n"
    noisy = GaussianNoise(0.2, clip=(0, 1)).corrupt(images, np.random.default_rng(7))
    told, text = said("denoise", "d.npz", "n.npz", "--noise-std", "0.2", "--seed", "7").split(
        "\n", 1
    )
    assert told == (
        "This model was not trained on noise: --model denoising is. (Dense autoencoder, d, 2 "
        "epochs)"
    )
    assert text == (
        f"60 images, PSNR {psnr(noisy)} noisy, {psnr(run.reconstruct(noisy))} rebuilt: n.npz\n"
    )
    with np.load(place / "n.npz") as stored:
        np.testing.assert_array_equal(stored["images"], run.reconstruct(noisy))
    assert said("denoise", "d.npz", "q.npz").splitlines()[1] == "60 images: q.npz"


def test_detect(said, place):
    text = said("detect", "d.npz", "--figure", "f.png")
    lines = text.splitlines()
    assert lines[0] == "  image         score"
    run = open_run(place / "run")
    X = DIGITS.images[:60].reshape(60, -1)
    scores, samples = run.estimator.score_samples(X), run.samples()
    threshold = np.quantile(run.estimator.score_samples(samples.rows[0]), 0.1)
    for line, k in zip(lines[1:21], np.argsort(scores), strict=False):
        flag = "  anomalous" if scores[k] < threshold else ""
        assert line == f"{k:>7}  {scores[k]:12.2f}{flag}"
    alarms = np.mean(run.estimator.score_samples(samples.rows[1]) < threshold)
    assert lines[21:] == [
        "    ...  (40 with higher scores)",
        f"{np.sum(scores < threshold)} of 60 images score below {threshold:.2f} nats, as 10% of "
        f"the training images do, and {alarms:.0%} of the 11 test images (2 of 10 people).",
        "All scores are in run/scores.csv",
        "f.png",
    ]
    (place / "twenty.npy").unlink(missing_ok=True)
    np.save(place / "twenty.npy", DIGITS.images[: detect.PRINTED])
    assert "..." not in said("detect", "twenty.npy", "t.csv")


def test_warnings_are_sentences_of_the_command(place, capsys):
    np.save(place / "coloured.npy", np.full((3, 8, 8, 3), 0.5, np.float32))
    paths = [str(place / name) for name in ("run", "coloured.npy", "grey.npz")]
    assert main(["reconstruct", *paths]) == 0
    assert capsys.readouterr().err == (
        "python -m autoencoder reconstruct: warning: the images of coloured are in colour, and the "
        "model reads grey ones: their colours are left out\n"
    )


def test_a_sheet_says_how_many_images_it_leaves_out(tmp_path, monkeypatch):
    told = {}
    monkeypatch.setattr(
        files.plots, "image_rows", lambda rows, path, **more: told.update(more, rows=rows)
    )
    files.contact_sheet(DIGITS.images[:13], tmp_path / "a.png", "t")
    assert [(name, len(cells)) for name, cells in told["rows"]] == [("0", 10), ("10", 10)]
    assert (told["rows"][1][1][3:] == 1).all()  # white
    files.contact_sheet(DIGITS.images[:130], tmp_path / "a.png", "t")
    assert told["footer"].endswith(" 30 images are not shown.")
    files.contact_sheet(DIGITS.images[:100], tmp_path / "a.png", "t")
    assert "not shown" not in told["footer"]


def test_codes_that_are_not_there_or_pickled_are_refused(place, capsys, tmp_path):
    run, out = str(place / "run"), str(tmp_path / "o.npz")
    assert main(["decode", run, str(tmp_path / "none.npz"), out]) == 2
    assert capsys.readouterr().err.endswith(f"there is no file {tmp_path / 'none.npz'}\n")
    np.save(tmp_path / "c.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    assert main(["decode", run, str(tmp_path / "c.npy"), out]) == 2
    assert "c.npy holds no codes: give the file that encode wrote" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "ours"),
    [
        ("a.npz", b"PK damaged", False), ("a.npz", b"other", False), ("a.npz", b"", False),
        ("a.npy", b"\x93NUMPY", True), ("a.npy", b"\x93NUMP", False), ("a.png", b"\x89PNG..", True),
        ("a.png", b"GIF", False), ("a.csv", b"image,score,anomalous\n", True),
        ("a.csv", b"image,other", False), ("a.mgae", b"MGAE", True), ("a.mgae", b"MGA", False),
    ],
)  # fmt: skip
def test_only_files_of_our_own_are_written_over(tmp_path, name, content, ours):
    path = tmp_path / name
    path.write_bytes(content)
    if ours:
        assert files.check_output(path, (path.suffix,)) == path
        return
    with pytest.raises(FileExistsError, match="is there already and is something else: give anoth"):
        files.check_output(path, (path.suffix,))


def test_only_arrays_of_our_own_are_written_over(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.ones(3), names=np.array(["a"]))
    assert files.check_output(path, (".npz",)) == path
    np.savez(path, images=np.ones(3), mine=np.ones(3))
    with pytest.raises(FileExistsError, match="is something else"):
        files.check_output(path, (".npz",))
    path.unlink()
    path.mkdir()
    with pytest.raises(FileExistsError, match="is something else"):
        files.check_output(path, (".npz",))


def test_a_training_is_not_written_where_its_data_are(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "digits"  # a name that a data set has, too
    folder.mkdir()
    Image.fromarray(eight_bits(DIGITS.images[:1])[0, :, :, 0]).save(folder / "a.png")
    for output in (folder, tmp_path):
        assert main(["train", "--data", str(folder), "--output", str(output)]) == 2
        assert f"the data are in {output}: give another --output" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    train_command._check_output(folder, "digits")  # the data set, which is in no folder
    train_command._check_output(tmp_path / "out", str(folder))
