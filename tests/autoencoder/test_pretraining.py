"""Proves that pretraining trains each pair of layers as an autoencoder of the codes before it, that
without it nothing changes, and that it is refused where there are no dense hidden layers."""

import numpy as np
import pytest
from sklearn.base import clone

from autoencoder import (
    Autoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
    load,
)
from minigrad.nn import Dense, Sequential

X = np.random.default_rng(0).random((40, 7))
DEEP = dict(hidden=(6, 5), activation="tanh", batch_size=40, random_state=0)


def weights(model):
    return [p.numpy() for p in model.network_.parameters()]


def same(these, those):
    return all(np.array_equal(a, b) for a, b in zip(these, those, strict=True))


def alone(rows, layer, mirror, code, epochs):
    """An autoencoder of one layer, of the same first weights, fitted to `rows`."""

    def network(sizes, code, rng, dtype):
        pair = []
        for given in (layer, mirror):
            made = Dense(*given.weight.shape, activation=given.activation, dtype=dtype, rng=rng)
            made.load_state_dict(given.state_dict())
            pair.append(Sequential(made))
        return pair

    return Autoencoder(
        layer.weight.shape[1], network=network, code=code, batch_size=40, max_epochs=epochs,
        scale=None, random_state=0,
    ).fit(rows)  # fmt: skip


def test_the_outermost_pair_is_an_autoencoder_of_one_layer_to_the_last_bit():
    whole = Autoencoder(3, pretrain_epochs=4, max_epochs=0, **DEEP | dict(batch_size=16)).fit(X)
    one = Autoencoder(6, code="tanh", max_epochs=4, batch_size=16, random_state=0).fit(X)
    theirs = one.network_
    for ours, its in (
        (whole.network_.encoder[0], theirs.encoder[0]),
        (whole.network_.decoder[-1], theirs.decoder[0]),
    ):
        assert same([p.numpy() for p in ours.parameters()], [p.numpy() for p in its.parameters()])


@pytest.mark.parametrize("depth", [1, 2])
def test_an_inner_pair_is_an_autoencoder_of_the_codes_before_it(depth):
    """Of the same first weights; in full batches, so that the order of the rows does not matter."""
    before = Autoencoder(3, max_epochs=0, **DEEP).fit(X).network_
    after = Autoencoder(3, pretrain_epochs=4, max_epochs=0, **DEEP).fit(X).network_
    codes = X - after.center.numpy()
    for layer in after.encoder.layers[:depth]:
        codes = np.tanh(codes @ layer.weight.numpy() + layer.bias.numpy())
    mirror = -1 - depth
    one = alone(codes, before.encoder[depth], before.decoder[mirror], "linear", 4).network_
    for ours, its in (
        (after.encoder[depth], one.encoder[0]),
        (after.decoder[mirror], one.decoder[0]),
    ):
        for p, q in zip(ours.parameters(), its.parameters(), strict=True):
            np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-9, atol=1e-12)
    moved = after.encoder[depth].weight.numpy() - before.encoder[depth].weight.numpy()
    assert np.abs(moved).max() > 1e-3


def test_the_whole_network_learns_after_its_pairs():
    plain = Autoencoder(3, max_epochs=3, **DEEP).fit(X)
    pretrained = Autoencoder(3, max_epochs=3, pretrain_epochs=30, **DEEP).fit(X)
    stacked = Autoencoder(3, max_epochs=0, pretrain_epochs=30, **DEEP).fit(X)
    assert pretrained.history_["epoch"] == [1, 2, 3] == plain.history_["epoch"]
    assert pretrained.history_["l2_loss"][0] < 0.9 * plain.history_["l2_loss"][0]
    assert not same(weights(stacked), weights(pretrained))


@pytest.mark.parametrize(
    "make",
    [
        lambda **p: Autoencoder(3, tied=True, dropout=0.2, **p),
        lambda **p: DenoisingAutoencoder(3, noise="masking", validation_fraction=0.2, **p),
        lambda **p: SparseAutoencoder(3, likelihood="bernoulli", **p),
        lambda **p: VariationalAutoencoder(3, **p),
    ],
)
def test_it_goes_with_every_part(make):
    params = DEEP | dict(pretrain_epochs=2, max_epochs=2, batch_size="auto")
    one, two = make(**params).fit(X), make(**params).fit(X)
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(make(**params | dict(pretrain_epochs=0)).fit(X)))


def test_weights_missing_numbers_and_validation_rows():
    holes = X.copy()
    holes[::5, 2] = np.nan
    model = Autoencoder(3, pretrain_epochs=2, max_epochs=1, missing="mask", **DEEP)
    model.fit(holes, sample_weight=np.arange(1.0, 41.0), X_val=X[:10])
    assert np.isfinite(model.reconstruct(holes)).all()


def test_a_clone_and_a_file_have_it(tmp_path):
    model = Autoencoder(3, pretrain_epochs=2, max_epochs=2, **DEEP).fit(X)
    assert clone(model).pretrain_epochs == 2
    assert same(weights(model), weights(clone(model).fit(X)))
    model.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert loaded.pretrain_epochs == 2
    for each in (model, loaded):  # a fit that goes on does not pretrain again
        each.set_params(warm_start=True, max_epochs=1).fit(X)
    assert same(weights(model), weights(loaded))
    assert loaded.history_["epoch"] == [1, 2, 3]


def test_automatic_length():
    model = Autoencoder(3, pretrain_epochs="auto", max_epochs=0, **DEEP | dict(batch_size=1))
    assert model._settings(4000, max_epochs=model.pretrain_epochs).max_epochs == 10
    assert model._settings(4000, max_epochs=model.pretrain_epochs).levels_off


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (dict(image_shape=(7, 1, 1), hidden=(4,)), "makes convolutions: set pretrain_epochs=0"),
        (dict(image_shape=(7, 1, 1)), "makes convolutions"),
        (dict(hidden=()), "there are no hidden layers: name some"),
        ({}, "there are no hidden layers"),
        (dict(network=lambda *_: None, hidden=(4,)), "makes layers of its own"),
    ],
)
def test_it_is_refused_where_there_are_no_dense_hidden_layers(params, words):
    with pytest.raises(ValueError, match=words):
        Autoencoder(3, pretrain_epochs=5, **params).fit(X)


@pytest.mark.parametrize("value", [-1, 2.5, "layers", None])
def test_wrong_values_get_a_sentence(value):
    with pytest.raises(ValueError, match="pretrain_epochs"):
        Autoencoder(3, hidden=(4,), pretrain_epochs=value).fit(X)
