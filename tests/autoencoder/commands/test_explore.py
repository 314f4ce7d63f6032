"""The command explore: which page it writes, where, and what it refuses."""

import json
import re

import numpy as np
import pytest
from no_room import file_size_limit
from PIL import Image

from autoencoder import Autoencoder, AutoencoderAnomalyDetector
from autoencoder.__main__ import main
from autoencoder.datasets import load_digits, load_images
from autoencoder.explore import START
from autoencoder.runs import figures, open_run

WORDS = ("float16", "int8")  # that are no names of files


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run, images, a table, a model of it and a detector."""
    place = tmp_path_factory.mktemp("explore")
    digits = load_digits()
    np.savez(place / "digits.npz", images=digits.images[:300], labels=digits.labels[:300])
    rng = np.random.default_rng(0)
    np.savez(place / "table.npz", X=rng.normal(size=(30, 4)), y=rng.integers(0, 3, 30))
    model = Autoencoder(2, max_epochs=1, random_state=0).fit(rng.normal(size=(30, 4)))
    model.save(place / "model.npz")
    (place / "c.csv").write_text("d,c,b,a\n" + "1,2,3,4\n" * 9)  # in another order
    AutoencoderAnomalyDetector(model).fit(rng.normal(size=(30, 4))).save(place / "detector.npz")
    with pytest.MonkeyPatch.context() as patch:
        few = {"reconstructions": figures.FIGURES["reconstructions"]}
        patch.setattr(figures, "FIGURES", few)
        train = ["train", "--model", "dense", "--data", str(place / "digits.npz"), "--epochs", "1"]
        assert main([*train, "--n-components", "3", "--output", str(place / "run")]) == 0
    return place


def explore(place, line, capsys):
    """The exit status and what is said of a command line with names of files in `place`."""
    words = [str(place / w) if w[0].isalpha() and w not in WORDS else w for w in line.split()]
    capsys.readouterr()
    status = main(["explore", *words])
    out, error = capsys.readouterr()
    return status, (out + error).replace(f"{place}/", "")


def contents(path):
    text = path.read_text("utf-8")
    assert text.startswith(START)
    return json.loads(text.partition('type="application/json" id="data">')[2].partition("</sc")[0])


def test_a_run_gets_a_page_that_its_report_links_to(place, capsys):
    run = open_run(place / "run")
    report = (place / "run/report.html").read_text()
    assert "explore.html" not in report
    status, said = explore(place, "run", capsys)
    assert status == 0 and said.startswith("run/explore.html: ")
    assert "opens in any browser, without a network." in said
    assert said.endswith("run/report.html links to it.\n")
    assert '<a href="explore.html">Explore the codes' in (place / "run/report.html").read_text()
    page, samples = contents(place / "run/explore.html"), run.samples()
    assert page["title"] == run.title and len(page["samples"]["rows"]) == len(samples.test) == 30
    assert page["which"] == "digits: test images (30 of 300 images, drawn)."
    labels = [page["samples"]["labels"][i] for i in page["samples"]["label"]]
    assert labels == [str(label) for label in samples.labels[1]]
    test = json.loads((place / "run/config.json").read_text())["split"]["test"]
    assert page["samples"]["names"] == [f"image {k}" for k in sorted(test)]
    assert page["image"]["height"] == 8
    assert main(["plot", str(place / "run"), "--only", "reconstructions"]) == 0  # keeps the link
    assert "explore.html" in (place / "run/report.html").read_text()


def test_a_new_training_takes_the_page_away(place, capsys):
    assert explore(place, "run", capsys)[0] == 0
    with pytest.MonkeyPatch.context() as patch:
        few = {"reconstructions": figures.FIGURES["reconstructions"]}
        patch.setattr(figures, "FIGURES", few)
        assert main(["train", "--resume", str(place / "run"), "--epochs", "2"]) == 0
    assert not (place / "run/explore.html").exists()
    assert "explore.html" not in (place / "run/report.html").read_text()


def test_images_from_files_keep_their_names(place, capsys, monkeypatch):
    digits = load_digits()
    for label in "ab":
        (place / "pictures" / label).mkdir(parents=True, exist_ok=True)
    for k in range(12):
        image = Image.fromarray((digits.images[k, :, :, 0] * 255).astype(np.uint8))
        image.save(place / "pictures" / "ab"[k % 2] / f"<{k}>.png")
    few = {"reconstructions": figures.FIGURES["reconstructions"]}
    monkeypatch.setattr(figures, "FIGURES", few)
    train = ["train", "--model", "dense", "--data", str(place / "pictures"), "--epochs", "1"]
    more = ["--n-components", "2", "--test-fraction", "0.5", "--output", str(place / "named")]
    assert main([*train, *more]) == 0
    assert explore(place, "named", capsys)[0] == 0
    page, run = contents(place / "named/explore.html"), open_run(place / "named")
    names = page["samples"]["names"]
    assert len(names) == len(run.samples().test) > 1
    for name, code in zip(names, run.encode(run.samples().test), strict=True):
        own = run.encode(load_images(place / "pictures" / name.split("/")[0]).images)
        assert np.abs(own - code).sum(axis=1).min() < 1e-5, name  # it is in that folder
    assert all(re.fullmatch(r"[ab]/<\d+>\.png", name) for name in names)


def test_other_files_and_other_data(place, capsys):
    before = (place / "run/report.html").read_bytes()
    status, said = explore(place, "run -o other.html --data digits.npz --seed 4", capsys)
    assert status == 0 and "links to it" not in said
    assert (place / "run/report.html").read_bytes() == before
    assert not (place / "run/explore.html").exists()
    line = "run/model.npz --data digits.npz -o model.html --budget 3000 --weights float16"
    assert explore(place, line, capsys)[0] == 0
    page = contents(place / "model.html")
    assert page["weights"]["half"] and len(page["samples"]["rows"]) < 300
    assert (
        page["title"] == "Autoencoder, model.npz" and page["which"] == "The 300 images of digits."
    )


def test_a_link_in_the_run_is_not_written_through(place, capsys):
    assert explore(place, "run -o elsewhere.html", capsys)[0] == 0
    before = (place / "elsewhere.html").read_bytes()
    (place / "run/explore.html").unlink(missing_ok=True)
    (place / "run/explore.html").symlink_to(place / "elsewhere.html")
    assert explore(place, "run --budget 2000", capsys)[0] == 0
    assert (place / "elsewhere.html").read_bytes() == before
    assert not (place / "run/explore.html").is_symlink()
    (place / "run/explore.html").unlink()


@pytest.mark.parametrize("model", ["model.npz", "detector.npz"])
def test_a_table(place, model, capsys):
    assert explore(place, f"{model} --table --data table.npz -o table.html", capsys)[0] == 0
    page = contents(place / "table.html")
    assert page["image"] is None and page["samples"]["labels"] == ["0", "1", "2"]
    assert len(page["table"]["columns"]) == 4 and len(page["samples"]["rows"]) == 30


@pytest.mark.parametrize(
    "line, words",
    [
        ("nothing", "there is no folder nothing"),
        ("model.npz", "model.npz is a model without its data: name the images to show with --data"),
        ("run --table", "--table goes with a model.npz: a run knows whether its data are"),
        ("run -o page.txt", "page.txt has the wrong ending: use .html"),
        ("run -o run/report.html", "run/report.html is there already and is something else"),
        ("run -o none/page.html", "there is no folder none to write page.html into"),
        ("run --budget 0 -o new.html", "budget must be a whole number of at least 1"),
        ("run --seed -1 -o new.html", "seed must be a whole number of at least 0"),
        ("run --weights int8", "invalid choice: 'int8'"),
        ("model.npz --data digits.npz", "have 64 numbers each, the model in model.npz reads 4"),
        ("model.npz --data c.csv", "c.csv is a table, whose columns model.npz does not know by"),
        ("model.npz --table --data c.csv", "c.csv is a table with names: give the folder of the"),
        ("model.npz --table --data none.npz", "there is no file none.npz"),
        ("model.npz --table --data model.npz", "model.npz holds no table"),
        ("model.npz --table --data digits.npz", "digits.npz holds no table"),
        ("digits.npz --data digits.npz", "digits.npz"),
    ],
)
def test_what_is_wrong_gets_a_sentence(place, line, words, capsys):
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    status, said = explore(place, line, capsys)
    assert status == 2 and words in said
    assert "Traceback" not in said and said.count("\n") == 1
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_write_that_fails_leaves_the_good_page(place, capsys):
    assert explore(place, "run -o good.html", capsys)[0] == 0
    good = (place / "good.html").read_bytes()
    with file_size_limit(len(good) // 2):
        status, said = explore(place, "run -o good.html --seed 9", capsys)
    assert status == 2 and "good.html cannot be written to (File too large)" in said
    assert (place / "good.html").read_bytes() == good
    assert not list(place.glob("*.part"))
