"""What the page holds and what it keeps out, without a browser."""

import base64
import hashlib
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from autoencoder import Autoencoder, AutoencoderAnomalyDetector, VariationalAutoencoder, explore
from autoencoder.evaluation import kl_per_unit
from autoencoder.explore import choice, contents, recording, write_explorer
from autoencoder.explore.page import HERE, SCRIPTS

DIGITS = load_digits()
X = (DIGITS.data / 16).astype(np.float32)
HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "<!--",
    "a&lt;",
]
HOSTILE += ["\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "line\N{LINE SEPARATOR}\x00break", "ünïcödé 数"]


def fitted(k=3, kind=Autoencoder, **settings):
    settings = {"max_epochs": 1, "random_state": 0, **settings}
    return kind(k, **settings).fit(X[:200])


@pytest.fixture(scope="module")
def model():
    return fitted()


def written(folder, estimator, *args, **options):
    path = write_explorer(folder / "page.html", estimator, *args, **options)
    text = path.read_bytes().decode("utf-8")
    block = text.partition('<script type="application/json" id="data">')[2].partition("</script>")
    return text, json.loads(block[0])


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


# ---------------------------------------------------------------------- what cannot get in or out
def test_the_policy_names_the_script_and_the_style_and_nothing_else(model, tmp_path):
    text, _ = written(tmp_path, model, X[:20], image_shape=(8, 8, 1))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    script, style = (re.findall(rf"<{n}>(.*?)</{n}>", text, re.DOTALL) for n in ("script", "style"))
    assert len(script) == len(style) == 1 and text.count("<script") == 2
    hashes = [base64.b64encode(hashlib.sha256(s[0].encode()).digest()) for s in (script, style)]
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
        "default-src": "'none'",
        "script-src": f"'sha256-{hashes[0].decode()}'",
        "style-src": f"'sha256-{hashes[1].decode()}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert text.index("Content-Security-Policy") < text.index("<title>")


def test_nothing_is_fetched_from_anywhere(model, tmp_path):
    text, _ = written(tmp_path, model, X[:20], image_shape=(8, 8, 1))
    assert not re.search(r"(https?:)?//\w+\.|@import|url\(|\ssrc=|\shref=|\son\w+=", text)
    script = "".join((HERE / name).read_text() for name in SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|document\.write|eval\(|fetch\(|XMLHttp|import\(", script
    )


def test_hostile_names_are_text(model, tmp_path):
    labels, names = np.array(HOSTILE * 3), [f"{name}.png" for name in HOSTILE * 3]
    title = HOSTILE[0] + HOSTILE[1] + "@script@ @data@"
    text, data = written(
        tmp_path, model, X[:21], labels, names=names, title=title, which=HOSTILE[1],
        columns=[HOSTILE[0]] * 64,
    )  # fmt: skip
    assert text.count("<script") == 2 == text.count("</script>") and "<img" not in text
    assert text.count("<!--") == 1 and "alert(1)</title>" not in text
    assert data["title"] == title and "@script@ @data@</title>" in text
    shown = {*data["samples"]["labels"]}
    assert {
        HOSTILE[0],
        HOSTILE[1],
        "<!--",
        "a&lt;",
        "gpj.exe",
        "line\u2028break",
        "ünïcödé 数",
    } == shown
    assert data["samples"]["names"][0] == HOSTILE[0] + ".png"
    assert data["table"]["columns"][0] == HOSTILE[0]


# ---------------------------------------------------------------------- what is shown
def test_samples_are_as_many_as_the_budget_takes(model, tmp_path):
    text, data = written(tmp_path, model, X, DIGITS.target, image_shape=(8, 8, 1))
    assert len(data["samples"]["rows"]) == len(X) and data["drawn"] == ""
    small, less = written(
        tmp_path, model, X, DIGITS.target, image_shape=(8, 8, 1), budget=20_000, seed=3
    )
    rows = less["samples"]["rows"]
    parts = less["image"]["sheet"], less["samples"]["codes"], less["plane"]["points"]
    assert 18_000 < sum(map(len, parts)) <= 20_100
    assert rows == sorted({*rows}) and len(small) < len(text) - 50_000
    counts = np.bincount(DIGITS.target[rows])
    assert counts.max() - counts.min() <= 1
    assert less["drawn"] == (
        f"{len(rows)} of 1797 samples, drawn with seed 3, as many of each label as there are."
    )
    again = written(tmp_path, model, X, DIGITS.target, image_shape=(8, 8, 1), budget=20_000, seed=3)
    assert again[0] == small
    other = written(tmp_path, model, X, DIGITS.target, image_shape=(8, 8, 1), budget=20_000)
    assert other[1]["samples"]["rows"] != rows


def test_rare_labels_are_all_there():
    labels = np.array([0] * 1000 + [1] * 3 + [2])
    first = choice.order(labels, len(labels), seed=5)[:10]
    assert np.bincount(labels[first]).tolist() == [6, 3, 1]
    assert sorted(choice.order(None, 7)) == [*range(7)]


def test_pictures_codes_and_labels_belong_together(model, tmp_path):
    _, data = written(tmp_path, model, X, DIGITS.target, image_shape=(8, 8, 1), budget=30_000)
    rows, image = data["samples"]["rows"], data["image"]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["sheet"].partition(",")[2]))))
    for k in (0, 7, len(rows) - 1):
        y, x = 8 * (k // image["across"]), 8 * (k % image["across"])
        assert np.array_equal(sheet[y : y + 8, x : x + 8].ravel(), np.floor(X[rows[k]] * 255 + 0.5))
    codes = floats(data["samples"]["codes"]).reshape(-1, 3)
    assert np.array_equal(codes, model.transform(X[rows]))
    labels = np.array(data["samples"]["labels"])[data["samples"]["label"]]
    assert labels.tolist() == [str(t) for t in DIGITS.target[rows]]


def test_colours_and_large_images(tmp_path):
    images = np.random.default_rng(0).random((6, 4, 200, 3), dtype=np.float32)
    model = Autoencoder(2, max_epochs=0, random_state=0).fit(images.reshape(6, -1))
    _, data = written(tmp_path, model, images)
    assert [data["image"][name] for name in ("height", "width", "channels", "tile")] == [
        4, 200, 3, [3, 128],
    ]  # fmt: skip
    picture = Image.open(io.BytesIO(base64.b64decode(data["image"]["sheet"].partition(",")[2])))
    assert picture.mode == "RGB" and picture.size == (3 * 128, 2 * 3)


def test_the_map_is_the_plane_of_pca(model, tmp_path):
    _, data = written(tmp_path, model, X[:300])
    codes = model.transform(X[:300])
    pca, plane = PCA(2).fit(codes), data["plane"]
    assert np.allclose(np.abs(np.array(plane["axes"]) @ pca.components_.T), np.eye(2), atol=1e-4)
    assert np.allclose(plane["explained"], pca.explained_variance_ratio_, rtol=1e-4)
    points = floats(plane["points"]).reshape(-1, 2)
    assert np.allclose(np.abs(points), np.abs(pca.transform(codes)), atol=1e-4)


@pytest.mark.parametrize("k", [1, 2])
def test_short_codes_are_their_own_map(k, tmp_path):
    model = fitted(k)
    _, data = written(tmp_path, model, X[:50])
    points, codes = floats(data["plane"]["points"]).reshape(-1, 2), model.transform(X[:50])
    assert np.array_equal(points[:, :k], codes) and data["plane"]["explained"] is None


def test_units_are_in_the_order_of_their_divergence(tmp_path):
    model = fitted(6, VariationalAutoencoder, max_epochs=5)
    weights = model.network_
    last = weights.encoder.layers[-1]
    last.weight.data[:, [2, 8]], last.bias.data[[2, 8]] = 0, 0  # unit 2 is the prior
    model.network_ = weights
    _, data = written(tmp_path, model, X[:200])
    units, kl = data["units"], kl_per_unit(*model.posterior(X[:200]))
    assert units["measure"] == "KL" and units["dead"] == 1
    assert [u["unit"] for u in units["live"]] == [j for j in np.argsort(-kl) if j != 2]
    assert np.allclose([u["worth"] for u in units["live"]], np.sort(kl)[:0:-1], rtol=1e-5)
    assert all(u["low"] <= -3 and u["high"] >= 3 for u in units["live"])


@pytest.mark.parametrize("code, low, high", [("sigmoid", 0, 1), ("tanh", -1, 1), ("relu", 0, 99)])
def test_units_without_divergence_are_in_the_order_of_their_variance(code, low, high, tmp_path):
    model = fitted(5, code=code)
    _, data = written(tmp_path, model, X[:200])
    units, variance = data["units"], model.transform(X[:200]).var(axis=0)
    order = [j for j in np.argsort(-variance) if variance[j] > 0]
    assert units["measure"] == "variance" and [u["unit"] for u in units["live"]] == order
    assert all(low <= u["low"] < u["high"] <= high for u in units["live"])
    assert units["dead"] == 5 - len(order)


def test_the_program_is_that_of_the_estimator(model, tmp_path):
    _, data = written(tmp_path, model, X[:40])
    expected = model.inverse_transform(model.transform(X[:3]))
    assert np.array_equal(floats(data["check"]["expected"]).reshape(3, -1), expected)
    assert data["weights"]["error"] is None and not data["weights"]["half"]
    _, half = written(tmp_path, fitted(64, hidden=(80,)), X[:40], weights="float16")
    assert half["weights"]["half"] and 0 < half["weights"]["error"] < 1e-2


def test_tables_of_every_kind(tmp_path):
    table = pd.DataFrame(X[:60, 10:22].astype(float), columns=[f"c{i}" for i in range(12)])
    model = Autoencoder(2, max_epochs=0, random_state=0).fit(table)
    _, data = written(tmp_path, model.set_output(transform="pandas"), table, DIGITS.target[:60])
    assert data["image"] is None and data["table"]["columns"] == list(table.columns)
    assert np.allclose(floats(data["table"]["rows"]), table.to_numpy().ravel())
    rows = sparse.csr_matrix(X[:60])
    model = Autoencoder(2, max_epochs=0, random_state=0).fit(rows)
    _, data = written(tmp_path, model, rows)
    assert np.array_equal(floats(data["table"]["rows"]), X[:60].ravel())
    holes = X[:60].copy()
    holes[3, 4], holes[:, 9] = np.nan, np.nan
    model = Autoencoder(2, max_epochs=0, random_state=0, missing="mask").fit(X[:60])
    _, data = written(tmp_path, model, holes)
    assert np.isnan(floats(data["table"]["rows"]).reshape(60, -1)[3, 4])
    wide = np.random.default_rng(0).random((5, 250))
    _, data = written(tmp_path, Autoencoder(2, max_epochs=0).fit(wide), wide)
    assert len(data["table"]["columns"]) == 200 and data["table"]["left_out"] == 50


def test_a_column_far_from_zero_keeps_its_digits(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 3)) * [3, 1, 1] + [1.7e9, 0, 0]
    model = Autoencoder(2, max_epochs=3, random_state=0).fit(rows)
    _, data = written(tmp_path, model, rows)
    assert data["table"]["doubles"] and data["check"]["doubles"]
    kept = np.frombuffer(base64.b64decode(data["table"]["rows"]), "<f8")
    assert np.array_equal(kept, rows.ravel()) and data["table"]["low"] == rows.min(0).tolist()
    expected = np.frombuffer(base64.b64decode(data["check"]["expected"]), "<f8")
    assert np.array_equal(
        expected.reshape(3, 3), model.inverse_transform(model.transform(rows[:3]))
    )
    assert max(data["check"]["allowed"]) < 1e-2  # of what spreads by 3
    blob = base64.b64decode(data["program"]["blob"])
    exact = [a for a in data["program"]["arrays"] if a["kind"] == "f8"]
    found = [np.frombuffer(blob, "<f8", 3, a["at"]).tolist() for a in exact if a["shape"] == [3]]
    assert any(np.array_equal(v, model._scaling.mean) for v in found)


def test_a_decoder_that_is_off_by_a_columns_spread_is_refused(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(60, 3)) * [3, 1, 1] + [1.7e9, 0, 0]
    model = Autoencoder(2, max_epochs=3, random_state=0).fit(rows)
    steps = recording.record(model)
    right = recording.replay
    monkeypatch.setattr(recording, "replay", lambda *given: right(*given) + [0, 0.1, 0])
    with pytest.raises(ValueError, match=r"are 0\.1 away from what it makes of others"):
        recording.check(steps, model)


def test_conditional_autoencoders(tmp_path):
    y = np.array(["no", "yes"])[DIGITS.target[:80] % 2]
    settings = dict(conditional=True, max_epochs=0, random_state=0)
    model = VariationalAutoencoder(2, **settings).fit(X[:80], y)
    _, data = written(tmp_path, model, X[:80], y)
    assert (
        data["classes"] == ["no", "yes"] and data["own_class"] == (DIGITS.target[:80] % 2).tolist()
    )
    assert [code[2:] for code in data["check"]["codes"]] == [[1, 0], [0, 1], [1, 0]]
    with pytest.raises(ValueError, match="is conditional and needs labels"):
        written(tmp_path, model, X[:80])


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(y=np.zeros(3)), "y has 3 entries for 40 samples"),
        (dict(y=["a", 1, None, 2.5] * 10), "explore: y: labels must be one list of numbers or one"),
        (dict(y=[None] * 40), "explore: y: labels must be one list of numbers or one of strings"),
        (dict(y=np.zeros((40, 1))), r"y: one label for each sample is needed, got \(40, 1\)"),
        (dict(y=3), r"y: one label for each sample is needed, got \(\)"),
        (
            dict(image_shape=(5,)),
            r"image_shape must be \(height, width, channels\), .*, got \(5,\)",
        ),
        (dict(image_shape=(8, 8)), "image_shape must be"),
        (dict(image_shape=(8, 8, 0)), "image_shape must be"),
        (dict(image_shape=(8, 8.0, 1)), "image_shape must be"),
        (dict(image_shape=64), "image_shape must be .* got 64"),
        (dict(names=7), "names must be a list of texts, got 7"),
        (dict(names="x" * 40), "names must be a list of texts, got 'xx"),
        (dict(columns=7), "columns must be a list of texts, got 7"),
        (dict(X=[[1.0], [1.0, 2.0]]), "X must be an array of numbers"),
        (dict(X=np.full((40, 64), "x")), "X must be numbers"),
        (dict(names=["a"]), "names has 1 entries for 40 samples"),
        (dict(columns=["a"]), "1 names for 64 columns"),
        (dict(image_shape=(5, 5, 1)), r"rows of 64 numbers are no images of \(5, 5, 1\)"),
        (dict(budget=0), "budget must be a whole number of at least 1"),
        (dict(seed=-1), "seed must be a whole number of at least 0"),
        (dict(weights="int8"), "weights must be one of"),
        (dict(X=X[0]), r"X must be samples \(N, D\), at least one, got shape \(64,\)"),
        (dict(X=X[:0]), r"X must be samples \(N, D\), at least one"),
        (dict(X=X[:5, :9]), "X has 9 features, but Autoencoder is expecting 64"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(model, tmp_path, change, words):
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(ValueError, match=words):
        write_explorer(path, model, **{"X": X[:40], **change})
    assert path.read_text() == "before"


def test_other_objects_are_refused(tmp_path):
    detector = AutoencoderAnomalyDetector(Autoencoder(2, max_epochs=0)).fit(X[:50])
    with pytest.raises(TypeError, match="got AutoencoderAnomalyDetector: give a detector's autoen"):
        write_explorer(tmp_path / "page.html", detector, X[:50])
    assert written(tmp_path, detector.autoencoder_, X[:50])[1]["k"] == 2


def test_weights_that_no_page_holds_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "LARGEST_WEIGHTS", 100)
    assert written(tmp_path, model, X[:9])[1]["weights"]["half"]
    monkeypatch.setattr(contents, "LARGEST_PAGE", 100)
    with pytest.raises(ValueError, match="the decoder's weights take"):
        written(tmp_path, model, X[:9])


def test_one_sample_and_equal_codes(tmp_path):
    model = Autoencoder(4, max_epochs=0, random_state=0).fit(np.ones((9, 5)))
    for rows in (np.ones((1, 5)), np.ones((9, 5))):
        _, data = written(tmp_path, model, rows)
        assert np.isfinite(floats(data["plane"]["points"])).all()
        assert data["units"]["live"] == [] and data["units"]["dead"] == 4


# ---------------------------------------------------------------------- for every reader
def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", [0, 1])  # light, dark
def test_colours_have_enough_contrast(mode):
    """WCAG 2.2: 4.5 for text, 3 for what else has to be seen."""
    block = re.findall(r":root \{(.*?)\}", (HERE / "page.css").read_text(), re.DOTALL)[mode]
    colours = dict(re.findall(r"--(\w[\w-]*): (#\w{6})", block))
    for name in ("text", "quiet"):
        assert min(contrast(colours[name], colours[on]) for on in ("page", "panel")) >= 4.5
    assert contrast(colours["accent"], colours["on-accent"]) >= 4.5
    for name in ("accent", *(f"m{i}" for i in range(10))):
        assert min(contrast(colours[name], colours[on]) for on in ("page", "panel")) >= 3, name


def test_every_control_has_a_name():
    page = (HERE / "page.html").read_text()
    assert '<html lang="en-GB">' in page and page.count("<h1") == 1
    for section in re.findall(r"<section[^>]*>", page):
        heading = re.search('labelledby="([^"]+)"', section)[1]
        assert f'<h2 id="{heading}">' in page
    for control in re.findall(r"<(?:input|select)[^>]*>", page):
        name = re.search(r'id="([^"]+)"', control)[1]
        assert f'for="{name}"' in page or f'<label><input type="checkbox" id="{name}"' in page


def test_the_package_says_what_it_exports():
    assert explore.__all__ == ["BUDGET", "START", "write_explorer"]
