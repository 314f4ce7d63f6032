"""Proves that notebooks are shown what is there, in bounded size, and never somebody's markup."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad import nn


def shown(thing):
    """The HTML of `thing`; fails if an element stays open."""
    text = thing._repr_html_()
    open_ones = []

    class Elements(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "img":
                open_ones.append(tag)

        def handle_endtag(self, tag):
            assert open_ones.pop() == tag

    Elements().feed(text)
    assert open_ones == []
    return text


def picture(text):
    """The pixels of the only image in a text."""
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_the_values_and_what_is_known_of_a_tensor():
    x = mg.tensor([1.5, -2.0], requires_grad=True)
    assert "[ 1.5, -2. ]" in shown(x) and "(2,) float64 leaf" in shown(x)
    y = mg.exp(x)
    assert "made by exp" in shown(y) and "<img" not in shown(y)
    assert "<pre>3</pre>" in shown(mg.tensor(3))


@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 1), (9, 12, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_image_is_the_image(shape, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    text = shown(mg.tensor((pixels / 255).astype(dtype)))
    np.testing.assert_array_equal(
        picture(text), pixels.reshape(shape[:2]) if shape[-1] == 1 else pixels
    )
    assert 'width="120" height="90"' in text  # enlarged, all alike


@pytest.mark.parametrize(
    "array",
    [
        np.full((9, 9), 1.001),
        np.full((9, 9), -0.001),
        np.full((9, 9), np.nan),
        np.full((7, 9), 0.5),  # a small matrix is no image
        np.full((9, 9, 4), 0.5),
        np.full((2, 9, 9, 1), 0.5),
        np.ones((9, 9), int),
        np.ones((9, 9), bool),
        np.zeros((0, 9)),
    ],
)
def test_what_is_no_image_is_not_shown_as_one(array):
    assert "<img" not in shown(mg.tensor(array))


def test_large_tensors_take_little_room():
    image = np.linspace(0, 1, 1000 * 700).reshape(1000, 700)
    text = shown(mg.tensor(image))
    assert picture(text).shape == (250, 175)
    np.testing.assert_array_equal(picture(text), np.round(image[::4, ::4] * 255))
    assert "one in 4" in text
    assert len(shown(mg.tensor(np.random.default_rng(0).random((256, 256, 3))))) < 300_000
    assert len(shown(mg.tensor(np.ones((2,) * 14)))) < 10_000
    with np.printoptions(threshold=10**9):
        assert len(shown(mg.tensor(np.ones(10**5)))) < 10_000


def test_a_module_is_a_table():
    model = nn.Sequential(nn.Dense(3, 4, rng=np.random.default_rng(0)), nn.ReLU())
    text = shown(model)
    cells = re.findall(r"<td>(.*?)</td>", text)
    assert len(cells) == 3 * 5  # the model and its two layers
    assert {"Sequential", "Dense", "ReLU"} < set(cells)
    assert "Sequential, 16 parameters" in text and "(3, 4)" in text


def test_a_large_module_says_what_is_left_out():
    text = shown(nn.Sequential(*(nn.ReLU() for _ in range(300))))
    assert text.count("<tr>") == 1 + 200 and "101 more rows are not shown" in text


def test_names_cannot_become_markup():
    class Layer(nn.Module):
        def extra_repr(self):
            return "<script>alert(1)</script>"

    text = shown(nn.ModuleDict({"<b>": Layer()}))
    assert "<script" not in text and "<b>" not in text
    assert "&lt;script&gt;" in text and "&lt;b&gt;" in text
