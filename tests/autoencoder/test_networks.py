"""Networks of every shape mirror exactly; tied weights are one array and make the adjoint."""

import copy
import pickle

import numpy as np
import pytest

from autoencoder import networks
from autoencoder.networks import Sizes
from autoencoder.parts import GaussianCode, PointCode
from minigrad import grad, no_grad
from minigrad.nn import Dense, Dropout
from minigrad.optim import SGD
from minigrad.testing import check_adjoint

IMAGES = [
    ((6, 7, 1), (4,)),
    ((7, 5, 3), (2, 3)),
    ((8, 8, 1), (2, 3, 4)),
    ((9, 4, 2), (3, 2)),
    ((1, 1, 1), (2, 2)),
    ((28, 28, 1), (4, 3)),
    ((5, 3, 2), ()),
]


def build(d, k=3, *, code=None, dtype=np.float64, seed=0, dropout_rng=None, **settings):
    code, rng = PointCode("linear") if code is None else code, np.random.default_rng(seed)
    return networks.build(Sizes(d, k, **settings), code, rng, dtype, dropout_rng=dropout_rng)


def size(image_shape):
    return int(np.prod(image_shape))


def some(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---------------------------------------------------------------------- shapes and dtypes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("code", [PointCode("relu"), GaussianCode()], ids=repr)
@pytest.mark.parametrize(
    ("d", "settings"),
    [(11, {"hidden": h}) for h in [(), (5,), (7, 6, 5), (20,), (np.int64(4),)]]
    + [(size(shape), {"hidden": h, "image_shape": shape}) for shape, h in IMAGES],
    ids=str,
)
def test_encoder_and_decoder_have_the_shapes_they_promise(d, settings, code, tied, dtype):
    network = build(d, 3, code=code, tied=tied, dtype=dtype, **settings)
    assert {p.dtype for p in network.parameters()} == {np.dtype(dtype)}
    h = network.encode(some(4, d, dtype=dtype))
    t = network.decode(code.mean(h))
    assert h.shape == (4, code.width(3)) and t.shape == (4, d)
    assert h.dtype == t.dtype == dtype
    kernels = [p for p in network.parameters() if p.ndim > 1]
    layers = len(settings["hidden"]) + 1
    assert len(kernels) == (layers if tied else 2 * layers)
    assert "parameters" in repr(network)


def test_a_dense_network_is_this():
    network = build(6, 2, hidden=(5, 4), activation="tanh")
    w = network.state_dict()
    x, z = some(3, 6), some(3, 2)
    encoded = np.tanh(np.tanh(x @ w["encoder.layers.0.weight"]) @ w["encoder.layers.1.weight"])
    encoded = encoded @ w["encoder.layers.2.weight"]
    decoded = np.tanh(np.tanh(z @ w["decoder.layers.0.weight"]) @ w["decoder.layers.1.weight"])
    decoded = decoded @ w["decoder.layers.2.weight"]
    np.testing.assert_allclose(network.encode(x).numpy(), encoded, rtol=1e-12)
    np.testing.assert_allclose(network.decode(z).numpy(), decoded, rtol=1e-12)


def test_every_stage_of_a_convolutional_network_has_its_mirrors_size():
    network = build(7 * 5 * 2, hidden=(3, 4), image_shape=(7, 5, 2))
    there, back = [some(1, 70)], [some(1, 3)]
    for layer in network.encoder.layers:
        there.append(layer(there[-1]))
    for layer in network.decoder.layers:
        back.append(layer(back[-1]))
    stages = [y.shape[1:] for y in there]
    assert stages == [(70,), (7, 5, 2), (4, 3, 3), (2, 2, 4), (16,), (3,)]
    assert [y.shape[1:] for y in back] == stages[::-1]


def test_the_seed_makes_the_weights():
    a, b, c = (build(9, hidden=(4,), seed=s).state_dict() for s in (0, 0, 1))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert (a["encoder.layers.0.weight"] != c["encoder.layers.0.weight"]).any()


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "softplus"])
def test_hidden_layers_are_activated_but_not_the_code_nor_the_output(activation):
    network = build(50, 20, hidden=(30,), activation=activation)
    h, t = network.encode(some(40, 50)).numpy(), network.decode(some(40, 20)).numpy()
    hidden = network.encoder[0](some(40, 50)).numpy()
    assert h.min() < -0.5 and t.min() < -0.5 and (h.max() > 0.5) and (t.max() > 0.5)
    assert hidden.min() >= (-1 if activation == "tanh" else 0)


# ---------------------------------------------------------------------- tied weights
TIED = [(11, {"hidden": ()}), (11, {"hidden": (6, 5)})] + [
    (size(shape), {"hidden": hidden, "image_shape": shape}) for shape, hidden in IMAGES
]


@pytest.mark.parametrize(("d", "settings"), TIED, ids=str)
def test_a_tied_linear_network_decodes_by_the_adjoint_of_the_encoder(d, settings):
    """``<encode(x), z> = <x, decode(z)>`` holds for no other weights of the decoder."""
    tied = build(d, tied=True, activation="linear", **settings)
    free = build(d, tied=False, activation="linear", **settings)
    x, z = some(2, d), some(2, 3)
    check_adjoint(tied.encode, tied.decode, x, z)
    with pytest.raises(AssertionError, match="not adjoint"):
        check_adjoint(free.encode, free.decode, x, z)


@pytest.mark.parametrize("code", [PointCode("linear"), GaussianCode()], ids=repr)
@pytest.mark.parametrize(("d", "settings"), TIED, ids=str)
def test_the_gradient_of_tied_weights_is_the_sum_of_both_uses(d, settings, code):
    """Measured against an untied network that has the same weights twice."""
    k, x = 3, some(4, d)
    tied = build(d, k, code=code, tied=True, activation="tanh", **settings)
    free = build(d, k, code=code, tied=False, activation="tanh", **settings)
    mine = [p for p in tied.parameters() if p.ndim > 1]
    theirs = [p for p in free.parameters() if p.ndim > 1]
    pairs = list(zip(mine, theirs[: len(mine)], theirs[: len(mine) - 1 : -1], strict=True))
    mirrored = [w.numpy() if w.ndim == 4 else w.numpy().T for w, _, _ in pairs]
    mirrored[-1] = mirrored[-1][:k]  # of a Gaussian code the means alone
    for (w, first, second), reverse in zip(pairs, mirrored, strict=True):
        first.data, second.data = w.numpy().copy(), np.ascontiguousarray(reverse)

    def loss(network):
        return (network.decode(code.mean(network.encode(x))) ** 2).sum()

    assert loss(tied).item() == pytest.approx(loss(free).item(), rel=1e-13)
    ours, others = grad(loss(tied), mine), grad(loss(free), theirs)
    for j, g in enumerate(ours):
        expected, back = others[j].numpy().copy(), others[-1 - j].numpy()
        assert np.abs(expected).max() > 1e-6 and np.abs(back).max() > 1e-6
        if g.ndim == 4:
            expected += back
        else:
            expected[:, : len(back)] += back.T
        np.testing.assert_allclose(g.numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("d", "settings"), TIED[1:3], ids=str)
def test_tied_weights_stay_tied(d, settings):
    """Through steps of an optimizer, copies, pickles and saved states."""
    network = build(d, tied=True, **settings)
    x = some(4, d)
    optimizer = SGD(network.parameters(), lr=0.01)
    (network.decode(network.encode(x)) ** 2).sum().backward()
    optimizer.step()
    reloaded = build(d, tied=True, seed=5, **settings)
    reloaded.load_state_dict(network.state_dict())
    with no_grad():
        expected = network.decode(network.encode(x)).numpy()
        for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), reloaded):
            np.testing.assert_array_equal(other.decode(other.encode(x)).numpy(), expected)
            kernels = [p for p in other.parameters() if p.ndim > 1]
            assert len(kernels) == len(settings["hidden"]) + 1
            before = np.ptp(other.decode(some(5, 3)).numpy(), axis=0)
            for p in other.encoder.parameters():
                p.data = 0 * p.data  # in the encoder ...
            after = np.ptp(other.decode(some(5, 3)).numpy(), axis=0)  # ... and so in the decoder
            assert before.max() > 0.01 and not after.any()


def test_biases_are_not_tied():
    network = build(8, tied=True, hidden=(5,))
    assert [p.shape for p in network.parameters() if p.ndim == 1] == [(5,), (3,), (5,), (8,)]


# ---------------------------------------------------------------------- dropout
@pytest.mark.parametrize(
    ("d", "settings"), [(9, {"hidden": (6, 5)}), (15, {"hidden": (4, 3), "image_shape": (5, 3, 1)})]
)
def test_dropout_follows_each_hidden_layer_while_training(d, settings):
    def make(seed):
        rng = np.random.default_rng(seed)
        return build(d, dropout=0.5, dropout_rng=rng, activation="tanh", **settings)

    network, x, z = make(0), some(50, d), some(50, 3)
    for half in (network.encoder, network.decoder):
        assert sum(isinstance(layer, Dropout) for layer in half.layers) == 2
    for run, value in [("encode", x), ("decode", z)]:
        calls = [getattr(make(seed), run)(value).numpy() for seed in (0, 0, 1)]
        np.testing.assert_array_equal(calls[0], calls[1])
        assert (calls[0] != calls[2]).any()
        assert (calls[0] == 0).mean() < 0.1  # neither the code nor the data are dropped
        plain = getattr(build(d, activation="tanh", **settings), run)(value).numpy()
        np.testing.assert_array_equal(getattr(network.eval(), run)(value).numpy(), plain)


def test_a_network_without_hidden_layers_has_nothing_to_drop():
    network = build(9, dropout=0.9, dropout_rng=np.random.default_rng(0))
    x = some(4, 9)
    np.testing.assert_array_equal(network.encode(x).numpy(), network.encode(x).numpy())


# ---------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"image_shape": (5, 5, 1)}, r"a product of the 12 features, got \(5, 5, 1\): name"),
        ({"image_shape": (-3, -4, 1)}, r"whole numbers above 0, got .*=\(-3, -4, 1\)"),
        ({"image_shape": 12}, r"must be \(height, width, channels\) .* got 12"),
        ({"image_shape": (3, 4)}, r"image_shape must be \(height, width, channels\) .* \(3, 4\)"),
        ({"hidden": (4, 0)}, r"whole numbers above 0, got .*12, n_components=3, hidden=\(4, 0\)"),
        ({"hidden": (2.5,)}, r"whole numbers above 0"),
        ({"hidden": 4}, r"hidden must be a tuple of widths, such as \(256, 64\), got 4"),
        ({"k": 0}, r"whole numbers above 0, got .*12, n_components=0, hidden=\(\)"),
        ({"activation": "swish"}, "unknown activation 'swish': use 'relu', .* or 'linear'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
    ],
    ids=str,
)
def test_impossible_networks_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(12, **settings)


def test_dropout_needs_its_generator():
    with pytest.raises(TypeError, match="Dropout: rng must be"):
        build(12, hidden=(3,), dropout=0.1)


def test_the_reference_models_network_is_for_even_square_grey_images():
    for shape in (None, (4, 8, 1), (8, 4, 1), (5, 5, 1), (4, 4, 3)):
        sizes = Sizes(32 if shape is None else size(shape), 4, image_shape=shape)
        with pytest.raises(ValueError, match="is for square grey images with an even number of"):
            networks.build(sizes, PointCode("linear"), np.random.default_rng(0), network="olivetti")


def two_layers(sizes, code, rng, dtype):
    make = dict(rng=rng, dtype=dtype)
    return (
        Dense(sizes.n_features, code.width(sizes.n_components), **make),
        Dense(sizes.n_components, sizes.n_features, **make),
    )


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda sizes, code: None, TypeError, r"is called with \(sizes, code, rng, dtype\): "),
        (lambda *a: (*two_layers(*a), Dense(1, 1, rng=a[2])), TypeError, "two .*s, got tuple"),
        (lambda *a: (two_layers(*a)[0], len), TypeError, "two .*s, got Dense, builtin_function"),
        (lambda *a: two_layers(*a)[0], TypeError, "expected an encoder and a decoder, .*got Dense"),
        (lambda *a: two_layers(*a)[::-1], ValueError,
         r"its encoder cannot read an array of shape \(1, 12\): "),
        (lambda *a: (two_layers(*a)[0],) * 2, ValueError,
         r"its decoder cannot read an array of shape \(1, 3\): "),
        (lambda s, c, rng, dtype: (two_layers(s, c, rng, dtype)[0], Dense(3, 5, rng=rng,
                                                                          dtype=dtype)),
         ValueError, r"its decoder turns an array of shape \(1, 3\) into \(1, 5\), expected"),
        (lambda *a: (Dropout(0.1, rng=a[2]), Dropout(0.1, rng=a[2])), ValueError,
         "it has no parameters to train"),
        (lambda s, c, rng, dtype: two_layers(s, c, rng, np.float32), TypeError,
         "its weights are float32, the data float64: hand the argument dtype on"),
    ],
)  # fmt: skip
def test_a_function_that_makes_no_network_for_the_data_is_refused(function, kind, words):
    with pytest.raises(kind, match=r"^network .*" + words):
        networks.build(Sizes(12, 3), PointCode("linear"), np.random.default_rng(0), float,
                       network=function)  # fmt: skip
    made = networks.build(
        Sizes(12, 3), PointCode("linear"), np.random.default_rng(0), float, network=two_layers
    )
    assert made.training
