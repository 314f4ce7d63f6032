"""The ONNX file of every estimator reads raw rows and gives in onnxruntime what methods give."""

import numpy as np
import pytest
from onnx_runs import run

import autoencoder as ae
import minigrad as mg
from autoencoder.export import to_onnx
from minigrad.nn import (
    BatchNorm2D,
    Buffer,
    Conv2D,
    Dense,
    Flatten,
    GroupNorm,
    LayerNorm,
    Module,
    Reshape,
    Sequential,
    UpSampling2D,
)

RNG = np.random.default_rng(0)
SHAPE = (6, 5, 2)
X = RNG.random((40, 60), dtype=np.float32)
TABLE = (RNG.normal(size=(40, 60)) * 7 ** RNG.normal(size=60) + 30).astype(np.float32)
LABELS = np.array(["cat", "dog", "emu", "fox"])[np.arange(40) % 4]


class Skip(Module):
    """A layer of one's own with a connection around another, and a mask of constants."""

    def __init__(self, inner):
        self.inner = inner
        self.mask = Buffer(np.linspace(0, 1, 8, dtype=inner.weight.dtype))

    def forward(self, x):
        return mg.where(np.arange(8) % 2 == 0, x, mg.tanh(self.inner(x)) * self.mask) + x**2


def own_network(sizes, code, rng, dtype):
    """Nearly every layer there is."""
    make = dict(rng=rng, dtype=dtype)
    width = code.width(sizes.n_components)
    encoder = Sequential(
        Reshape(*SHAPE),
        Conv2D(2, 4, activation="gelu", **make),
        mg.nn.MaxPool2D(2, padding="same"),
        BatchNorm2D(4, dtype=dtype),
        GroupNorm(2, 4, dtype=dtype),
        mg.nn.AvgPool2D(2, padding="same"),
        mg.nn.SiLU(),
        Flatten(),
        Dense(16, 8, activation="elu", **make),
        Skip(Dense(8, 8, **make)),
        LayerNorm(8, dtype=dtype),
        mg.nn.Dropout(0.3, rng=rng),
        Dense(8, width, **make),
    )
    decoder = Sequential(
        Dense(sizes.n_components, 3 * 5 * 2, activation="leaky_relu", **make),
        Reshape(3, 5, 2),
        UpSampling2D((2, 1)),
        UpSampling2D(2, "bicubic"),
        mg.nn.AvgPool2D(2),
        Conv2D(2, 2, dilation=2, activation="softplus", **make),
        Flatten(),
    )
    return encoder, decoder


COLUMNS = ae.ColumnLikelihood([("gaussian", 20), ("bernoulli", 36), ("categorical", 4)])
MIXED = np.hstack([X[:, :20], X[:, 20:56] > 0.5, np.eye(4)[np.arange(40) % 4]]).astype(np.float32)
IMAGES = dict(image_shape=SHAPE)
MODELS = {
    "dense": ae.Autoencoder(4),
    "hidden": ae.Autoencoder(4, hidden=(9, 7), activation="tanh", code="sigmoid"),
    "own scale": ae.Autoencoder(4, scale="standard"),
    "convolutional": ae.Autoencoder(4, hidden=(3, 5), **IMAGES),
    "tied": ae.Autoencoder(4, hidden=(9,), tied=True),
    "tied convolutions": ae.Autoencoder(4, hidden=(3, 5), tied=True, dropout=0.2, **IMAGES),
    "own network": ae.Autoencoder(4, network=own_network),
    "own network, variational": ae.VariationalAutoencoder(4, network=own_network),
    "u-shaped": ae.DenoisingAutoencoder(60, network="u_shaped", **IMAGES),
    "denoising": ae.DenoisingAutoencoder(4, hidden=(9,), likelihood="bernoulli"),
    "hidden patches": ae.DenoisingAutoencoder(4, noise=ae.PatchMasking(1, image_shape=SHAPE)),
    "sparse": ae.SparseAutoencoder(4),
    "contractive": ae.ContractiveAutoencoder(4, activation="softplus", hidden=(5,)),
    "variational": ae.VariationalAutoencoder(4, hidden=(9,)),
    "variational convolutions": ae.VariationalAutoencoder(
        4, likelihood="continuous_bernoulli", **IMAGES
    ),
    "quantised": ae.Autoencoder(4, code=ae.VectorQuantisedCode(8, length=2)),
    "columns": ae.Autoencoder(4, likelihood=COLUMNS),
    "weighted draws": ae.VariationalAutoencoder(4, code=ae.GaussianCode(n_draws=3)),
}
DATA = {"own scale": TABLE, "columns": MIXED}


def fitted(model, X, y=None):
    return model.set_params(max_epochs=2, random_state=0).fit(X, y)


def close(got, expected, tolerance=4e-6):
    """Equal up to `tolerance` of the largest number in the same column."""
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    scale = abs(expected).max(axis=0, initial=1e-3)
    np.testing.assert_allclose(got / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return fitted(MODELS[request.param], DATA.get(request.param, X))


def test_codes_and_reconstructions(model, request):
    name = request.node.callspec.params["model"]
    rows = DATA.get(name, X)
    got = run(to_onnx(model), X=rows)
    close(got["codes"], model.transform(rows))
    close(got["reconstruction"], model.reconstruct(rows))
    if "log_variance" in got:
        close(got["log_variance"], model.posterior(rows)[1])
    encoded = run(to_onnx(model, "encoder"), X=rows[:7])
    np.testing.assert_allclose(encoded["codes"], got["codes"][:7], rtol=1e-5, atol=1e-5)
    decoded = run(to_onnx(model, "decoder"), codes=got["codes"])
    close(decoded["data"], model.inverse_transform(got["codes"]))
    scores = run(to_onnx(model, "scores"), X=rows)["score_samples"]
    close(scores, model.score_samples(rows))
    assert set(encoded) == set(got) - {"reconstruction"}


@pytest.mark.parametrize("names", [LABELS, np.unique(LABELS, return_inverse=True)[1] + 3])
@pytest.mark.parametrize("settings", [{}, IMAGES])
def test_labels_of_conditional_autoencoders(names, settings):
    model = fitted(ae.VariationalAutoencoder(3, conditional=True, **settings), X, names)
    got = run(to_onnx(model), X=X, y=names)
    close(got["codes"], model.transform(X, names))
    close(got["reconstruction"], model.reconstruct(X, names))
    decoded = run(to_onnx(model, "decoder"), codes=got["codes"], y=names)
    close(decoded["data"], model.inverse_transform(got["codes"], names))
    close(
        run(to_onnx(model, "scores"), X=X, y=names)["score_samples"], model.score_samples(X, names)
    )
    unknown = np.full_like(names, "yak" if names.dtype.kind == "U" else 99)
    assert np.isnan(run(to_onnx(model), X=X, y=unknown)["codes"]).all()


BROKEN = np.repeat(X[:1], 6, axis=0)
BROKEN[np.arange(5), [3, 0, 59, 5, 7]] = np.nan, np.inf, -np.inf, 3e38, -3e38


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("length", [None, 2])
def test_quantised_codes_of_broken_rows_are_nan(length, conditional):
    code = ae.VectorQuantisedCode(8, length=length)
    model = ae.Autoencoder(4, code=code, conditional=conditional)
    model = fitted(model, X, LABELS if conditional else None)
    labels = {"y": LABELS[:6].copy()} if conditional else {}
    got = run(to_onnx(model), X=BROKEN, **labels)
    for name in ("codes", "reconstruction"):
        assert np.isnan(got[name][:3]).all() and np.isfinite(got[name][3:]).all()
    assert (got["numbers"][:3] == -1).all() and (got["numbers"][3:] >= 0).all()
    if conditional:
        labels["y"][5] = "yak"
        got = run(to_onnx(model), X=BROKEN, **labels)
        assert np.isnan(got["codes"][5]).all() and (got["numbers"][5] == -1).all()
        assert np.isnan(got["reconstruction"][5]).all()


@pytest.mark.parametrize("criterion", ["likelihood", "reconstruction", "code"])
@pytest.mark.parametrize(
    "settings", [{}, dict(hidden=(9,), activation="tanh"), dict(scale="standard")]
)
def test_detectors_call_broken_rows_anomalies(criterion, settings):
    inner = ae.Autoencoder(2, max_epochs=1, **settings)
    detector = ae.AutoencoderAnomalyDetector(inner, criterion=criterion, random_state=0).fit(X)
    got = run(to_onnx(detector), X=BROKEN)
    assert np.isneginf(got["score_samples"][:3]).all()
    assert np.isneginf(got["decision_function"][:3]).all()
    assert (got["predict"][:3] == -1).all()
    assert not np.isnan(got["score_samples"]).any() and np.isfinite(got["score_samples"][5])
    if criterion == "reconstruction":
        assert (got["predict"][3:5] == -1).all()


def test_missing_numbers_are_filled_in_the_file():
    holes = X.copy()
    holes[RNG.random(X.shape) < 0.2] = np.nan
    model = fitted(ae.Autoencoder(4, missing="mask"), holes)
    got = run(to_onnx(model), X=holes)
    close(got["codes"], model.transform(holes))
    close(got["reconstruction"], model.reconstruct(holes))
    with pytest.raises(ValueError, match="scores of rows with missing numbers"):
        to_onnx(model, "scores")


@pytest.mark.parametrize("criterion", ["likelihood", "reconstruction", "code"])
@pytest.mark.parametrize("inner", [ae.Autoencoder(3), ae.VariationalAutoencoder(3)])
def test_detectors(inner, criterion):
    inner.set_params(max_epochs=3)
    detector = ae.AutoencoderAnomalyDetector(inner, criterion=criterion, random_state=0).fit(TABLE)
    odd = np.vstack([TABLE, TABLE[:9] * 3])
    got = run(to_onnx(detector), X=odd)
    close(got["score_samples"], detector.score_samples(odd))
    close(got["decision_function"], detector.decision_function(odd), 1e-5)
    sure = abs(got["decision_function"]) > 1e-4  # one row lies exactly on the threshold
    np.testing.assert_array_equal(got["predict"][sure], detector.predict(odd)[sure])
    assert set(got["predict"].tolist()) == {-1, 1} and sure.sum() > 45
    codes = run(to_onnx(detector, "encoder"), X=odd)["codes"]
    close(codes, detector.autoencoder_.transform(odd))


@pytest.mark.parametrize("name", ["hidden", "own scale", "own network", "columns", "quantised"])
def test_float64(name):
    rows = DATA.get(name, X).astype(np.float64)
    model = fitted(MODELS[name], rows)
    exact = 4e-6 if name == "own network" else 1e-11  # onnxruntime's convolutions are float32
    got = run(to_onnx(model), X=rows)
    close(got["codes"], model.transform(rows), exact)
    close(got["reconstruction"], model.reconstruct(rows), exact)
    close(run(to_onnx(model, "scores"), X=rows)["score_samples"], model.score_samples(rows), exact)
    single = run(to_onnx(model, dtype="float32"), X=rows.astype(np.float32))
    close(single["reconstruction"].astype(float), model.reconstruct(rows), 1e-5)


def test_large_numbers_with_small_differences_keep_their_digits():
    seconds = 1.6e9 + np.arange(40.0)[:, None] * [1, -2, 3]
    model = fitted(ae.Autoencoder(1), seconds)
    got = run(to_onnx(model), X=seconds)
    assert abs(got["codes"] - model.transform(seconds)).max() < 1e-9
    single = (30_000 + RNG.normal(size=(40, 6))).astype(np.float32)
    model = fitted(ae.Autoencoder(3), single)
    close(run(to_onnx(model), X=single)["codes"], model.transform(single))


def test_any_number_of_rows():
    model = fitted(MODELS["convolutional"], X)
    for n in (1, 2, 3, 300):
        rows = np.resize(X, (n, 60))
        close(run(to_onnx(model), X=rows)["codes"], model.transform(rows))


class Then(Module):
    """A layer, and a function of one's own after it."""

    def __init__(self, inner, function):
        self.inner, self.function = inner, function

    def forward(self, x):
        return self.function(self.inner(x))


@pytest.mark.parametrize("function", [mg.relu, mg.tanh, mg.softplus, mg.abs])
def test_operations_kept_in_attributes(function):
    def network(sizes, code, rng, dtype):
        make = dict(rng=rng, dtype=dtype)
        return Then(Dense(60, 4, **make), function), Dense(4, 60, **make)

    model = fitted(ae.Autoencoder(4, network=network), X)
    close(run(to_onnx(model), X=X)["codes"], model.transform(X))


class Token(Module):
    """Numbers that are the same for every row, beside it."""

    def forward(self, x):
        return mg.concatenate([x, mg.broadcast_to(np.float32([1, -2]), (len(x), 2))], axis=1)


def test_constants_that_are_repeated_for_every_row():
    def network(sizes, code, rng, dtype):
        make = dict(rng=rng, dtype=dtype)
        return Sequential(Dense(60, 4, **make), Token(), Dense(6, 4, **make)), Dense(4, 60, **make)

    model = fitted(ae.Autoencoder(4, network=network), X)
    close(run(to_onnx(model), X=X[:7])["codes"], model.transform(X[:7]))


def test_impossible_and_far_rows_score_as_here():
    model = fitted(ae.Autoencoder(3, likelihood="bernoulli"), X)
    odd = X[:3].copy()
    odd[0, 0], odd[1, 1] = 1.2, -0.1
    got = run(to_onnx(model, "scores"), X=odd)["score_samples"]
    np.testing.assert_allclose(got, model.score_samples(odd), rtol=1e-6)
    assert np.isneginf(got[:2]).all() and np.isfinite(got[2])


def test_nothing_is_drawn_and_the_estimator_is_left_alone():
    model = fitted(ae.VariationalAutoencoder(4, hidden=(9,), dropout=0.5, noise="gaussian"), X)
    before = model.network_.state_dict()
    contents = {to_onnx(model).SerializeToString(deterministic=True) for _ in range(2)}
    assert len(contents) == 1
    for name, array in model.network_.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_weights_keep_their_names_and_are_there_once():
    model = fitted(ae.Autoencoder(4, hidden=(9,), tied=True), X)
    graph = to_onnx(model, "encoder").graph
    names = {tensor.name for tensor in graph.initializer}
    assert {"encoder.layers.0.weight", "encoder.layers.1.bias", "center"} <= names


# ---------------------------------------------------------------------- refusals
def changed_in_place(x):
    y = mg.tanh(x)
    array = y.data
    array.flags.writeable = True
    array += 1
    return y


@mg.primitive("x", x=lambda g: g)
def own_primitive(x):
    return x + 1


REFUSED = {
    "NumPy": (lambda x: mg.tensor(np.arcsin(np.tanh(x.data))) * 2, "argument a of multiply"),
    "NumPy at the end": (lambda x: mg.tensor(np.sin(x.data)), "the result of the model"),
    "a comparison": (lambda x: mg.where(x.data > 0, x, 0.0), "argument condition of where"),
    "the number of rows": (lambda x: x / float(len(x)), "argument b of divide"),
    "other rows": (lambda x: x - mg.mean(x, axis=0), "argument b of divide"),
    "some rows": (lambda x: mg.concatenate([x, x])[: len(x)], "argument index of getitem"),
    "branches far out": (
        lambda x: mg.exp(x) if float(x.data.max()) > 1e4 else -x,
        "which operations",
    ),
    "branches": (lambda x: mg.exp(x) if x.data[0, 0] > 0 else -x, "which operations"),
    "sorting": (lambda x: mg.sort(x, axis=1), "argument order of reorder"),
    "changed in place": (lambda x: changed_in_place(x) * 1.0, "argument a of multiply"),
    "a primitive of one's own": (lambda x: own_primitive(x), "the operation own_primitive has no"),
    "half of the rows": (lambda x: mg.concatenate([x[::2], x[1::2]]), r"an array \(1, 60\) of 2"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_written_is_refused(why):
    function, words = REFUSED[why]

    def network(sizes, code, rng, dtype):
        make = dict(rng=rng, dtype=dtype)
        first = Dense(sizes.n_features, sizes.n_components, **make)
        return first, Then(Dense(sizes.n_components, sizes.n_features, **make), function)

    model = ae.Autoencoder(4, network=network, max_epochs=0, random_state=0).fit(X)
    with pytest.raises(ValueError, match=f"export: .*{words}"):
        to_onnx(model)
    to_onnx(model, "encoder")  # which is not concerned


def test_wrong_arguments_are_refused():
    model = fitted(ae.Autoencoder(4), X)
    with pytest.raises(ValueError, match="unknown part 'middle': use 'all', 'encoder'"):
        to_onnx(model, "middle")
    with pytest.raises(ValueError, match=r"dtype must be None or .float32., got .float16."):
        to_onnx(model, dtype="float16")
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(ae.Autoencoder(4))


# ---------------------------------------------------------------------- save
def test_save_takes_the_format_from_the_ending_or_by_name(tmp_path):
    model = fitted(ae.Autoencoder(4), X)
    model.save(tmp_path / "a.onnx")
    model.save(tmp_path / "b.bin", format="onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.bin").read_bytes()
    close(run(tmp_path / "a.onnx", X=X)["codes"], model.transform(X))
    model.save(tmp_path / "A.ONNX")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "A.ONNX").read_bytes()
    model.save(tmp_path / "c.onnx", format="npz")
    np.testing.assert_array_equal(ae.load(tmp_path / "c.onnx").transform(X), model.transform(X))
    with pytest.raises(ValueError, match="unknown format 'h5': use 'npz', 'onnx'"):
        model.save(tmp_path / "d", format="h5")
    assert len(list(tmp_path.iterdir())) == 4


def test_a_refused_model_leaves_the_file_that_is_there(tmp_path):
    def network(sizes, code, rng, dtype):
        make = dict(rng=rng, dtype=dtype)
        return Dense(60, 4, **make), Then(Dense(4, 60, **make), own_primitive)

    model = ae.Autoencoder(4, network=network, max_epochs=0).fit(X)
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(ValueError, match="own_primitive"):
        model.save(tmp_path / "a.onnx")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]


def test_safetensors_give_the_weights_back(tmp_path):
    safetensors = pytest.importorskip("minigrad.safetensors")
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    model = fitted(ae.VariationalAutoencoder(4, **IMAGES), X)
    model.save(tmp_path / "a.safetensors")
    other = ae.VariationalAutoencoder(4, **IMAGES, max_epochs=0).fit(X)
    network = other.network_
    network.load_state_dict(safetensors.load(tmp_path / "a.safetensors"))
    other.network_ = network
    np.testing.assert_array_equal(other.transform(X), model.transform(X))
