"""Wrong answers that were once accepted, or accepted answers that were once rejected, each with the
words that it must be told; and what is said where no known mistake fits."""

import importlib
import math

import numpy as np
import pytest

import minigrad as mg

sigmoid = mg.sigmoid


def check_of(label):
    number, name = label.split(" ")
    return getattr(importlib.import_module(f"lessons.checks.{number}"), name)


# ---------------------------------------------------------------------- detached from the graph
def sparsity_of_arrays(codes, target):
    codes = codes.numpy() if isinstance(codes, mg.Tensor) else codes
    r = codes.mean(axis=0)
    return (target * np.log(target / r) + (1 - target) * np.log((1 - target) / (1 - r))).sum()


def sparsity_wrapped_again(codes, target):
    return (
        mg.tensor(sparsity_of_arrays(codes, target)) if is_tensor(codes) else plain(codes, target)
    )


def sparsity_of_data(codes, target):
    return plain(mg.tensor(codes.numpy()) if is_tensor(codes) else codes, target)


def plain(codes, target):
    r = codes.mean(axis=0)
    return (target * mg.log(target / r) + (1 - target) * mg.log((1 - target) / (1 - r))).sum()


def contraction_of_arrays(h, W):
    h, W = (x.numpy() if is_tensor(x) else x for x in (h, W))
    return (h * (1 - h)) ** 2 @ (W * W).sum(axis=0)


def contraction_without_codes(h, W):
    h = h.numpy() if is_tensor(h) else h
    return ((W * W).sum(axis=0) * (h * (1 - h)) ** 2).sum(axis=1)


def draw_of_arrays(mean, log_variance, rng):
    mean, log_variance = (x.numpy() if is_tensor(x) else x for x in (mean, log_variance))
    return mean + np.exp(log_variance / 2) * rng.standard_normal(mean.shape)


def draw_with_a_fixed_deviation(mean, log_variance, rng):
    deviation = np.exp((log_variance.numpy() if is_tensor(log_variance) else log_variance) / 2)
    return mean + deviation * rng.standard_normal(mean.shape)


def draw_through_half_a_deviation(mean, log_variance, rng):
    """The value is right, the slope is half of it."""
    noise = rng.standard_normal(mean.shape)
    if not is_tensor(mean):
        return mean + np.exp(log_variance / 2) * noise
    half = mg.exp(log_variance / 4)
    return mean + half * half.numpy() * noise


def kl_of_arrays(mean, log_variance):
    mean, log_variance = (x.numpy() if is_tensor(x) else x for x in (mean, log_variance))
    return (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2


def kl_without_the_mean(mean, log_variance):
    m = mean.numpy() if is_tensor(mean) else mean
    return (m * m + mg.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2


def is_tensor(x):
    return isinstance(x, mg.Tensor)


DETACHED = [
    ("20 kl_sparsity", sparsity_of_arrays, "where Tensors came in: no gradient flows through it"),
    ("20 kl_sparsity", sparsity_wrapped_again, "no gradient flows from it to codes"),
    ("20 kl_sparsity", sparsity_of_data, "no gradient flows from it to codes"),
    ("20 contraction", contraction_of_arrays, "where Tensors came in: no gradient flows"),
    ("20 contraction", contraction_without_codes, "no gradient flows from it to h, and training"),
    ("22 sample", draw_of_arrays, "where Tensors came in: no gradient flows through it"),
    ("22 sample", draw_with_a_fixed_deviation, "no gradient flows from it to log_variance"),
    ("22 sample", draw_through_half_a_deviation, "but the gradient that flows through it is not"),
    ("22 kl", kl_of_arrays, "where Tensors came in: no gradient flows through it"),
    ("22 kl", kl_without_the_mean, "no gradient flows from it to mean, and training"),
]


# ---------------------------------------------------------------------- changed inputs
def adam_in_place(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m /= 1 - beta1**t
    v /= 1 - beta2**t
    return w - lr * m / (np.sqrt(v) + epsilon)


def moments_in_place(m, v, g, beta1=0.9, beta2=0.999):
    m *= beta1
    v *= beta2
    m += (1 - beta1) * g
    v += (1 - beta2) * g**2
    return m, v


def pca_in_place(train, k):
    mean = train.mean(axis=0)
    train -= mean
    return mean, np.linalg.svd(train, full_matrices=False)[2][:k]


def error_left_in_place(train, k):
    train -= train.mean(axis=0)
    return (np.linalg.svd(train, compute_uv=False)[k:] ** 2).sum() / 2 / len(train)


def gains_in_place(variances, std):
    variances /= variances + std**2
    return variances


def quantise_in_place(z, low, high, bits):
    z -= low
    z /= (high - low) / 2**bits
    return np.clip(np.floor(z), 0, 2**bits - 1).astype(int)


def unit_kl_in_place(eigenvalues, variance):
    eigenvalues /= variance
    return np.log(np.maximum(eigenvalues, 1)) / 2


def slope_in_place(g, t, x):
    g *= 1 / (1 + np.exp(-t)) - x
    return g


def mean_face_in_place(images):
    grey = ((images - images.mean()) ** 2).sum() / 2 / len(images)
    images -= images.mean(axis=0)
    return grey, (images**2).sum() / 2 / len(images)


def sorts_the_calibration(errors, calibration):
    calibration.sort()
    return 1 - np.searchsorted(calibration, errors) / (1 + len(calibration))


CHANGED = [
    ("09 adam_step", adam_in_place, "m"),
    ("09 moments", moments_in_place, "m"),
    ("18 pca", pca_in_place, "train"),
    ("18 error_left", error_left_in_place, "train"),
    ("19 gains", gains_in_place, "variances"),
    ("19 p_values", sorts_the_calibration, "calibration"),
    ("21 quantise", quantise_in_place, "z"),
    ("23 unit_kl", unit_kl_in_place, "eigenvalues"),
    ("14 bce_slope", slope_in_place, "g"),
    ("17 first_rungs", mean_face_in_place, "images"),
]


# ---------------------------------------------------------------------- types
def solution(label):
    number, name = label.split(" ")
    return getattr(importlib.import_module(f"lessons.solutions.{number}"), name)


def then(label, change):
    """The solution with its result changed."""
    return lambda *case: change(solution(label)(*case))


def pads_as_floats(size, kernel, stride):
    windows = np.ceil(size / stride)
    total = max((windows - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


TYPES = [
    ("12 pad_same", pads_as_floats, "value 1 of 2: returned 1.0, a float: a count is a whole"),
    ("12 out_size", then("12 out_size", float), "returned 3.0, a float: a count is a whole number"),
    ("12 conv2d", then("12 conv2d", np.ndarray.tolist), "returned a list of 1, expected an array"),
    ("13 conv2d_transpose", then("13 conv2d_transpose", list), "expected an array of floats"),
    ("16 im2col", then("16 im2col", list), "returned a list of 6, expected an array"),
    ("21 quantise", then("21 quantise", np.float64), "expected whole numbers: .astype(int) makes"),
    ("23 live_units", then("23 live_units", float), "returned 2.0, a float: a count is a whole"),
    ("04 accepts", then("04 accepts", float), "returned a float, expected True or False"),
    ("03 unbroadcast", then("03 unbroadcast", mg.tensor), "returned a Tensor where arrays came in"),
    ("02 visiting_order", then("02 visiting_order", iter), "expected a list"),
    (
        "17 epoch",
        then("17 epoch", mg.tensor),
        "a Tensor, expected a plain number: .item()",
    ),
    ("22 kl", then("22 kl", lambda x: x if is_tensor(x) else mg.tensor(x)), "returned a Tensor"),
]


# ---------------------------------------------------------------------- logic
def moves_back_alone(last):
    order = [last]
    for node in order:
        for p in node.parents:
            if p in order:
                order.remove(p)
            order.append(p)
    return order


def marks_nodes(last):
    done = []

    def visit(node):
        if not hasattr(node, "seen"):
            node.seen = True
            for parent in node.parents:
                visit(parent)
            done.append(node)

    visit(last)
    return done[::-1]


def rounds_up(launches, launch, gpu, cpu):
    return math.ceil(launches * launch / (cpu - gpu)) if gpu < cpu else math.inf


def accepts_within(tolerance):
    def accepts(f, rule, x, rng):
        g, v = rng.standard_normal(f(x).shape), rng.standard_normal(x.shape)
        computed, measured = solution("04 two_slopes")(f, rule, x, g, v)
        return abs(computed - measured) <= tolerance * max(abs(computed), abs(measured))

    return accepts


def own_step(f, rule, x, g, v, h=1e-5):
    return solution("04 two_slopes")(f, rule, x, g, v, 1e-5)


def unclipped(a, b):
    p, q = np.linalg.qr(a.T)[0], np.linalg.qr(b.T)[0]
    return np.arccos(np.linalg.svd(p.T @ q, compute_uv=False).min())


def weights_of_its_own(size, widths, rng):
    return solution("17 build")(size, widths, np.random.default_rng(0))


LOGIC = [
    ("02 visiting_order", moves_back_alone, "start visited 0 times, expected"),
    ("02 visiting_order", marks_nodes, "keep no marks on the nodes"),
    ("24 crossover", rounds_up, "the GPU is faster only from the next one on"),
    ("04 accepts", accepts_within(1e-3), "Your tolerance is too wide"),
    ("04 accepts", accepts_within(1e-4), "Your tolerance is too wide"),
    ("04 two_slopes", own_step, "use the h that is given"),
    ("18 largest_angle", unclipped, "limit the cosines to 1"),
    ("17 build", weights_of_its_own, "the same whatever rng is"),
]


@pytest.mark.parametrize(
    ("label", "answer", "words"),
    [
        *DETACHED,
        *((label, f, f"changed its input {x}, ") for label, f, x in CHANGED),
        *TYPES,
        *LOGIC,
    ],
)
def test_it_is_rejected_in_a_sentence_that_names_it(label, answer, words):
    verdict = check_of(label).verdict(answer)
    assert verdict.status == "wrong"
    assert words in verdict.text
    assert "\n" not in verdict.text


# ---------------------------------------------------------------------- right, or falsely diagnosed
def ten_between_two_waits(f, device):
    f()
    device.synchronise()
    began = device.clock()
    for _ in range(10):
        f()
    device.synchronise()
    return (device.clock() - began) / 10


def walks_every_path(last):
    found = [last]
    for parent in last.parents:
        found += walks_every_path(parent)
    place = {node: k for k, node in enumerate(longest(last))}
    return sorted(set(found), key=lambda node: place[node])


def longest(last):
    """Level by level, nodes listed again: the last appearance is at the end of the longest way."""
    levels = [[last]]
    while levels[-1]:
        levels.append(list(dict.fromkeys(p for node in levels[-1] for p in node.parents)))
    return [node for level in levels for node in level]


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("24 seconds_of", ten_between_two_waits),
        ("02 visiting_order", walks_every_path),
        ("02 product_rule", lambda g, a, b: [b * g, a * g]),
        ("17 build", then("17 build", list)),
        ("01 slope", then("01 slope", np.asarray)),
        ("18 pca", then("18 pca", list)),
        ("03 unbroadcast", then("03 unbroadcast", lambda x: x if x.ndim else float(x))),
        ("19 corrupt", lambda x, std, rng: np.clip(rng.normal(x, std), 0, 1)),
    ],
)
def test_it_is_accepted(label, answer):
    verdict = check_of(label).verdict(answer)
    assert verdict.status == "right", verdict.text


NOTHING = "wrong: returned None, is a return missing?"


@pytest.mark.parametrize(
    "label",
    ["02 product_rule", "02 visiting_order", "02 gradients", "19 corrupt", "24 crossover"]
    + ["24 seconds_of", "24 softplus", "17 build", "17 epoch", "22 kl", "01 best_step", "06 train"],
)
def test_an_answer_that_returns_nothing_is_told_so_and_nothing_else(label):
    text = check_of(label).verdict(lambda *case: None).text
    assert text.startswith(NOTHING) and text.endswith(").")


def test_what_no_known_mistake_explains_is_not_explained_by_one():
    text = check_of("01 best_step").verdict(lambda precision, order: 0).text
    assert text.endswith("Yours is 0 everywhere.")
    text = check_of("14 bce_from_logits").verdict(then("14 bce_from_logits", np.float32)).text
    assert "rounded to float32 on the way" in text


def test_digits_are_shown_until_they_differ():
    nearly = then("09 uncorrected_ratio", lambda x: x * (1 + 3e-9))
    text = check_of("09 uncorrected_ratio").verdict(nearly).text
    yours, right = text.split("yours ")[1].split(" (")[0].split(", expected ")
    assert yours != right and abs(float(yours) / float(right) - 1) < 1e-8


@pytest.mark.parametrize(
    ("label", "change", "words"),
    [
        ("21 dequantise", lambda x: -x, "-1 times the expected one"),
        ("19 gains", lambda x: 2 * x, "2 times the expected one"),
        ("19 gains", lambda x: x / 2, "half the expected one"),
        ("19 gains", lambda x: 3 * x, "3 times the expected one"),
        ("19 gains", lambda x: x[::-1], "the expected one in reverse order"),
        ("19 gains", lambda x: np.roll(x, 1), "one place later along axis 0: off by one"),
        ("19 gains", lambda x: x * len(x), "N times the expected one, N from input 1, its length"),
        ("21 entropy", lambda x: x + 1, "the expected one plus 1"),
        ("16 im2col", lambda x: x.T, "the transpose of the expected one"),
        ("22 kl", lambda x: x.mean() + 0 * x, None),
        ("20 contraction", lambda x: x / 6, None),
        ("03 unbroadcast", lambda x: x.astype(np.float32), "rounded to float32"),
        ("18 error_left", lambda x: x**2, "the square of the expected one"),
        ("23 unit_kl", lambda x: x[:, None], "right in its numbers, but not in its shape"),
        ("02 product_rule", lambda x: x[::-1], "exchanged"),
    ],
)
def test_what_yours_is_of_the_expected_one(label, change, words):
    verdict = check_of(label).verdict(then(label, change))
    assert verdict.status == "wrong"
    if words:
        assert words in verdict.text, verdict.text
