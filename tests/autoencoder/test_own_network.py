"""A network of the user's own: the code of docs/networks.md runs as printed and shows what it says,
and every mistake that the page lists is refused with the sentence printed there."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from autoencoder import Autoencoder, load
from minigrad.nn import Dense, Flatten, Reshape, Sequential

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)
SENTENCES = re.findall(r"^\| [^|]* \| `(.*)` \|$", TEXT.partition("## What each mistake")[2], re.M)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The names that the page's code defines, and for each block what it printed."""
    names, printed = {"__name__": "my_networks"}, []
    with contextlib.chdir(tmp_path_factory.mktemp("page")):
        for block in BLOCKS:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block, PAGE.name, "exec"), names)
            printed.append(out.getvalue().splitlines())
    return names, printed


def test_the_code_runs_and_prints_what_it_says(page):
    expected = [re.findall(r"^print\(.*\)  # (.*)$", block, re.M) for block in BLOCKS]
    assert page[1] == expected
    assert [len(lines) for lines in expected] == [0, 2, 1, 1, 1]


def test_the_page_lists_ten_mistakes():
    assert len(SENTENCES) == 10  # each has its test below


def test_the_network_learns_with_a_gaussian_code_and_in_float64(page):
    names, _ = page
    model, X = names["model"], names["X"].astype(np.float64)
    vae = clone(model).set_params(code="gaussian", likelihood="bernoulli", max_epochs=6).fit(X)
    assert vae.history_["loss"][-1] < vae.history_["loss"][0]
    assert {p.dtype for p in vae.network_.parameters()} == {np.dtype(np.float64)}


# ---------------------------------------------------------------------- mistakes
def dense(n_in, n_out, rng, dtype=np.float32):
    return Dense(n_in, n_out, rng=rng, dtype=dtype)


def whole(sizes, code, rng, dtype):
    return Sequential(dense(64, 8, rng), dense(8, 64, rng))


def narrow(sizes, code, rng, dtype):
    return dense(64, code.width(sizes.n_components) - 1, rng), dense(8, 64, rng)


def unflattened(sizes, code, rng, dtype):
    return dense(64, 8, rng), Sequential(dense(8, 64, rng), Reshape(8, 8))


def mixed(sizes, code, rng, dtype):
    return dense(64, 8, rng), dense(8, 64, rng, np.float64)


def empty(sizes, code, rng, dtype):
    return Flatten(), Flatten()


def lacking(sizes, code):
    return dense(64, 8, None), dense(8, 64, None)


def fitting(sizes, code, rng, dtype):
    return dense(64, 8, rng), dense(8, 64, rng)


def other(sizes, code, rng, dtype):
    return Sequential(dense(64, 5, rng), dense(5, 8, rng)), dense(8, 64, rng)


other.__module__ = "my_networks"


@pytest.mark.parametrize("network", [whole, narrow, unflattened, mixed, empty, lacking, 3])
def test_a_function_that_does_not_fit_is_refused_as_the_page_says(network):
    X = np.zeros((10, 64), np.float32)
    model = Autoencoder(8, network=network, max_epochs=1)
    with pytest.raises((TypeError, ValueError)) as caught:
        model.fit(X)
    assert str(caught.value) in SENTENCES
    assert not hasattr(model, "network_")
    assert Autoencoder(8, network=fitting, max_epochs=1).fit(X).n_iter_ == 1  # the rule lets it in


def test_files_ask_for_the_function_and_refuse_another(page, tmp_path, monkeypatch):
    names, _ = page
    monkeypatch.chdir(tmp_path)
    names["model"].save("digits.npz")
    clone(names["model"]).set_params(network=None).fit(names["X"]).save("plain.npz")
    with pytest.raises(ValueError) as caught:
        load("digits.npz")
    assert str(caught.value) in SENTENCES
    with pytest.raises(ValueError) as caught:
        load("digits.npz", network=other)
    assert re.sub(r"\(.*\)", "(...)", str(caught.value)) in SENTENCES
    with pytest.raises(ValueError) as caught:
        load("plain.npz", network=names["u_shaped"])
    assert str(caught.value) in SENTENCES


def test_a_fit_does_not_go_on_with_another_function(page):
    names, _ = page
    model = clone(names["model"]).set_params(max_epochs=1, warm_start=True).fit(names["X"])
    with pytest.raises(ValueError, match="the training cannot go on with another network"):
        model.set_params(network=other).fit(names["X"])


def test_a_loaded_estimator_is_trained_further_by_partial_fit_to_the_same_bits(page, tmp_path):
    names, _ = page
    X, model = names["X"], clone(names["model"]).set_params(max_epochs=1).fit(names["X"])
    model.save(tmp_path / "one.npz")
    again = load(tmp_path / "one.npz", network=names["u_shaped"])
    np.testing.assert_array_equal(
        again.partial_fit(X).transform(X), model.partial_fit(X).transform(X)
    )
