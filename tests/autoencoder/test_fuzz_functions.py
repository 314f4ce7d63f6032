"""Proves that the functions and parts around the estimators, given anything, answer or refuse in a
sentence; and that the judge of that would notice if they did not."""

import copy
import warnings
from fractions import Fraction

import numpy as np
import pytest
from fuzzing import JUNK, REFUSED, answer, arrays, fuzz, is_explained
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA

import autoencoder as ae
from autoencoder import datasets
from autoencoder.codec import codec as compression
from autoencoder.codec import quantiser, usual_step
from autoencoder.codec import rate_distortion as rates
from autoencoder.datasets import make_faces, splits
from autoencoder.evaluation import baselines, evaluate, metrics
from autoencoder.parts import resolve

# ---------------------------------------------------------------------- the right arguments
SIDES = st.sampled_from([1, 2, 3, 4, 4, 6, 12])
NUMBERS = st.sampled_from([1, 2, 0.5, np.float32(0.25), np.int8(2), Fraction(1, 2)])
WHOLE = st.sampled_from([1, 2, np.int8(3), np.uint8(1)])
STEP = st.sampled_from([0.05, 0.5, np.float32(0.1), 1, Fraction(1, 3)])
LABELS = [0, 1, 2], ["a", "b"], [False, True], [0.5, 1.5], [None, "a"]
RNG = st.builds(np.random.default_rng, st.integers(0, 9))
X3 = arrays(st.tuples(st.sampled_from([9, 9, 20]), st.just(3)))
MODELS = st.sampled_from(
    [
        kind(2, max_epochs=1, random_state=0, noise=noise).fit(
            np.random.default_rng(0).random((9, 3))
        )
        for kind in (ae.Autoencoder, ae.VariationalAutoencoder)
        for noise in (None, "masking")
    ]
)
PCAS = {d: PCA(min(d, 2)).fit(np.random.default_rng(d).random((9, d))) for d in (1, 2, 3, 4, 6, 12)}


OBJECTS = ("model", "pca", "decode")  # of which nobody asks what they are


def right(name, shape):
    """What an argument called `name` should be, of examples (N, ...) of one `shape`."""
    kinds = {
        "x": arrays(st.just(shape)),  # as the first argument
        "codes": hnp.arrays(np.float64, (shape[0], 2), elements=st.floats(-2, 2)),
        "pair": hnp.arrays(np.float64, (2,), elements=st.sampled_from([0.1, 0.5, 1.0, np.inf])),
        "x3": X3,
        "bytes": st.binary(max_size=9),
        "labels": st.sampled_from(LABELS).flatmap(
            lambda kinds: st.lists(st.sampled_from(kinds), min_size=shape[0], max_size=shape[0])
        ),
        "groups": st.sampled_from([None, [0], ["a"], [0, 2], 1]),
        "fraction": st.sampled_from([None, 0.3, np.float32(0.5), Fraction(1, 2)]),
        "scores": arrays(st.just(shape[:1])),
        "counts": hnp.arrays(np.int64, shape[:1], elements=st.integers(0, 99)),
        "curve": st.lists(st.tuples(st.floats(0.1, 9), st.floats(10, 50)), min_size=2, max_size=4),
        "reduction": st.sampled_from(["mean", "none"]),
        "image_shape": st.sampled_from([None, shape[1:], (2, 2, 1), [1, shape[-1], 1]]),
        "components": st.lists(WHOLE, max_size=3),
        **{"number": NUMBERS, "whole": WHOLE, "step": STEP, "rng": RNG},
        **{
            "steps": st.lists(STEP, max_size=2),
            "decode": st.just(lambda z: z.sum(axis=1, keepdims=True) * [1, 2]),
        },
        "qualities": st.lists(st.sampled_from([5, 50, 95]), max_size=2),
        "pca": st.just(PCAS.get(int(np.prod(shape[1:])), PCAS[3])),
        "model": MODELS,
        "part": st.sampled_from(["noise", "code", "likelihood", "penalty"]),
        "part_name": st.sampled_from(["gaussian", "relu", "l1", ["l1"], ("l1", "l1")]),
        "side": st.sampled_from([8, np.int8(9), 16]),
    }
    return kinds[name]


FUNCTIONS = {}


def fuzzed(function, names, label="", **options):
    """Let a test call `function` with arguments, and `options`, of these kinds."""
    FUNCTIONS[f"{label}.{function.__name__}".lstrip(".")] = function, names.split(), options


fuzzed(metrics.mse, "x x", reduction="reduction")
fuzzed(metrics.psnr, "x x", data_range="number", reduction="reduction")
fuzzed(metrics.ssim, "x x", data_range="number", reduction="reduction")
fuzzed(metrics.excess_bce, "x x", reduction="reduction")
fuzzed(metrics.anomaly_metrics, "scores scores")
fuzzed(metrics.active_units, "x number")
fuzzed(metrics.kl_per_unit, "x x")
fuzzed(metrics.linear_probe, "codes labels codes labels")
fuzzed(metrics.knn_accuracy, "codes labels codes labels", n_neighbors="whole")
fuzzed(metrics.few_shot_accuracy, "codes labels whole rng", repeats="whole")
fuzzed(metrics.trustworthiness, "x codes", n_neighbors="whole")
fuzzed(splits.by_group, "labels", test_fraction="fraction", test_groups="groups", rng="rng")
fuzzed(splits.within_group, "labels whole rng")
fuzzed(baselines.principal_components, "x whole")
fuzzed(baselines.principal_directions, "x")
fuzzed(baselines.ladder, "x components", test="x")
fuzzed(baselines.wiener, "x number")
fuzzed(baselines.probabilistic_pca, "x whole x")
fuzzed(quantiser.fit_quantiser, "codes pair")
fuzzed(quantiser.decoder_gains, "decode codes", probes="whole")
fuzzed(quantiser.whole_frequencies, "counts")
fuzzed(rates.bits_per_pixel, "bytes x")
fuzzed(rates.rate_distortion, "pca x x steps")
fuzzed(rates.jpeg_curve, "x qualities")
fuzzed(rates.bd_rate, "curve curve")
fuzzed(rates.eight_bits, "x")
fuzzed(usual_step, "model x3")
fuzzed(evaluate, "model x3 x3", image_shape="image_shape", data_range="number", n_draws="whole")
fuzzed(make_faces, "whole whole side", seed="whole")
fuzzed(resolve, "part part_name")
for each in (ae.GaussianNoise, ae.HeteroscedasticNoise, ae.MaskingNoise, ae.SaltAndPepperNoise):
    fuzzed(each().corrupt, "x rng", each.__name__)
for each in (ae.BernoulliLikelihood, ae.ContinuousBernoulliLikelihood):
    fuzzed(each().check, "x", each.__name__)
for each in (
    *(ae.GaussianLikelihood(), ae.GaussianLikelihood("optimal"), ae.BernoulliLikelihood()),
    ae.ContinuousBernoulliLikelihood(),
):
    fuzzed(each.log_prob, "x x", repr(each))
    fuzzed(each.mean, "x", repr(each))


def plain(value):
    """A contiguous copy of an array, float32 as it is and other numbers as float64."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        return value
    return np.array(value, value.dtype if value.dtype == np.float32 else np.float64, order="C")


def numbers(result):
    """All numbers in a result, one after the other, as float64."""
    if isinstance(result, dict):
        result = [*result.values()]
    if isinstance(result, list | tuple):
        return np.concatenate([np.zeros(0), *map(numbers, result)])
    array = np.asarray(result)
    return array.astype(np.float64).ravel() if array.dtype.kind in "fiub" else np.zeros(0)


@pytest.mark.parametrize("name", FUNCTIONS)
@fuzz(20)
@given(data=st.data())
def test_a_function(name, data):
    function, names, options = FUNCTIONS[name]
    shape = data.draw(st.lists(SIDES, min_size=1, max_size=4).map(tuple), label="shape")
    places = [k for k, kind in enumerate(names) if kind not in OBJECTS]
    wrong = data.draw(st.sampled_from([None, *places, *options]), label="wrong")

    def draw(place, kind):
        anything = arrays() | JUNK
        return data.draw(anything if place == wrong else right(kind, shape), label=f"{place}")

    arguments = [draw(place, kind) for place, kind in enumerate(names)]
    chosen = {o: draw(o, kind) for o, kind in options.items() if data.draw(st.booleans())}
    again = [copy.deepcopy(x) for x in arguments], copy.deepcopy(chosen)
    result = answer(function, *arguments, quiet=True, **chosen)
    if result is REFUSED or wrong is not None:
        return
    chosen = {o: plain(x) for o, x in again[1].items()}
    other = answer(function, *map(plain, again[0]), quiet=True, **chosen)
    np.testing.assert_allclose(numbers(other), numbers(result), rtol=1e-6, atol=1e-9)


# ---------------------------------------------------------------------- files and codecs
@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@fuzz(200)
@given(data=st.data())
def test_images_from_arrays(folder, data):
    images, labels = data.draw(arrays(), label="images"), data.draw(arrays(), label="labels")
    path = folder / data.draw(st.sampled_from(["images.npz", "images.npy"]))
    if path.suffix == ".npy":
        np.save(path, images, allow_pickle=True)
    else:
        names = data.draw(st.sampled_from(["images", "x", "other"])), "labels"
        count = data.draw(st.integers(1, 2))
        held = dict(list(zip(names, (images, labels), strict=True))[:count])
        np.savez(path, allow_pickle=True, **held)
    result = answer(datasets.load_images, path)
    if result is not REFUSED:
        x = result.images
        assert x.dtype == np.float32 and x.ndim == 4 and x.shape[3] in (1, 3)
        assert x.min() >= 0 and x.max() <= 1 and len(result.labels) == len(x)
        whole = np.issubdtype(np.asarray(images).dtype, np.integer)
        expected = np.asarray(images).astype(np.float64).ravel() / (255 if whole else 1)
        np.testing.assert_allclose(x.ravel(), expected, rtol=1e-6, atol=1e-40)


@fuzz(150)
@given(data=st.data())
def test_a_codec(folder, data):
    def draw(name, good):
        return data.draw(good if data.draw(st.integers(0, 3)) else arrays() | JUNK, label=name)

    codec = compression.Codec(data.draw(MODELS), draw("step", STEP))
    if answer(codec.fit, draw("X", X3)) is REFUSED:
        assert not hasattr(codec, "quantiser_")
        return
    X = draw("more", X3)
    packed = answer(codec.compress, X)
    answer(codec.encode, draw("codes", arrays(st.tuples(SIDES, st.just(2)))))
    answer(codec.decompress, data.draw(JUNK | st.binary(max_size=40), label="bytes"))
    answer(codec.save, folder / "codec.npz")
    loaded = answer(compression.Codec.load, folder / "codec.npz", codec.model)
    if packed is not REFUSED:
        assert answer(loaded.compress, X) == packed
        rebuilt = answer(loaded.decompress, packed)
        assert rebuilt.shape == np.shape(X) and np.isfinite(rebuilt).all()
        codes = codec.model.transform(X)
        edges, steps = codec.quantiser_.edges, codec.quantiser_.steps
        inside = (codes >= edges) & (codes < edges + codec.quantiser_.levels * steps)
        error = np.abs(codec.decode(packed) - codes)
        assert (error <= 1.01 * np.broadcast_to(steps, codes.shape))[inside].all()


# ---------------------------------------------------------------------- the judge itself
def test_the_judge_wants_sentences_of_our_own():
    for call in (
        lambda: np.zeros(3) + np.zeros(2),  # NumPy's C code
        lambda: np.linalg.inv(np.zeros((2, 2, 3))),  # a frame of NumPy
        lambda: compression._finite([[1, 2], [3]]),  # the same within a frame of ours
        lambda: {}["an absent key that is long enough to be a sentence"],
    ):
        with pytest.raises((ValueError, TypeError, KeyError)) as caught:
            answer(call)
        assert not is_explained(caught.value)
    assert answer(lambda: metrics.mse(np.zeros(3), np.zeros(2))) is REFUSED
    assert answer(lambda: ae.Autoencoder().fit([["a", "b"]])) is REFUSED
    assert answer(lambda: 3) == 3


@pytest.mark.parametrize("category", [RuntimeWarning, DeprecationWarning, UserWarning])
def test_the_judge_hears_warnings(category):
    def careless():
        warnings.warn("invalid value encountered in multiply", category, stacklevel=1)

    with pytest.raises(AssertionError, match="invalid value"):
        answer(careless)
