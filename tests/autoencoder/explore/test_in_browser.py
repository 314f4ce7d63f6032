"""The page in a real browser: what it decodes, and what mouse, keys and a screen reader find."""

import base64
import json

import numpy as np
import pytest
from devtools import Browser
from sklearn.datasets import load_digits, load_wine

from autoencoder import Autoencoder, GaussianCode, VariationalAutoencoder
from autoencoder.explore import write_explorer

DIGITS = load_digits()
X = (DIGITS.data / 16).astype(np.float32)
READY = "document.documentElement.dataset.ready === 'yes'"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as driven:
        yield driven


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A variational model with convolutions, and its page: (the model, the page's path)."""
    settings = dict(image_shape=(8, 8, 1), hidden=(4, 8), activation="tanh", random_state=0)
    model = VariationalAutoencoder(5, code=GaussianCode(0.05), max_epochs=20, **settings)
    model.fit(X[:200])
    assert np.ptp(model.reconstruct(X[:60]), axis=0).max() > 0.5
    path = tmp_path_factory.mktemp("page") / "page.html"
    labels = np.array([HOSTILE, *map(str, range(1, 10))])[DIGITS.target[:60]]
    return model, write_explorer(path, model, X[:60], labels, title=HOSTILE)


@pytest.fixture
def page(browser, digits):
    browser.media(prefers_color_scheme="light", prefers_reduced_motion="no-preference")
    browser.screen(1200, 900)
    browser.open(digits[1])
    browser.until(READY)
    browser.settle()
    return browser


def words(page, name):
    return page.ask(f"document.getElementById('{name}').textContent")


def number(text):
    """A number as the page writes it."""
    return float(text.replace("\N{MINUS SIGN}", "-"))


def decoded(page):
    """The shades of the picture that is decoded: (H, W, 3), 0 to 255."""
    script = """(() => { const c = document.querySelector('#pair canvas');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      return [c.height, c.width, Array.from(d.data)]; })()"""
    height, width, shades = page.ask(script)
    return np.array(shades, float).reshape(height, width, 4)[:, :, :3]


def shades(model, Z):
    """The same of the estimator, without rounding."""
    values = model.inverse_transform(np.asarray(Z, np.float32).reshape(1, -1))
    return np.clip(values, 0, 1).reshape(8, 8, 1) * 255 * np.ones(3)


def code(page):
    """What the sliders say, unit by unit."""
    found = page.ask(
        "[...document.querySelectorAll('#units .unit')].map((u) => "
        "[u.querySelector('input').id.slice(5), u.querySelector('output').textContent])"
    )
    return {int(unit): number(text) for unit, text in found}


def point(page, i):
    """Where sample i is on the screen; the map is the canvas's affine picture of its points."""
    script = f"""(() => {{ const data = JSON.parse(document.getElementById('data').textContent);
      const p = new Float32Array(Numbers.bytesOf(data.plane.points));
      const range = (a) => [Math.min(...p.filter((_, k) => k % 2 === a)),
                            Math.max(...p.filter((_, k) => k % 2 === a))];
      const [xs, ys] = [range(0), range(1)];
      const box = document.querySelector('#map canvas').getBoundingClientRect();
      const s = Math.min((box.width - 60) / (xs[1] - xs[0]), (box.height - 60) / (ys[1] - ys[0]));
      return [box.left + box.width / 2 + (p[{2 * i}] - (xs[0] + xs[1]) / 2) * s,
              box.top + box.height / 2 - (p[{2 * i + 1}] - (ys[0] + ys[1]) / 2) * s]; }})()"""
    return page.ask(script)


def test_it_opens_without_a_word_and_without_a_network(page):
    assert page.said == []
    kinds = sorted(address.partition(":")[0] for address in page.requests)
    assert kinds == ["data", "file"]
    assert words(page, "title") == HOSTILE and page.ask("document.title") == HOSTILE
    assert page.ask("document.getElementById('trouble').hidden")
    assert page.ask("document.querySelectorAll('script').length") == 2
    assert page.ask("document.querySelectorAll('img').length") == 0


def test_the_policy_stops_what_the_page_does_not_know(page):
    page.ask("""(() => { const s = document.createElement('script');
      s.textContent = 'window.bad = 1'; document.body.append(s);
      const i = document.createElement('img'); i.src = 'https://example.org/x.png';
      document.body.append(i); })()""")
    page.ask("fetch('https://example.org').catch(() => 0)")
    assert page.ask("window.bad === undefined")
    assert len([text for text in page.said if "Content Security Policy" in text]) >= 3


def test_it_decodes_as_numpy_does(page, digits):
    assert float(page.ask("document.getElementById('checked').dataset.difference")) < 1e-6
    model, _ = digits
    Z = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    got = page.ask(
        "(() => { const data = JSON.parse(document.getElementById('data').textContent);"
        "const decode = Decoder.make(data.program);"
        f"return {json.dumps(Z.tolist())}.map((z) => Array.from(decode(z))); }})()"
    )
    assert np.abs(np.array(got) - model.inverse_transform(Z)).max() < 1e-6
    assert np.abs(decoded(page) - shades(model, model.transform(X[:1]))).max() <= 0.51


def test_a_page_whose_weights_were_changed_says_so(page, digits, tmp_path):
    text = digits[1].read_text()
    at = text.index('"blob":"') + 8 + 400
    path = tmp_path / "changed.html"
    path.write_text(text[:at] + 160 * "A" + text[at + 160 :])
    page.open(path)
    page.until(READY)
    assert "away from NumPy's" in words(page, "trouble")
    assert not page.ask("document.getElementById('trouble').hidden")


def test_sliders_move_one_unit(page, digits):
    model, _ = digits
    z = model.transform(X[:1])[0]
    first = page.ask("document.querySelector('#units input').id")
    unit = int(first[5:])
    page.ask(f"document.getElementById('{first}').focus()")
    page.key("End")
    said = code(page)
    assert said[unit] >= 3 and f"unit {unit + 1} at" in words(page, "what")
    assert all(abs(said[j] - z[j]) < 6e-3 for j in said if j != unit)
    z[unit] = page.ask("JSON.parse(document.getElementById('data').textContent).units.live[0].high")
    assert np.abs(decoded(page) - shades(model, z)).max() <= 0.51
    assert page.ask("document.querySelectorAll('#pair figure')[1].hidden")
    page.key("ArrowLeft")
    assert code(page)[unit] < said[unit]


def test_a_click_decodes_a_sample_and_two_are_ends(page, digits):
    model, _ = digits
    for i in (7, 12):
        page.click(*point(page, i))
        assert words(page, "what") == f"Image {i}, label {DIGITS.target[i]}."
    assert "A is image 7" in words(page, "between-are") and "B is image 12" in words(
        page, "between-are"
    )
    ends = model.transform(X[[7, 12]])
    assert np.abs(decoded(page) - shades(model, ends[1])).max() <= 0.51
    page.ask("document.getElementById('between').focus()")
    page.key("Home")
    for _ in range(25):
        page.key("ArrowRight")
    assert "25 % of the way" in words(page, "what")
    assert np.abs(decoded(page) - shades(model, 0.75 * ends[0] + 0.25 * ends[1])).max() <= 0.51
    page.ask("document.getElementById('swap').click()")
    page.settle()
    assert "75 % of the way" in words(page, "what")
    assert np.abs(decoded(page) - shades(model, 0.75 * ends[0] + 0.25 * ends[1])).max() <= 0.51


def test_hovering_shows_and_an_empty_place_is_decoded(page, digits):
    model, _ = digits
    page.hover(*point(page, 20))
    assert f"image 20, label {HOSTILE}" in words(page, "tip")
    assert not page.ask("document.getElementById('tip').hidden")
    map_at = "document.querySelector('#map canvas').getBoundingClientRect()"
    box = page.ask(f"(r => [r.left, r.top])({map_at})")
    page.click(box[0] + 5, box[1] + 5)
    assert "on the map" in words(page, "what") and page.ask("document.getElementById('tip').hidden")
    codes = model.transform(X[:60]).astype(float)
    z = np.array([code(page)[j] for j in range(5)])
    axes = np.linalg.svd(codes - codes.mean(axis=0))[2]
    assert np.abs(axes[2:] @ (z - codes.mean(axis=0))).max() < 0.03  # in the plane of the map


def place(said):
    """The two numbers in "image 3, label 4, at 0.1, -2."."""
    return np.array([number(n) for n in said.rpartition(", at ")[2][:-1].split(", ")])


def test_arrow_keys_go_along_the_map(page):
    page.ask("document.getElementById('map').focus()")
    page.key("Home")
    moved = 0
    for name in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        before = place(words(page, "status"))
        page.key(name)
        x, y = place(words(page, "status")) - before
        along = {"ArrowRight": x, "ArrowLeft": -x, "ArrowUp": y, "ArrowDown": -y}[name]
        assert along > 0 or x == y == 0, name  # at the edge it stays
        moved += along > 0
    assert moved >= 3
    page.key("Enter", "\r")
    image = words(page, "status").split(",")[0].removeprefix("Decoded: ")
    assert words(page, "what").lower().startswith(image)


def test_all_can_be_reached_and_are_named(page):
    reached = []
    for _ in range(40):
        page.key("Tab")
        reached.append(page.ask("document.activeElement.id || document.activeElement.textContent"))
    wanted = {"map", "pictures", "to-mean", "draw", "between", "play", "swap", "unit-0", HOSTILE}
    assert wanted <= {*reached}
    tree = page.tree()
    roles = {role: [n for r, n, _ in tree if r == role] for role, *_ in tree}
    assert all(name for role in ("button", "slider", "checkbox") for name in roles[role])
    assert len(roles["slider"]) == 6
    assert roles["application"] == ["Map of the codes"]
    assert sum(name.startswith("Decoded") for name in roles["image"]) == 10
    assert [n for r, n, _ in tree if r == "heading"] == [
        HOSTILE, "Map of the codes", "Decoded", "Between two samples", "Units of the code",
    ]  # fmt: skip


def test_settings_of_the_reader(page):
    light = page.ask("getComputedStyle(document.body).backgroundColor")
    assert page.ask("getComputedStyle(document.getElementById('play')).display") != "none"
    page.media(prefers_color_scheme="dark", prefers_reduced_motion="reduce")
    assert page.ask("getComputedStyle(document.body).backgroundColor") != light
    assert page.ask("getComputedStyle(document.getElementById('play')).display") == "none"
    page.screen(320, 700, phone=True)
    assert page.ask("document.documentElement.scrollWidth") <= 320


def test_play_goes_from_a_to_b_until_it_is_stopped(page):
    page.ask("document.getElementById('play').click()")
    page.until("document.getElementById('between').value > 3")
    assert words(page, "play") == "Stop" and "% of the way from A to B" in words(page, "what")
    page.ask("document.getElementById('play').click()")
    page.settle()
    said = words(page, "what")
    page.settle()
    assert words(page, "what") == said and words(page, "play") == "Play"


def test_a_table_of_a_conditional_model(browser, tmp_path):
    wine = load_wine()
    model = Autoencoder(2, hidden=(6,), conditional=True, max_epochs=20, random_state=0)
    model.fit(wine.data, wine.target)
    path = tmp_path / "wine.html"
    write_explorer(path, model, wine.data, wine.target, columns=wine.feature_names)
    browser.open(path)
    browser.until(READY)
    browser.settle()
    assert browser.said == [] and browser.ask("document.getElementById('trouble').hidden")
    read = "[...document.querySelectorAll('#pair tbody tr')].map((r) => r.children[1].textContent)"
    expected = model.reconstruct(wine.data[:1], wine.target[:1])[0]
    assert np.allclose(list(map(number, browser.ask(read))), expected, rtol=6e-3)
    browser.ask("(s => { s.value = '2'; s.dispatchEvent(new Event('change')); })"
                "(document.getElementById('class'))")  # fmt: skip
    browser.settle()
    other = model.inverse_transform(model.transform(wine.data[:1], [0]), [2])[0]
    assert np.allclose(list(map(number, browser.ask(read))), other, rtol=6e-3)
    assert np.abs(other - expected).max() > 1
    assert browser.ask("document.querySelector('#pair tbody th').textContent") == "alcohol"


@pytest.mark.parametrize("wrong", [False, True])
def test_a_column_far_from_zero_is_shown_with_its_digits(browser, tmp_path, wrong):
    rows = np.random.default_rng(0).normal(size=(60, 3)) * [3, 1, 1] + [1.7e9, 0, 0]
    model = Autoencoder(2, max_epochs=20, random_state=0).fit(rows)
    path = write_explorer(tmp_path / "far.html", model, rows)
    if wrong:  # by a sixth of that column's deviation, 3e-10 of its numbers
        text = path.read_text("utf-8")
        data = text.partition('type="application/json" id="data">')[2].partition("</sc")[0]
        contents = json.loads(data)
        right = np.frombuffer(base64.b64decode(contents["check"]["expected"]), "<f8")
        given = base64.b64encode((right + [0.5, 0, 0] * 3).tobytes()).decode()
        path.write_text(text.replace(contents["check"]["expected"], given), "utf-8")
    browser.open(path)
    browser.until(READY)
    browser.settle()
    assert browser.ask("document.getElementById('trouble').hidden") != wrong
    read = "[...document.querySelector('#pair tbody tr').children].map((r) => r.textContent)"
    _, decoded, original, _ = browser.ask(read)
    assert abs(number(original) - rows[0, 0]) < 0.06
    assert abs(number(decoded) - model.reconstruct(rows[:1])[0, 0]) < 0.06
