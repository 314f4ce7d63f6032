"""The figures that run in the page, in a real Chromium: their numbers are those of NumPy and of the
library, and their controls do what they say."""

import html
import json
import re

from lessons._header import FOLDER
from lessons.book import moving

import numpy as np
import pytest
from browser import page_after
from scipy.stats import multivariate_normal

import minigrad as mg
from minigrad.conv import Geometry

STATIC = FOLDER / "book" / "static"


@pytest.fixture(scope="module")
def browse(tmp_path_factory):
    """A function (script, query) -> what the script wrote, on a page with all four figures."""
    folder = tmp_path_factory.mktemp("page")

    def run(script, query=""):
        divs = "".join(f'<div class="moving" data-figure="{name}"></div>' for name in moving())
        names = ("moving", *moving())
        scripts = "".join(f'<script src="{STATIC / name}.js"></script>' for name in names)
        page = folder / "page.html"
        page.write_text(
            f'<!doctype html><meta charset="utf-8">{divs}<pre id="said"></pre>{scripts}<script>'
            "const $ = (figure, what) =>"
            "  document.querySelector(`[data-figure=${figure}]`).querySelectorAll(what);"
            "const button = (figure, text) =>"
            "  [...$(figure, 'button')].find((b) => b.textContent.includes(text));"
            "const number = (figure, name) => +$(figure, `[data-name='${name}']`)[0].dataset.value;"
            "const choose = (figure, value) => $(figure, `[value=${value}]`)[0].click();"
            "const slide = (figure, label, by) => {"
            "  const input = [...$(figure, 'label')]"
            "    .find((l) => l.firstElementChild.textContent === label).querySelector('input');"
            "  input.value = +input.value + by;"
            "  input.dispatchEvent(new Event('input')); };"
            "const say = (x) => (document.getElementById('said').textContent = JSON.stringify(x));"
            f"addEventListener('load', () => {{ {script} }});</script>",
            encoding="utf-8",
        )
        text, console = page_after(page, folder, query)
        assert not console, console
        return json.loads(html.unescape(re.search(r'<pre id="said">(.*?)</pre>', text)[1]))

    return run


# ---------------------------------------------------------------------- numbers
def test_the_walk(browse):
    points = [(2.0, 3.0), (-3.5, 4.0), (0.0, -1.0), (1.5, 1.5)]
    found = browse(
        f"const w = Moving.models.walk; say({json.dumps(points)}.map(([a, b]) => {{"
        "  const g = w.graph(a, b);"
        "  return { order: w.topological(g, 'y'), right: w.replay(g, w.waiting(g)).slopes,"
        "    once: w.replay(g, w.atOnce(g)).slopes, measured: w.measured(a, b), y: g.y.value }; }))"
    )
    users = {"a": "cd", "b": "cd", "c": "sp", "d": "sp", "s": "y", "p": "y"}
    for (a, b), seen in zip(points, found, strict=True):
        leaves = [mg.tensor(x, requires_grad=True) for x in (a, b)]
        c, d = leaves[0] + leaves[1], leaves[0] * leaves[1]
        y = (c + d) + c * d
        expected = [g.item() for g in mg.grad(y, leaves)]
        assert seen["y"] == pytest.approx(y.item())
        assert [seen["right"][k] for k in "ab"] == pytest.approx(expected, abs=1e-12)
        assert seen["measured"] == pytest.approx(expected, rel=1e-8, abs=1e-8)
        assert [seen["once"][k] for k in "ab"] == pytest.approx(impatient(a, b), abs=1e-12)
        order = seen["order"]
        assert sorted(order) == sorted("yspcdab")
        assert all(order.index(u) < order.index(k) for k, us in users.items() for u in us)
    assert [found[0]["once"][k] for k in "ab"] == [29, 22]  # as lesson "One visit per node" has it


def impatient(a, b):
    """dy/da, dy/db of the recursion that the lesson warns of."""
    c, d = a + b, a * b
    edges = {"y": "sp", "s": "cd", "p": "cd", "c": "ab", "d": "ab", "a": "", "b": ""}
    local = {"y": (1, 1), "s": (1, 1), "p": (d, c), "c": (1, 1), "d": (b, a), "a": (), "b": ()}
    slopes = dict.fromkeys("yspcdab", 0.0) | {"y": 1.0}

    def visit(node):
        for parent, slope in zip(edges[node], local[node], strict=True):
            slopes[parent] += slopes[node] * slope
            visit(parent)

    visit("y")
    return [slopes["a"], slopes["b"]]


def test_the_windows(browse):
    cases = [
        (size, kernel, stride, padding)
        for size in (3, 7, 8, 12)
        for kernel in (1, 2, 3, 4, 7)
        for stride in (1, 2, 3)
        for padding in ("none", "same", "both")
    ]
    found = browse(f"say({json.dumps(cases)}.map((c) => Moving.models.windows.compute(...c)))")
    for (size, kernel, stride, padding), seen in zip(cases, found, strict=True):
        pads = {
            "none": (0, 0),
            "same": Geometry.of((size, 1), (kernel, 1), (stride, 1), "same").pads[0],
            "both": ((kernel - 1) // 2,) * 2,
        }[padding]
        assert (seen["before"], seen["after"]) == pads
        padded = size + sum(pads)
        assert seen["padded"] == padded
        if padded < kernel:
            assert seen["windows"] == 0
            continue
        ones = np.zeros((1, padded, padded, 1))
        ones[:, pads[0] : pads[0] + size, pads[0] : pads[0] + size] = 1
        w = np.ones((kernel, kernel, 1, 1))
        y, pull = mg.vjp(lambda x, w=w, s=stride: mg.conv2d(x, w, stride=s, padding="valid"), ones)
        assert seen["windows"] == y.shape[1]
        np.testing.assert_array_equal(seen["conv"], y.numpy()[0, ..., 0])
        (counts,) = pull(np.ones(y.shape))
        np.testing.assert_array_equal(seen["counts"], counts.numpy()[0, ..., 0])


def test_adam(browse):
    betas = [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)]
    found = browse(
        f"say({json.dumps(betas)}.map(([p, q]) => ['constant', 'turning', 'spike'].map((kind) => {{"
        "  const rows = Moving.models.adam.lengths(p, q, kind);"
        "  return { rows: rows.slice(0, 150), last: rows[3999],"
        "    settled: Moving.models.adam.settled(rows) }; })))"
    )
    series = {
        "constant": lambda t: 1.0,
        "turning": lambda t: 1.0 if t % 2 else -1.0,
        "spike": lambda t: 30.0 if t == 100 else 1.0,
    }
    for (beta1, beta2), kinds in zip(betas, found, strict=True):
        for (_name, gradient), seen in zip(series.items(), kinds, strict=True):
            w = mg.tensor(np.zeros(1), requires_grad=True)
            adam = mg.optim.Adam([w], lr=1.0, betas=(beta1, beta2), epsilon=0.0)
            m = v = 0.0
            for t, row in enumerate(seen["rows"], 1):
                before, g = w.data[0], gradient(t)
                w.grad = mg.tensor(np.full(1, g))
                adam.step()
                m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
                assert (row["m"], row["v"]) == pytest.approx((m, v), rel=1e-9, abs=1e-15)
                assert row["corrected"] == pytest.approx(abs(w.data[0] - before), abs=1e-9)
                assert row["uncorrected"] == pytest.approx(abs(m) / np.sqrt(v), abs=1e-9)
                once = abs(m) / (1 - beta1) / np.sqrt(v / (1 - beta2))
                assert row["noExponent"] == pytest.approx(once, abs=1e-9)
    theory = np.ceil(np.log(1 - 1 / 1.05**2) / np.log(0.999)) - 1  # of lesson "Adam, step by step"
    assert found[0][0]["settled"] == theory


def test_the_clouds(browse):
    found = browse(
        "const c = Moving.models.clouds;"
        "say(c.XS.map((x, k) => { const beta = [0.1, 1, 1, 3, 10, 0.5][k];"
        "  const cloud = k === 2 ? { mean: [0.3, -1], variance: [0.5, 2] } : c.best(x, beta);"
        "  const draws = c.drawn(cloud, c.dice(k + 1), 400);"
        "  const dice = c.byDice(cloud, draws);"
        "  return { x, beta, cloud, draws, dice, ...c.terms(x, cloud) }; }))"
    )
    W, s2 = np.array([2.0, 0.8]), 0.5

    def fit_and_price(x, mean, variance):
        fit = -(np.sum((x - W * mean) ** 2 + W**2 * variance) / s2 + 2 * np.log(2 * np.pi * s2)) / 2
        log_variance = np.log(variance)
        return fit, np.sum(mean**2 + variance - 1 - log_variance) / 2

    for k, seen in enumerate(found):
        x, mean, variance = (np.array(a) for a in (seen["x"], *seen["cloud"].values()))
        fit, price = fit_and_price(x, mean, variance)
        assert [seen["fit"], seen["price"]] == pytest.approx([fit, price])
        assert seen["elbo"] == pytest.approx(fit - price)
        evidence = multivariate_normal.logpdf(x, cov=np.diag(W**2 + s2))
        assert seen["evidence"] == pytest.approx(evidence)
        assert (
            seen["lacks"] == pytest.approx(evidence - fit + price, abs=1e-9) and seen["lacks"] >= 0
        )
        assert (seen["lacks"] == 0) == (k == 1)  # beta is 1 and the cloud the best
        if k != 2:  # nothing near is worth more
            best = fit - seen["beta"] * price
            for d in 0.01 * np.concatenate([np.eye(4), -np.eye(4)]):
                f, p = fit_and_price(x, mean + d[:2], variance * np.exp(d[2:]))
                assert f - seen["beta"] * p < best
        z = np.array(seen["draws"])
        noise = (z - mean) / np.sqrt(variance)
        assert np.abs(noise.mean(axis=0)).max() < 0.2 and np.abs(noise.std(axis=0) - 1).max() < 0.15
        ratios = np.sum(z**2 - noise**2 - np.log(variance), axis=1) / 2
        error = ratios.std() / 20
        assert seen["dice"] == pytest.approx([ratios.mean(), error])
        assert abs(ratios.mean() - price) < 4 * error


# ---------------------------------------------------------------------- controls
def test_the_controls_of_the_walk(browse):
    found = browse(
        "const seen = [], note = () => seen.push([number('walk', 'dy/da'), number('walk', 'dy/db'),"
        "  $('walk', '[data-name=\"dy/da\"]')[0].className, $('walk', '.said')[0].textContent]);"
        "for (let k = 0; k < 10; k++) button('walk', 'Step').click(); note();"
        "button('walk', 'Back').click(); note();"
        "choose('walk', 'once'); button('walk', 'To the end').click(); note();"
        "choose('walk', 'own');"
        "const press = (name) => { const n = $('walk', `[data-node=${name}]`)[0]; n.focus();"
        "  n.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' })); };"
        "'yspcd'.split('').forEach(press); note();"
        "button('walk', 'Start again').click(); 'yscpd'.split('').forEach(press); note();"
        "slide('walk', 'a', 1); note(); say(seen)"
    )
    ten, nine, once, own, early, moved = found
    assert ten[:3] == [25, 19, "right"] and ten[3].endswith("The end: right.")
    assert nine[2] == "" and nine[3].startswith("Step 9 of 10")
    assert once[:3] == [29, 22, "wrong"]
    assert once[3].endswith("The end: wrong, c, d passed on more than once.")
    assert own[:3] == [25, 19, "right"]
    assert early[2] == "wrong" and early[3].endswith("c passed on before all users had reported.")
    assert moved[:3] == [0, 0, ""]


def test_the_controls_of_the_windows(browse):
    found = browse(
        "const text = (what) => $('windows', what)[0].textContent;"
        "const seen = [], note = () => seen.push([number('windows', 'output size'),"
        "  text('[data-name=overlaps]'), text('.said'), $('windows', '.zero').length]);"
        "note(); slide('windows', 'kernel', 1); note(); choose('windows', 'none'); note();"
        "button('windows', 'Back').click(); note();"
        "button('windows', 'Play').click(); setTimeout(() => { button('windows', 'Stop').click();"
        "  note(); slide('windows', 'size', -9); slide('windows', 'kernel', 3); note();"
        "  say(seen); }, 1200)",
        "?size=9&stride=2",
    )
    first, kernel, none, back, played, empty = found
    assert first[:2] == [5, "1 2 1 2 1 2 1 2 1"]
    assert first[3] == 2 * 11 + 2 * 9
    assert kernel[0] == 5 and none[0] == 3 and none[3] == 0
    assert back[2].startswith("Window 9 of 9") and played[2].startswith("Window 2 of 9")
    assert empty[0] == 0 and empty[2].startswith("No window fits")


def test_the_controls_of_adam_and_of_the_clouds(browse):
    found = browse(
        "const seen = [number('adam', 'no correction'), number('adam', 'settled')];"
        "slide('adam', 'step t', 20); choose('adam', 'turning'); seen.push(number('adam', 'm'));"
        "const lacks = () => number('clouds', 'lacks');"
        "seen.push(lacks()); slide('clouds', 'deviation 1', 5); seen.push(lacks());"
        "button('clouds', 'Best').click(); seen.push(lacks());"
        "slide('clouds', 'price \u03b2', 10); seen.push(lacks()); button('clouds', 'dice').click();"
        "seen.push(number('clouds', 'price by dice') - number('clouds', 'price'));"
        "seen.push(number('clouds', 'standard error')); say(seen)",
        "?t=10",
    )
    uncorrected, settled, m, *lacks, off, error = found
    assert uncorrected == pytest.approx((1 - 0.9**10) / np.sqrt(1 - 0.999**10))
    assert settled == 2374 and abs(m) < 0.06
    assert lacks[0] == lacks[2] == 0 < lacks[1] < lacks[3]
    assert error > 0 and abs(off) < 4 * error


def test_everything_can_be_reached_and_has_a_name(browse):
    found = browse(
        "say([...document.querySelectorAll('.moving')].map((root) => ({ name: root.dataset.figure,"
        "  unnamed: [...root.querySelectorAll('input')].filter((i) => !i.labels.length).length,"
        "  pictures: [...root.querySelectorAll('svg')].map((s) => s.getAttribute('aria-label')),"
        "  spoken: root.querySelectorAll('[aria-live]').length,"
        "  others: root.querySelectorAll('[onclick], [tabindex=\"-1\"]').length })))"
    )
    assert [figure["name"] for figure in found] == list(moving())
    for figure in found:
        assert figure["unnamed"] == figure["others"] == 0
        assert figure["pictures"] and all(figure["pictures"]) and figure["spoken"] == 1


def test_the_scripts_are_small_and_ask_the_network_for_nothing():
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 250
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|fetch\(|XMLHttp|import ", text), (
            path.name
        )
