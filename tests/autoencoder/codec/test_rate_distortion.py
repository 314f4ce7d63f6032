"""Rates count real bytes, PSNR is of 8-bit images, and half the bits are a BD-rate of -50 %."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.integrate import quad
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoencoder.codec import Codec
from autoencoder.codec.rate_distortion import (
    RatePoint,
    bd_rate,
    bits_per_pixel,
    eight_bits,
    jpeg_curve,
    parameter_bytes,
    rate_distortion,
)
from autoencoder.datasets import load_digits, make_faces
from autoencoder.networks import Sizes, build
from autoencoder.parts import PointCode

CURVE = [(0.1, 22.0), (0.3, 26.5), (0.9, 30.0), (2.5, 36.0)]


@pytest.fixture(scope="module")
def faces():
    """Generated faces (75, 32, 32, 1) of 15 people to learn from, and 25 of five others."""
    faces = make_faces(people=20, variations=5, size=32)
    return faces.images[faces.labels < 15], faces.images[faces.labels >= 15]


def test_a_pixel_has_all_its_channels():
    assert bits_per_pixel(bytes(10), np.zeros((2, 4, 5))) == 2
    assert bits_per_pixel(bytes(10), np.zeros((2, 4, 5, 3))) == 2
    for shape in ((4, 16), (0, 4, 4), (2, 2, 2, 2, 2)):
        with pytest.raises(ValueError, match="pixels can only be counted"):
            bits_per_pixel(b"", np.zeros(shape))


def test_the_size_of_a_model_is_that_of_its_parameters():
    sizes, rng = Sizes(1024, 256, image_shape=(32, 32, 1)), np.random.default_rng(0)
    model = build(sizes, PointCode("sigmoid"), rng, network="olivetti")
    assert parameter_bytes(model) == 4 * 8_579_841

    class Estimator:
        network_ = model

    assert parameter_bytes(Estimator()) == 4 * 8_579_841
    X = np.random.default_rng(0).random((50, 20))
    pca = PCA(5).fit(X)
    # components, mean, and three vectors of variances and singular values
    assert parameter_bytes(pca) == 8 * (5 * 20 + 20 + 3 * 5)
    pipeline = make_pipeline(StandardScaler(), PCA(5)).fit(X)
    assert parameter_bytes(pipeline) == 8 * (5 * 20 + 20 + 3 * 5) + 8 * (3 * 20)


def test_a_curve_is_what_its_files_say(faces):
    train, test = faces
    pca = PCA(30, svd_solver="full").fit(train.reshape(75, -1))
    curve = rate_distortion(pca, train, test, steps=(2.0, 0.5, 0.1))
    for point in curve:
        codec = Codec(pca, point.setting).fit(train.reshape(75, -1))
        data = codec.compress(test.reshape(25, -1))
        assert point.bpp == 8 * len(data) / (25 * 32 * 32)
        assert point.model_bytes == parameter_bytes(pca) + codec.nbytes > pca.components_.nbytes
        rebuilt = np.rint(255 * np.clip(codec.decompress(data), 0, 1)).astype(np.float64)
        errors = ((np.rint(255 * test.reshape(25, -1)) - rebuilt) ** 2).mean(axis=1)
        assert point.psnr == pytest.approx(np.mean(10 * np.log10(255**2 / errors)), abs=1e-9)
    assert [p.setting for p in curve] == [2.0, 0.5, 0.1]
    assert curve[0].bpp < curve[1].bpp < curve[2].bpp
    assert curve[0].psnr < curve[1].psnr < curve[2].psnr
    best = pca.inverse_transform(pca.transform(test.reshape(25, -1)))
    errors = ((np.clip(best, 0, 1) - test.reshape(25, -1)) ** 2).mean(axis=1)
    limit = np.mean(-10 * np.log10(errors))  # what PCA itself loses cannot be had back
    assert limit - 1 < curve[2].psnr < limit


def test_more_components_cost_more_bits_and_keep_more(faces):
    train, test = faces
    few, many = (
        rate_distortion(PCA(k, svd_solver="full").fit(train.reshape(75, -1)), train, test, [0.2])[0]
        for k in (5, 50)
    )
    assert few.bpp < many.bpp and few.psnr + 1 < many.psnr


def test_colour_images_have_curves_too():
    images = np.random.default_rng(0).random((6, 8, 8, 3))
    pca = PCA(5, svd_solver="full").fit(images.reshape(6, -1))
    (point,) = rate_distortion(pca, images, images, [0.1])
    assert point.psnr > 20 and point.bpp > 0
    (point,) = jpeg_curve(images, [90])
    assert 10 < point.psnr < 40 and point.bpp > 8


def test_jpeg_rates_count_pillows_files(faces):
    images = faces[1]
    for point in jpeg_curve(images, [10, 80]):
        sizes, ratios = [], []
        for image in eight_bits(images[..., 0]):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=point.setting, optimize=True)
            sizes.append(len(file.getvalue()))
            error = np.mean((np.asarray(Image.open(file), np.float64) - image) ** 2)
            ratios.append(10 * np.log10(255**2 / error))
        assert point.bpp == 8 * sum(sizes) / (25 * 32 * 32)
        assert point.psnr == pytest.approx(np.mean(ratios)) and point.model_bytes == 0


def test_a_scan_is_where_jpegs_of_one_quality_begin_to_differ():
    images = np.zeros((2, 16, 16))
    images[0], images[1] = np.eye(16), 1 - np.eye(16)
    files = []
    for image in eight_bits(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=50)
        files.append(file.getvalue())
    differ = next(i for i, (a, b) in enumerate(zip(*files, strict=False)) if a != b)
    scans = sum(len(file) - differ - 2 for file in files)  # two bytes mark the end
    (point,) = jpeg_curve(images, [50], headers=False)
    assert point.bpp == 8 * scans / (2 * 16 * 16)
    (whole,) = jpeg_curve(images, [50])
    assert whole.psnr == point.psnr and whole.bpp > point.bpp


def test_jpeg_curves_rise(faces):
    for headers in (True, False):
        curve = jpeg_curve(faces[1], headers=headers)
        assert (np.diff([p.bpp for p in curve]) > 0).all()
        assert (np.diff([p.psnr for p in curve]) > 0).all()


def test_known_bd_rates():
    def scaled(factor):
        return [(factor * bpp, ratio) for bpp, ratio in CURVE]

    assert bd_rate(CURVE, CURVE) == 0
    assert bd_rate(scaled(0.5), CURVE) == pytest.approx(-50)
    assert bd_rate(scaled(3), CURVE) == pytest.approx(200)
    assert bd_rate(scaled(0.5)[::-1], CURVE) == pytest.approx(-50)  # in any order
    points = [RatePoint(b, p, 1, 10**6) for b, p in scaled(0.5)]
    assert bd_rate(points, CURVE) == pytest.approx(-50)


def test_bd_rate_is_the_mean_of_the_logarithms_between_known_curves():
    def line(a, b, low, high):  # log rate = a + b * dB, which monotone cubics reproduce
        return [(np.exp(a + b * ratio), ratio) for ratio in np.linspace(low, high, 5)]

    ours, theirs = line(-3, 0.12, 20, 34), line(-2.5, 0.1, 24, 40)
    mean = quad(lambda q: (-3 + 0.12 * q) - (-2.5 + 0.1 * q), 24, 34)[0] / 10
    assert bd_rate(ours, theirs) == pytest.approx(100 * (np.exp(mean) - 1))


@given(st.lists(st.tuples(st.floats(0.1, 3), st.floats(0.5, 5)), min_size=2, max_size=6))
def test_two_curves_are_each_others_inverse(steps):
    other = np.cumsum(np.array(steps), axis=0) + [0.01, 21.6]  # begins inside CURVE
    there, back = bd_rate(other, CURVE), bd_rate(CURVE, other)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        ([(1, 30)], "at least two points"),
        ([(1, 30), (2, np.inf)], "finite PSNR"),
        ([(0, 30), (2, 33)], "positive rate"),
        ([(1, 30), (2, 29)], "PSNR must rise"),
        ([(1, 30), (2, 30)], "PSNR must rise"),
        ([(1, 40), (2, 45)], r"40\.0 to 45\.0 dB, the other 22\.0 to 36\.0: choose settings"),
    ],
)
def test_curves_that_cannot_be_compared_are_refused(curve, words):
    with pytest.raises(ValueError, match=words):
        bd_rate(curve, CURVE)
    with pytest.raises(ValueError, match="bd_rate"):
        bd_rate(CURVE, curve)


def test_eight_bits_limit_and_round():
    images = np.array([-1, 0, 0.4999 / 255, 0.5001 / 255, 1, 7])
    assert eight_bits(images).tolist() == [0, 0, 0, 1, 255, 255]
    assert eight_bits(images).dtype == np.uint8
    with pytest.raises(ValueError, match="hold NaN, which no grey level stands for"):
        eight_bits(np.array([0.5, np.nan]))


def test_an_exact_image_has_infinite_psnr():
    digits = load_digits().images[:100]
    pca = PCA(svd_solver="full").fit(digits.reshape(100, 64).astype(np.float64))
    (point,) = rate_distortion(pca, digits, digits, [0.003])
    assert point.psnr == np.inf
