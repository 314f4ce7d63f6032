"""Proves that the reference model is the published one, layer by layer, that its training is the
reference program's, step by step, and that nothing in a training step is ever float64."""

import numpy as np
import pytest

import minigrad as mg
from autoencoder import Autoencoder, GaussianNoise, olivetti, training
from autoencoder.datasets import make_faces, shrink
from autoencoder.networks import Sizes, build
from autoencoder.parts import PointCode
from minigrad.backend import is_array


def rng(seed=0):
    return np.random.default_rng(seed)


def rows(n=12, size=16, dtype=np.float32):
    return rng(1).random((n, size * size)).astype(dtype)


def network(size=16, k=64, seed=0, dtype=np.float32):
    sizes = Sizes(size * size, k, image_shape=(size, size, 1))
    return build(sizes, PointCode("sigmoid"), rng(seed), dtype, network="olivetti")


def model(size=16, k=64, batch_size=5, **more):
    settings = olivetti.settings(size, batch_size)
    return Autoencoder(**{**settings, "n_components": k, "random_state": 0, **more})


def test_it_has_the_published_layers():
    published = network(32, 256)
    expected = {
        "encoder.layers.1": (3, 3, 1, 16),
        "encoder.layers.2": (3, 3, 16, 32),
        "encoder.layers.3": (3, 3, 32, 64),
        "encoder.layers.4": (3, 3, 64, 128),
        "encoder.layers.6": (32768, 256),
        "decoder.layers.1": (3, 3, 128, 1),
        "decoder.layers.2": (3, 3, 64, 128),
        "decoder.layers.3": (3, 3, 32, 64),
        "decoder.layers.4": (3, 3, 1, 32),
    }
    weights = {n[:-7]: p.shape for n, p in published.named_parameters() if n.endswith("weight")}
    assert weights == expected
    assert sum(p.size for p in published.parameters()) == 8_579_841
    for name, p in published.named_parameters():
        if name.endswith("bias"):
            assert not p.data.any()
        else:
            fans = np.sum(mg.init.fan_in_out(p.shape))
            assert np.sqrt(6 / fans) * 0.9 < abs(p.data).max() <= np.sqrt(6 / fans)


def test_outputs_and_codes_have_their_shapes_and_ranges():
    fitted = model(max_epochs=0).fit(rows())
    codes, rebuilt = fitted.transform(rows()), fitted.reconstruct(rows())
    assert codes.shape == (12, 64)
    assert rebuilt.shape == (12, 256)
    for y in (codes, rebuilt):
        assert y.dtype == np.float32
        assert 0 < y.min() < y.max() < 1


@pytest.mark.parametrize(("size", "k"), [(16, 10), (12, 100)])
def test_other_latent_codes_get_one_more_layer(size, k):
    fitted = model(size, k, max_epochs=0).fit(rows(2, size))
    assert fitted.transform(rows(2, size)).shape == (2, k)
    assert fitted.reconstruct(rows(2, size)).shape == (2, size * size)


@pytest.mark.parametrize("shape", [(7, 7, 1), (4, 6, 1), (4, 4, 3), None])
def test_images_that_are_not_square_grey_and_even_are_refused(shape):
    X = np.zeros((2, 49 if shape is None else int(np.prod(shape))), np.float32)
    with pytest.raises(ValueError, match="square grey images with an even number of pixels"):
        model(k=4, image_shape=shape).fit(X)


# What the reference model's own loop, which this one replaced, gave in float64: 40 generated faces
# of 16x16 pixels, batches of 5, a code of 64; the weights and the order from the first two children
# of default_rng(1). The sum of l2_loss over each batch, then (loss, code_mean, code_spread) of the
# first epoch as the article counts them.
OLD_LOSSES = [
    23.533329750605297, 10.747677425107957, 10.997049180485877, 19.545591144084703,
    20.38489317261382, 12.041561248560782, 15.755034502892341, 9.546447334461533,
    13.290282599827737, 11.883489265654068, 18.96992871949542, 13.81869062205565,
    15.99722877921957, 12.481964078388245, 14.614553093200332, 12.861011885680234,
    14.766378905004553, 8.884743276578318, 15.336586702041224, 11.339319331415972,
    11.947588774103139,
]  # fmt: skip
OLD_FIRST_EPOCH = 2.8251284106087695, 0.5273700061690489, 0.019253301147613238
# the same in float32 as a denoising autoencoder of std 0.2, whose noise is the third child's
OLD_DENOISING = [23.533185958862305, 10.745205879211426, 10.989363670349121, 19.50798225402832]


def losses_as_then(dtype, noise=None):
    """The sum of l2_loss over every batch of three epochs, and the trained model."""
    X = make_faces(people=8, variations=5, size=16).images.astype(dtype).reshape(40, -1)
    trained = model(max_epochs=0, noise=noise).fit(X)
    state = trained._training
    names = ("weights", "order", "noise")
    state.streams.update(zip(names, rng(1).spawn(3), strict=True))
    state.network.load_state_dict(trained._new_network(state.streams).state_dict())
    seen, real = [], training.loss_terms

    def watched(network, *rest):
        terms, codes = real(network, *rest)
        if network.training:
            seen.append(5 * terms["reconstruction"].item())
        return terms, codes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "loss_terms", watched)
        trained.set_params(warm_start=True, max_epochs=3).fit(X)
    return seen, trained


def test_the_losses_are_those_of_the_loop_before():
    losses, trained = losses_as_then(np.float64)
    np.testing.assert_allclose(losses, OLD_LOSSES, rtol=1e-12)
    history = trained.history_
    loss, _ = olivetti.published(history["l2_loss"][0], 40, 5)
    first = loss, history["code_mean"][0], history["code_spread"][0]
    np.testing.assert_allclose(first, OLD_FIRST_EPOCH, rtol=1e-12)


def test_the_denoising_losses_are_those_of_the_loop_before():
    losses, _ = losses_as_then(np.float32, GaussianNoise(0.2, clip=(0, 1)))
    np.testing.assert_allclose(losses[:4], OLD_DENOISING, rtol=1e-5)


def test_another_epsilon_is_noticed(monkeypatch):
    """The negative control: without the batch size in epsilon the losses are others."""
    usual = olivetti.settings
    wrong = {"solver_options": {"epsilon": 1e-8, "epsilon_hat": True}}
    monkeypatch.setattr(olivetti, "settings", lambda *sizes: {**usual(*sizes), **wrong})
    losses, _ = losses_as_then(np.float64)
    assert not np.allclose(losses, OLD_LOSSES, rtol=1e-9)


def batches_seen(trained, X, epochs=1):
    """The batches (n, D) that the network is shown in some epochs of a new fit."""
    seen, real = [], training.loss_terms

    def watched(network, parts, x, target, *rest):
        if network.training:
            seen.append((np.array(x.data), np.array(target.data)))
        return real(network, parts, x, target, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "loss_terms", watched)
        trained.set_params(max_epochs=epochs).fit(X)
    return seen


def test_an_epoch_leaves_out_the_last_batch():
    X = rows(40, 8)
    trained = model(8, 16, learning_rate=1e-12)
    seen = batches_seen(trained, X)
    assert [len(x) for x, _ in seen] == [5] * 7  # 40 images: 7 batches of 5, as 7 of 50 in 400
    used = np.concatenate([x for x, _ in seen])
    assert len(np.unique(used, axis=0)) == 35
    expected = np.square(trained.reconstruct(used) - used).sum() / 2 / 35
    assert trained.history_["l2_loss"][0] == pytest.approx(expected, rel=1e-5)
    assert trained.history_["code_mean"][0] == pytest.approx(trained.transform(used).mean())
    spread = trained.transform(used[-5:]).std(axis=0).mean()
    assert trained.history_["code_spread"][0] == pytest.approx(spread, rel=1e-3)


def test_a_batch_as_large_as_the_data_is_one_step():
    assert [len(x) for x, _ in batches_seen(model(8, 16, batch_size=50), rows(6, 8))] == [6]


def test_denoising_reads_fresh_noise_and_is_scored_on_clean_images():
    X = rows(10, 8)
    noise = GaussianNoise(0.2, clip=(0, 1))
    trained = model(8, 16, batch_size=10, noise=noise, learning_rate=1e-12)
    seen = batches_seen(trained, X, epochs=2)
    first = seen[0][0]
    assert 0.1 < (first - seen[0][1]).std() < 0.2  # clipping takes some of the 0.2 away
    assert first.min() >= 0
    assert first.max() <= 1
    # neither the images of an epoch nor the epochs of an image share their noise
    alike = np.corrcoef(np.concatenate([x - clean for x, clean in seen])) - np.eye(20)
    assert np.abs(alike).max() < 0.7
    expected = np.square(trained.reconstruct(first) - seen[0][1]).sum() / 2 / 10
    assert trained.history_["l2_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_in_nats_and_keeps_its_digits():
    trained = model(8, 16, max_epochs=2).fit(rows(20, 8))
    history = trained.history_
    constant = 64 / 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(np.subtract(history["loss"], constant), history["l2_loss"])
    assert history["loss"][1] != float(np.float32(history["loss"][1]))  # added in float64


def test_training_lowers_the_loss_and_repeats_bit_for_bit():
    first, second, other = (
        model(8, 16, max_epochs=20, random_state=seed).fit(rows(20, 8)) for seed in (0, 0, 1)
    )
    assert first.history_ == second.history_ != other.history_
    for name, weight in first.network_.state_dict().items():
        np.testing.assert_array_equal(weight, second.network_.state_dict()[name])
    assert first.history_["l2_loss"][-1] < 0.95 * first.history_["l2_loss"][0]


def test_shrink_to_half_takes_every_second_pixel():
    x = rng(1).random((3, 64, 64, 1), np.float32)
    np.testing.assert_array_equal(shrink(x, 32), x[:, ::2, ::2])
    assert shrink(x, 64) is x


def test_noise_before_and_after_shrinking_has_one_distribution():
    """The reference program adds noise at 64x64 and subsamples; here it is drawn at 32x32."""
    noise, x = GaussianNoise(0.2, clip=(0, 1)), np.full((50, 64, 64, 1), 0.3, np.float32)
    large, small = shrink(noise.corrupt(x, rng(0)), 32), noise.corrupt(shrink(x, 32), rng(1))
    assert large.shape == small.shape
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        pair = np.quantile(large, quantile), np.quantile(small, quantile)
        assert pair[0] == pytest.approx(pair[1], abs=0.005)


def test_a_training_step_in_float32_never_meets_a_float64_array():
    """A guard on every forward function and every VJP looks at all that goes in and comes out."""
    met = []

    def guard(primitive, where, phase, function, args):
        out = function(*args)
        for a in (*args, *(out if isinstance(out, tuple) else (out,))):
            a = a._data if isinstance(a, mg.Tensor) else a
            if is_array(a) and a.dtype == np.float64:
                met.append(f"{phase} of {primitive.name}")
        return out

    with mg.hook(guard):
        trained = model(8, 16, noise=GaussianNoise(0.1), max_epochs=2).fit(rows(10, 8))
        assert not met
        mg.exp(mg.tensor([1.0]))
        assert met[0] == "forward of exp"  # the guard itself can see one
    optimizer = trained._training.optimizer
    for p in trained._training.network.parameters():
        state = optimizer.state[p]
        assert {p.dtype, state["m"].dtype, state["v"].dtype} == {np.dtype(np.float32)}
