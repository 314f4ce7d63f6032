"""Checks of lesson 04: whether the learner's check accepts right rules and rejects wrong ones."""

from lessons import Check, Judge

import numpy as np

MATRIX = np.random.default_rng(40).standard_normal((5, 5))
TALL = np.random.default_rng(41).standard_normal((5, 3))
FACTORS = np.array([0.5, -2.0, 1.0, 3.0, -1.5])


# ---------------------------------------------------------------------- functions and their rules
def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def softmax_rule(g, x):
    y = softmax(x)
    return y * (g - np.sum(g * y))


def softmax_zeros(g, x):
    return np.zeros_like(x)


def softmax_sign(g, x):
    return -softmax_rule(g, x)


def ring(x):
    return 0.5 * x + 2 * np.roll(x, 1) - np.roll(x, 2)


def ring_rule(g, x):
    return 0.5 * g + 2 * np.roll(g, -1) - np.roll(g, -2)


def ring_not_turned(g, x):
    return ring(g)


def tanh(x):
    return np.tanh(x)


def tanh_rule(g, x):
    return g * (1 - np.tanh(x) ** 2)


def tanh_too_large(g, x):
    return 1.005 * tanh_rule(g, x)


def tanh_too_small(g, x):
    return 0.995 * tanh_rule(g, x)


def tanh_a_little_off(g, x):
    return 1.00002 * tanh_rule(g, x)


def square(x):
    return x**2


def square_rule(g, x):
    return 2 * g * x


def square_last_forgotten(g, x):
    return 2 * g * x * (np.arange(x.size) < x.size - 1)


def scaled(x):
    return FACTORS * x


def scaled_rule(g, x):
    return FACTORS * g


def scaled_shifted(g, x):
    return FACTORS * np.roll(g, 1)


def product(x):
    return x @ MATRIX


def product_rule(g, x):
    return MATRIX @ g


def product_not_transposed(g, x):
    return g @ MATRIX


def tall(x):
    return np.sin(x) @ TALL


def tall_rule(g, x):
    return (TALL @ g) * np.cos(x)


def tiny(x):
    return 1e-9 * np.sin(x)


def tiny_sign(g, x):
    return -1e-9 * np.cos(x) * g


def huge(x):
    return 1e9 * np.sin(x)


def huge_rule(g, x):
    return 1e9 * np.cos(x) * g


RIGHT = {
    softmax: softmax_rule,
    ring: ring_rule,
    tanh: tanh_rule,
    square: square_rule,
    scaled: scaled_rule,
    product: product_rule,
    tall: tall_rule,
    huge: huge_rule,
}


# ---------------------------------------------------------------------- 4.1 two_slopes
def slopes_cases():
    rng = np.random.default_rng(4)
    cases = []
    for f, rule in ((tall, tall_rule), (product, product_not_transposed), (tanh, tanh_too_small)):
        x, v = rng.standard_normal((2, 5))
        cases.append((f, rule, x, rng.standard_normal(f(x).shape), v))
    f, rule, x, g, v = cases[0]
    more = [(square, square_rule, x, v, x[::-1].copy()), (f, rule, x, g, v, 0.1)]
    return [*cases, *more, (tanh, tanh_rule, x, v, x[::-1].copy(), 0.3)]


def output_by_output(f, rule, x, g, v, h=1e-5):
    """The slope of each output by itself, and then the two sums."""
    computed, measured, gradient = 0.0, 0.0, rule(g, x)
    for j in range(x.size):
        computed += gradient[j] * v[j]
    for i in range(g.size):
        measured += g[i] * (f(x + h * v)[i] - f(x - h * v)[i]) / (2 * h)
    return float(computed), float(measured)


def by_calculus(f, rule, x, g, v, h=1e-5):
    """Where h is small; a large one has an error that calculus does not know."""
    if h > 1e-3:
        return output_by_output(f, rule, x, g, v, h)
    return float(rule(g, x) @ v), float(RIGHT[f](g, x) @ v)


def library_two_slopes(f, rule, x, g, v, h=1e-5):
    measured = np.sum(g * (f(x + h * v) - f(x - h * v))) / (2 * h)
    return np.sum(rule(g, x) * v), measured


def one_side(f, rule, x, g, v, h=1e-5):
    """You measured from x to x + h v only: that is right to five digits, and ten are to be had."""
    return np.sum(rule(g, x) * v), np.sum(g * (f(x + h * v) - f(x))) / h


def divided_by_h(f, rule, x, g, v, h=1e-5):
    """The measured slope is twice too large: from x - h v to x + h v the way is 2 h."""
    computed, measured = library_two_slopes(f, rule, x, g, v, h)
    return computed, 2 * measured


def forgets_g(f, rule, x, g, v, h=1e-5):
    """You measured the slope of the sum of the outputs: multiply the outputs by g first."""
    return np.sum(rule(g, x) * v), np.sum(f(x + h * v) - f(x - h * v)) / (2 * h)


def forgets_v(f, rule, x, g, v, h=1e-5):
    """You added up the gradient: its slope along v is the sum of gradient times v."""
    return np.sum(rule(g, x)), library_two_slopes(f, rule, x, g, v, h)[1]


def moves_all_alike(f, rule, x, g, v, h=1e-5):
    """You moved every input by h: along the direction v, input j moves by h v[j]."""
    return np.sum(rule(g, x) * v), library_two_slopes(f, rule, x, g, np.ones_like(x), h)[1]


def ignores_h(f, rule, x, g, v, h=1e-5):
    """You measured with a step of your own: use the h that is given."""
    return library_two_slopes(f, rule, x, g, v)


def exchanged(f, rule, x, g, v, h=1e-5):
    """The two are exchanged: first the slope that the rule gives, then the measured one."""
    return library_two_slopes(f, rule, x, g, v, h)[::-1]


two_slopes = Check(
    library=library_two_slopes,
    source="minigrad/testing.py::gradcheck",
    returns=("number", "number"),
    cases=slopes_cases,
    judges=[
        Judge("one output at a time", output_by_output, 1e-9),
        Judge("calculus", by_calculus, 1e-8),
    ],
    mistakes=[
        one_side,
        divided_by_h,
        forgets_g,
        forgets_v,
        moves_all_alike,
        ignores_h,
        exchanged,
    ],
)


# ---------------------------------------------------------------------- 4.2 accepts
def accepts_cases():
    rules = [(f, rule) for f, rule in RIGHT.items()]
    rules += [(softmax, softmax_zeros), (softmax, softmax_sign), (ring, ring_not_turned)]
    rules += [(tanh, tanh_too_large), (tanh, tanh_too_small), (tanh, tanh_a_little_off)]
    rules += [(scaled, scaled_shifted)]
    rules += [(product, product_not_transposed), (tiny, tiny_sign)]
    rules += 4 * [(square, square_last_forgotten)]
    x = np.random.default_rng(42).standard_normal((len(rules), 5))
    return [(f, r, x[k], np.random.default_rng(k)) for k, (f, r) in enumerate(rules)]


def is_right(f, rule, x, rng):
    return rule is RIGHT.get(f)


def decide(f, rule, x, g, v, agree):
    computed, measured = library_two_slopes(f, rule, x, g, v)
    return bool(agree(computed, measured))


def close(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def library_accepts(f, rule, x, rng):
    g, v = rng.standard_normal(f(x).shape), rng.standard_normal(x.shape)
    return decide(f, rule, x, g, v, close)


def ones_for_g(f, rule, x, rng):
    """With g all ones you check the slope of the sum of the outputs: a softmax has none, and others
    are right by coincidence. Draw g at random."""
    return decide(f, rule, x, np.ones(f(x).shape), rng.standard_normal(x.shape), close)


def ones_for_v(f, rule, x, rng):
    """With v all ones you check the sum of the gradient, which is right in any order: draw v at
    random."""
    return decide(f, rule, x, rng.standard_normal(f(x).shape), np.ones(x.shape), close)


def one_element(f, rule, x, rng):
    """You moved a single input: what the rule says of the others goes unchecked. Draw all of v."""
    v = np.eye(x.size)[rng.integers(x.size)]
    return decide(f, rule, x, rng.standard_normal(f(x).shape), v, close)


def one_per_cent(f, rule, x, rng):
    """Your tolerance is too wide, and rules that are 0.5 % or 0.002 % off pass: in float64 you can
    ask for a difference of less than 1e-6 of the slope."""
    g, v = rng.standard_normal(f(x).shape), rng.standard_normal(x.shape)
    return decide(f, rule, x, g, v, lambda a, b: abs(a - b) <= 1e-2 * max(abs(a), abs(b)))


def absolute(f, rule, x, rng):
    """The difference is compared with 1e-6 itself, which is much for a small slope and nothing for
    a large one: compare it with 1e-6 times the larger of the two."""
    g, v = rng.standard_normal(f(x).shape), rng.standard_normal(x.shape)
    return decide(f, rule, x, g, v, lambda a, b: abs(a - b) <= 1e-6)


def signed(f, rule, x, rng):
    """The difference can be negative, and a large negative number is below every bound: take its
    absolute value."""
    g, v = rng.standard_normal(f(x).shape), rng.standard_normal(x.shape)
    return decide(f, rule, x, g, v, lambda a, b: a - b <= 1e-6 * max(abs(a), abs(b)))


accepts = Check(
    library=library_accepts,
    source="minigrad/testing.py::gradcheck",
    returns="bool",
    cases=accepts_cases,
    judges=[Judge("what is known of each rule", is_right)],
    mistakes=[ones_for_g, ones_for_v, one_element, one_per_cent, absolute, signed],
)


# ---------------------------------------------------------------------- 4.3 slope_jump
def sum_of_abs(x):
    return float(np.sum(np.abs(x)))


def sum_of_relu(x):
    return float(np.sum(np.maximum(x, 0)))


def sum_of_exp(x):
    return float(np.sum(np.exp(x)))


def jump_cases():
    rng = np.random.default_rng(43)
    x = np.array([0.0, 1.0, -2.0])
    functions = (sum_of_abs, sum_of_relu, sum_of_exp)
    return [(f, x, rng.standard_normal(3), h) for f in functions for h in (1e-2, 1e-3)]


def two_steps(f, x, v, h):
    ahead = (f(x + h * v) - f(x)) / h
    behind = (f(x) - f(x - h * v)) / h
    return ahead - behind


def jump_by_calculus(f, x, v, h):
    return {
        sum_of_abs: 2 * abs(v[0]),
        sum_of_relu: abs(v[0]),
        sum_of_exp: float(np.sum(2 * np.exp(x) * (np.cosh(h * v) - 1))) / h,
    }[f]


def added(f, x, v, h):
    """You added the two slopes: their difference is 0 where f is smooth."""
    return (f(x + h * v) - f(x - h * v)) / h


def second_derivative(f, x, v, h):
    """You divided by h twice: that is the second derivative, and infinite at a kink."""
    return two_steps(f, x, v, h) / h


def halved(f, x, v, h):
    """Each of the two slopes is taken over a way of h, not of 2 h."""
    return two_steps(f, x, v, h) / 2


def backwards(f, x, v, h):
    """The sign is wrong: the slope ahead, less the slope behind."""
    return -two_steps(f, x, v, h)


def subtracts_once(f, x, v, h):
    """f(x) belongs to both slopes, so it is subtracted twice."""
    return (f(x + h * v) - f(x) + f(x - h * v)) / h


slope_jump = Check(
    library=two_steps,
    source="minigrad/testing.py::_kink",
    returns="number",
    cases=jump_cases,
    judges=[
        Judge("two slopes from one side", two_steps, 1e-9),
        Judge("calculus", jump_by_calculus, 1e-9),
    ],
    mistakes=[added, second_derivative, halved, backwards, subtracts_once],
)
