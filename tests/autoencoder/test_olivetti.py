"""Proves that the reference model is the published one, layer by layer, that an epoch is the
reference program's epoch, and that nothing in a training step is ever float64."""

import numpy as np
import pytest

import minigrad as mg
from autoencoder.captured_epoch import corrupt, shrink
from autoencoder.olivetti import DeepAutoencoder, Epoch, adam, collapsed, train
from minigrad.backend import is_array
from minigrad.losses import l2_loss


def rng(seed=0):
    return np.random.default_rng(seed)


def images(n=12, size=16):
    return rng(1).random((n, size, size, 1), np.float32)


def test_it_has_the_published_layers():
    model = DeepAutoencoder(rng=rng())
    expected = {
        "encoder.layers.0": (3, 3, 1, 16),
        "encoder.layers.1": (3, 3, 16, 32),
        "encoder.layers.2": (3, 3, 32, 64),
        "encoder.layers.3": (3, 3, 64, 128),
        "encoder.layers.5": (32768, 256),
        "decoder.layers.1": (3, 3, 128, 1),
        "decoder.layers.2": (3, 3, 64, 128),
        "decoder.layers.3": (3, 3, 32, 64),
        "decoder.layers.4": (3, 3, 1, 32),
    }
    weights = {n[:-7]: p.shape for n, p in model.named_parameters() if n.endswith("weight")}
    assert weights == expected
    assert sum(p.size for p in model.parameters()) == 8_579_841
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert not p.data.any()
        else:
            fans = np.sum(mg.init.fan_in_out(p.shape))
            assert np.sqrt(6 / fans) * 0.9 < abs(p.data).max() <= np.sqrt(6 / fans)


def test_outputs_and_codes_have_their_shapes_and_ranges():
    model = DeepAutoencoder(16, 64, rng=rng())
    output, code = model(images())
    assert output.shape == (12, 16, 16, 1)
    assert code.shape == (12, 64)
    for y in (output.data, code.data):
        assert y.dtype == np.float32
        assert 0 < y.min() < y.max() < 1


@pytest.mark.parametrize(("size", "code_length"), [(16, 10), (12, 100)])
def test_other_code_lengths_get_one_more_layer(size, code_length):
    model = DeepAutoencoder(size, code_length, rng=rng())
    output, code = model(images(2, size))
    assert output.shape == (2, size, size, 1)
    assert code.shape == (2, code_length)


@pytest.mark.parametrize("size", [0, 7, -2])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="image size must be even"):
        DeepAutoencoder(size, 4, rng=rng())


class Recorder(DeepAutoencoder):
    """Notes the batches that it is shown."""

    def __init__(self, **options):
        super().__init__(8, 16, **options)
        self.seen = []

    def forward(self, x):
        self.seen.append(np.array(x.data))
        return super().forward(x)


def test_an_epoch_leaves_out_the_last_batch_and_divides_by_all_images():
    x = images(40, 8)
    model = Recorder(rng=rng())
    (epoch,) = train(model, x, adam(model, 1e-9), epochs=1, batch_size=5, size=8, order_rng=rng(2))
    assert [len(b) for b in model.seen] == [5] * 7  # 40 images: 7 batches of 5, as 7 of 50 in 400
    order = rng(2).permutation(40)[:35]
    np.testing.assert_array_equal(np.concatenate(model.seen), x[order])
    output, code = model(x[order])  # the step size is too small to change anything
    expected = ((output.data - x[order]) ** 2).sum() / 2 / 40
    assert epoch.loss == pytest.approx(expected, rel=1e-5)
    assert epoch.code_mean == pytest.approx(code.data.mean(), rel=1e-5)


def test_a_batch_as_large_as_the_data_is_one_step():
    model = Recorder(rng=rng())
    list(train(model, images(6, 8), adam(model), epochs=1, batch_size=50, size=8, order_rng=rng()))
    assert [len(b) for b in model.seen] == [6]


def test_denoising_reads_fresh_noise_and_is_scored_on_clean_images():
    x, model = images(10, 8), Recorder(rng=rng())
    options = dict(batch_size=10, size=8, noise_std=0.2, order_rng=rng(2), noise_rng=rng(3))
    epochs = list(train(model, x, adam(model, 1e-9), epochs=2, **options))
    order_rng = rng(2)
    orders = [order_rng.permutation(10) for _ in range(2)]
    first = model.seen[0]
    noise = [seen - x[order] for seen, order in zip(model.seen, orders, strict=True)]
    assert 0.1 < noise[0].std() < 0.2  # clipping takes some of the 0.2 away
    assert first.min() >= 0
    assert first.max() <= 1
    # neither the images of an epoch nor the epochs of an image share their noise
    by_image = np.concatenate([n[np.argsort(o)] for n, o in zip(noise, orders, strict=True)])
    alike = np.corrcoef(by_image.reshape(20, 64)) - np.eye(20)
    assert np.abs(alike).max() < 0.7
    output, _ = model(first)
    clean = ((output.data - x[orders[0]]) ** 2).sum() / 2 / 10
    assert epochs[0].loss == pytest.approx(clean, rel=1e-5)


def test_training_lowers_the_loss_and_repeats_bit_for_bit():
    def losses(seed):
        weights, order = rng(seed).spawn(2)
        model = DeepAutoencoder(8, 16, rng=weights)
        epochs = train(
            model, images(20, 8), adam(model), epochs=20, batch_size=5, size=8, order_rng=order
        )
        return [e.loss for e in epochs], model.state_dict()

    (first, weights), (second, again) = losses(0), losses(0)
    assert first == second
    for name in weights:
        np.testing.assert_array_equal(weights[name], again[name])
    assert first[-1] < 0.95 * first[0]
    assert losses(1)[0] != first


def test_shrink_to_half_takes_every_second_pixel():
    x = images(3, 64)
    np.testing.assert_array_equal(shrink(x, 32), x[:, ::2, ::2])
    assert shrink(x, 64) is x


def test_corrupt_adds_the_noise_asked_for_within_the_range():
    x = np.full((4, 64, 64, 1), 0.5, np.float32)
    y = corrupt(x, 0.1, rng())
    assert y.dtype == np.float32
    assert abs((y - x).std() - 0.1) < 0.003
    assert corrupt(x, 5.0, rng()).max() == 1.0
    assert corrupt(x, 5.0, rng()).min() == 0.0
    with pytest.raises(TypeError, match="Generator"):
        corrupt(x, 0.1, 0)


def test_a_training_step_in_float32_never_meets_a_float64_array():
    """A guard on every forward function and every VJP looks at all that goes in and comes out."""
    met = []

    def guard(primitive, where, phase, function, args):
        out = function(*args)
        for a in (*args, out):
            a = a._data if isinstance(a, mg.Tensor) else a
            if is_array(a) and a.dtype == np.float64:
                met.append(f"{phase} of {primitive.name}")
        return out

    model = DeepAutoencoder(8, 16, rng=rng())
    x, optimiser = images(4, 8), adam(model)
    with mg.hook(guard):
        output, _ = model(mg.tensor(corrupt(x, 0.1, rng())))
        loss = l2_loss(output, mg.tensor(x))
        loss.backward()
        optimiser.step()
        assert not met
        mg.exp(mg.tensor([1.0]))
        assert met[0] == "forward of exp"  # the guard itself can see one
    assert loss.dtype == np.float32
    for p, state in zip(model.parameters(), optimiser.state, strict=True):
        assert {p.dtype, p.grad.dtype, *(s.dtype for s in state)} == {np.dtype(np.float32)}


def test_a_collapse_is_three_epochs_of_equal_codes():
    def history(*spreads):
        return [Epoch(k + 1, 9.0, 0.4, s) for k, s in enumerate(spreads)]

    assert collapsed(history(1e-2, 1e-9, 1e-8, 1e-10))
    assert not collapsed(history(1e-9, 1e-8))
    assert not collapsed(history(1e-9, 1e-9, 1e-5))
    assert not collapsed(history(1e-9, 1e-9, 1e-9, 1e-3))


def test_the_spread_is_that_of_the_codes():
    x, model = images(10, 8), Recorder(rng=rng())
    options = dict(epochs=1, batch_size=10, size=8, order_rng=rng(2))
    (epoch,) = train(model, x, adam(model, 1e-9), **options)
    _, code = model(model.seen[0])
    assert epoch.code_spread == pytest.approx(code.data.std(axis=0).mean(), rel=1e-4)
    model.encoder.layers[5].weight.data[...] = 0  # every image gets the code of the bias
    (epoch,) = train(model, x, adam(model, 1e-30), **options)
    assert epoch.code_spread == 0
