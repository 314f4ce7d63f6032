"""The decoder in JavaScript against NumPy's, for every kind of network, in a real browser."""

import json
from pathlib import Path

import numpy as np
import pytest
from browser import page_after

import minigrad as mg
from autoencoder import (
    Autoencoder,
    BernoulliLikelihood,
    ColumnLikelihood,
    VariationalAutoencoder,
    explore,
)
from autoencoder.explore.program import Program, rounded
from autoencoder.explore.recording import difference, record, replay, with_labels
from minigrad import nn

SCRIPTS = [Path(explore.__file__).with_name(name) for name in ("numbers.js", "decoder.js")]
IMAGES = dict(image_shape=(7, 6, 2), hidden=(3, 4))  # odd sizes: the padding is not symmetric
COLUMNS = [("gaussian", 2), ("bernoulli", 3), ("categorical", 79)]


def table(seed=0, width=84):
    return np.random.default_rng(seed).random((40, width), dtype=np.float32)


def network(*layers):
    """A network function with a dense encoder and a decoder of these layers, made with `rng`."""

    def made(sizes, code, rng, dtype):
        width = code.width(sizes.n_components)
        encoder = nn.Dense(sizes.n_features, width, rng=rng, dtype=dtype)
        built = [a if isinstance(a, nn.Module) else a(rng, dtype) for a in layers]
        first = nn.Dense(sizes.n_components, 18, rng=rng, dtype=dtype)
        inner = nn.Sequential(first, nn.Reshape(3, 3, 2), *built, nn.Flatten()).eval()
        width = inner(mg.tensor(np.zeros((1, sizes.n_components), dtype))).shape[1]
        last = nn.Dense(width, sizes.n_features, rng=rng, dtype=dtype)
        return encoder, nn.Sequential(*inner.layers, last)

    return made


class Every(nn.Module):
    """Operations that no layer has, one after the other."""

    def forward(self, x):  # (N, 3, 3, 2)
        y = mg.concatenate([x, mg.sin(x), mg.cos(-x)], axis=3)[:, :, ::-1, 1:5]  # (N, 3, 3, 4)
        y = mg.where(np.arange(4) % 2 == 0, mg.exp(mg.minimum(y, 1.0)), mg.log1p(y * y))
        y = mg.pad(y, ((0, 0), (1, 0), (0, 1), (0, 0)), 0.5)[:, :3, :3]
        y = mg.softmax(y, axis=1) + mg.log_softmax(y, axis=-1) / (2.0 + mg.abs(y)) ** 1.5
        y = mg.transpose(y, (0, 2, 1, 3)) - mg.logsumexp(y, axis=(1, 2), keepdims=True)
        y = mg.clip(y, -2.0, np.inf) + mg.max(y, axis=3, keepdims=True) * mg.mean(
            y, 1, keepdims=True
        )
        y = mg.maximum(y, mg.min(y, axis=(1, 2), keepdims=True)) * mg.sqrt(
            mg.abs(y) + 1
        ) + mg.expm1(-mg.abs(y))
        rows = mg.tensor(np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3))
        y = mg.matmul(rows, y[..., 0]) + mg.sum(y, axis=3)  # (N, 3, 3), and broadcast (3, 3)
        return mg.stack([y, mg.tanh(y) - mg.var(y, (1, 2), keepdims=True)], axis=3)  # (N, 3, 3, 2)


class Token(nn.Module):
    """Numbers that are the same for every row, beside it."""

    def forward(self, x):  # (N, 3, 3, 2)
        token = mg.broadcast_to(np.float32([[[1, -2]]]), (len(x), 1, 3, 2))
        return mg.concatenate([x, mg.tanh(token)], axis=1)


class MyLikelihood(BernoulliLikelihood):
    def mean(self, t):
        return super().mean(t * 2)


def conv(*args, **options):
    return lambda rng, dtype: nn.Conv2D(*args, **options, rng=rng, dtype=dtype)


def back(*args, **options):
    return lambda rng, dtype: nn.Conv2DTranspose(*args, **options, rng=rng, dtype=dtype)


def norm(kind, *args):
    """A normalisation layer whose numbers are not those that leave everything as it is."""

    def made(rng, dtype):
        layer = kind(*args, dtype=dtype)
        state = layer.state_dict()
        layer.load_state_dict(
            {name: rng.uniform(0.5, 2.0, a.shape).astype(dtype) for name, a in state.items()}
        )
        return layer

    return made


LAYERS = {
    "every operation": [Every()],
    "token": [Token()],
    "convolution": [conv(2, 4, stride=2), conv(4, 6, 2, dilation=2, groups=2, padding=2), nn.ELU()],
    "valid": [conv(2, 3, (2, 1), padding="valid", bias=False), back(3, 2, 3, padding="valid")],
    "transposed": [back(2, 4, stride=2, activation="relu"), back(4, 3, 5, stride=3), nn.SiLU()],
    "output size": [back(2, 4, stride=(2, 1), output_size=(5, 3), activation="softplus")],
    "explicit": [back(2, 4, 4, stride=2, padding=((1, 2), (0, 1)), activation="leaky_relu")],
    "upsampling": [nn.UpSampling2D(2), nn.UpSampling2D((1, 2), "bicubic"), nn.HardSigmoid()],
    "pooling": [nn.MaxPool2D(2, stride=1), nn.UpSampling2D(3, "bilinear"), nn.AvgPool2D(2)],
    "padded pooling": [nn.AvgPool2D(2, padding="same"), nn.LogSigmoid(), nn.LeakyReLU(0.2)],
    "batch norm": [norm(nn.BatchNorm2D, 2), conv(2, 2, activation="gelu")],
    "group norm": [norm(nn.GroupNorm, 2, 2), nn.ReLU(), nn.Sigmoid()],
    "layer norm": [nn.Flatten(), norm(nn.LayerNorm, 18), nn.Softplus(), norm(nn.BatchNorm1D, 18)],
    "gelu": [nn.GELU(), nn.GELU("tanh"), nn.GlobalAvgPool2D(), nn.Tanh(),
             lambda rng, dtype: nn.Dense(2, 18, bias=False, rng=rng, dtype=dtype)],
}  # fmt: skip
KINDS = {
    "linear": dict(code="linear"),
    "sigmoid layers": dict(hidden=(9, 5), activation="sigmoid", likelihood="bernoulli"),
    "tied": dict(hidden=(9,), activation="tanh", tied=True, likelihood="continuous_bernoulli"),
    "convolutional": dict(**IMAGES, activation="softplus", dropout=0.2, likelihood="bernoulli"),
    "tied convolutions": dict(**IMAGES, tied=True),
    "standardised": dict(scale="standard", hidden=(8,)),
    "quantised": dict(code="vector_quantised"),
    "u-shaped": dict(network="u_shaped", image_shape=(7, 6, 2), n_components=84),
    "columns": dict(likelihood=ColumnLikelihood(COLUMNS), scale=None),
    "a likelihood of one's own": dict(likelihood=MyLikelihood()),
    "conditional": dict(conditional=True, **IMAGES),
    "conditional and dense": dict(conditional=True, hidden=(7,)),
    "the reference network": dict(network="olivetti", image_shape=(8, 8, 1), likelihood="gaussian"),
}


def fitted(kind, dtype=np.float32):
    settings = KINDS.get(kind) or dict(network=network(*LAYERS[kind]))
    X = table(width=64 if kind == "the reference network" else 84).astype(dtype)
    if kind == "columns":
        X[:, 2:5], X[:, 5:] = np.round(X[:, 2:5]), np.eye(79)[np.arange(40) + 20]
    y = np.arange(40) % 3 if settings.get("conditional") else None
    settings = {"n_components": 4, "max_epochs": 1, "random_state": 0, **settings}
    return Autoencoder(**settings).fit(X, y)


def case(estimator, half=False):
    """A program, codes with labels beside them, and what the estimator makes of them."""
    k, n = estimator._sizes.n_components, estimator._sizes.n_labels
    rng = np.random.default_rng(1)
    Z = rng.normal(scale=2, size=(3, k)).astype(estimator._dtype)
    y = estimator.classes_[rng.integers(0, n, 3)] if n else None
    expected, steps = estimator.inverse_transform(Z, y), record(estimator)
    codes = with_labels(estimator, Z, y)
    assert difference(steps, estimator, Z, y) <= 1e-5 * max(1, np.abs(expected).max())
    if half:
        expected = np.concatenate([replay(rounded(steps), code[None]) for code in codes])
    return Program(steps, k + n, half).as_json(), codes.tolist(), expected


def decoded(cases, folder):
    """What the decoder in a browser makes of the codes of each case."""
    data = json.dumps({name: [program, codes] for name, (program, codes, _) in cases.items()})
    text = f"""<!DOCTYPE html><meta charset="utf-8"><pre id="out"></pre>
    <script type="application/json" id="data">{data}</script>
    <script>{"".join(path.read_text() for path in SCRIPTS)}
    const cases = JSON.parse(document.getElementById("data").textContent);
    const out = Object.entries(cases).map(([name, [program, codes]]) => {{
      try {{ return [name, codes.map((z) => Array.from(Decoder.make(program)(z)))]; }}
      catch (error) {{ return [name, String(error)]; }}
    }});
    document.getElementById("out").textContent = JSON.stringify(Object.fromEntries(out));
    </script>"""
    path = folder / "cases.html"
    path.write_text(text)
    page, console = page_after(path, folder)
    assert not console
    return json.loads(page.partition('<pre id="out">')[2].partition("</pre>")[0])


def test_the_page_decodes_as_numpy_does(tmp_path):
    cases = {name: case(fitted(name)) for name in [*LAYERS, *KINDS]}
    cases["float64"] = case(fitted("convolutional", np.float64))
    cases["half"] = case(Autoencoder(64, hidden=(80,), max_epochs=0).fit(table()), half=True)
    found = decoded(cases, tmp_path)
    assert [*found] == [*cases]
    for name, (*_, expected) in cases.items():
        assert not isinstance(found[name], str), f"{name}: {found[name]}"
        got, scale = np.array(found[name]), max(1, np.abs(expected).max())
        assert got.shape == expected.shape, name
        assert np.abs(got - expected).max() <= 2e-6 * scale, name
        assert np.ptp(expected, axis=0).max() > 1e-3, name  # not the same for all codes


class Foreign(nn.Module):
    def forward(self, x):
        return mg.tensor(np.tanh(x.data))


class Deciding(nn.Module):
    def forward(self, x):
        return x if np.sin(1000 * x.data[0, 0, 0, 0]) > 0 else -x


class Mixing(nn.Module):
    def forward(self, x):
        return x - mg.mean(x, axis=0)


class Largest(nn.Module):
    def forward(self, x):
        return x - mg.max(x, axis=0)


class Cumulative(nn.Module):
    def forward(self, x):
        return mg.cumsum(x, axis=1)


@mg.primitive("anything", x=lambda g: g)
def mine(x):
    return x + 1


class Mine(nn.Module):
    def forward(self, x):
        return mine(x)


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(network=network(Foreign())), "no operation of minigrad made it"),
        (dict(network=network(Deciding())), "which operations the model calls depends on"),
        (dict(network=network(Mixing())), "argument b of divide, 2, changes with the rows"),
        (dict(network=network(Largest())), "it decides by the code, or mixes the rows"),
        (dict(network=network(Cumulative())), "uses cumsum, which the page cannot compute"),
        (dict(network=network(Mine())), "uses mine, a primitive of your own"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_a_sentence(settings, words):
    estimator = Autoencoder(3, max_epochs=0, random_state=0, **settings).fit(table())
    with pytest.raises(ValueError, match=words) as refused:
        Program(record(estimator), 3)
    assert str(refused.value).startswith("explore: ") and not str(refused.value).endswith(".")


def test_halved_weights_are_as_near_as_eleven_bits():
    estimator = VariationalAutoencoder(80, hidden=(90,), max_epochs=1, random_state=0).fit(table())
    steps, code = record(estimator), np.random.default_rng(0).normal(size=(1, 80))
    code = code.astype(np.float32)
    exact, near = replay(steps, code), replay(rounded(steps), code)
    assert 0 < np.abs(near - exact).max() < 1e-2
    whole, half = Program(steps, 80), Program(steps, 80, half=True)
    assert len(half.blob) < 0.55 * len(whole.blob)
