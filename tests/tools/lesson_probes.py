"""New inputs for the answers of the course, of other shapes and sizes than the judge's own.

`PROBES[label](rng)` gives argument tuples as the check's cases are; ``lesson_mutants.py`` asks on
them whether a changed solution still gives the same results.
"""

import importlib

import numpy as np


def checks(number):
    return importlib.import_module(f"lessons.checks.{number}")


def pick(rng, low, high, times=40):
    """Tuples of whole numbers, each between its low and high."""
    return [tuple(map(int, rng.integers(low, np.array(high) + 1))) for _ in range(times)]


def slopes(rng):
    f = [np.exp, np.sin, np.tanh, checks("01").cube]
    return [(f[k % 4], float(rng.normal()), float(10 ** rng.uniform(-4, -1))) for k in range(12)]


def steps(rng):
    return [(float(10 ** rng.uniform(-20, -2)), int(k)) for k in (1, 2, 3, 1, 2, 3)]


def graphs(rng):
    return [(checks("02").random_graph(seed),) for seed in range(100, 130)]


def broadcasts(rng):
    cases = []
    for _ in range(40):
        full = tuple(int(n) for n in rng.integers(0, 5, rng.integers(0, 5)))
        shape = tuple(n if rng.random() < 0.5 else 1 for n in full)
        cases.append((rng.standard_normal(full), shape[rng.integers(0, len(shape) + 1) :]))
    return cases


def products(rng):
    cases = []
    for _ in range(12):
        m, k, n = rng.integers(1, 6, 3)
        batch = tuple(rng.integers(1, 4, rng.integers(0, 3)))
        a, b = rng.standard_normal((*batch, m, k)), rng.standard_normal((*batch, k, n))
        cases.append((rng.standard_normal((*batch, m, n)), a, b))
    return cases


def two_slopes(rng):
    c, cases = checks("04"), []
    for f, rule in list(c.RIGHT.items()) * 2:
        x, v = rng.standard_normal((2, 5))
        h = float(10 ** rng.uniform(-5, -0.5))
        cases.append((f, rule, x, rng.standard_normal(f(x).shape), v, h))
    return cases


def accepts(rng):
    c, cases = checks("04"), []
    for k, (f, rule) in enumerate(c.RIGHT.items()):
        for off in (1, 1 + 1e-5, 1 - 1e-5, 0.9, -1, 0):
            wrong = lambda g, x, rule=rule, off=off: off * rule(g, x)  # noqa: E731
            cases.append((f, wrong, rng.standard_normal(5), np.random.default_rng(k)))
    return cases


def jumps(rng):
    c = checks("04")
    functions = (c.sum_of_abs, c.sum_of_relu, c.sum_of_exp)
    return [(f, *rng.standard_normal((2, 4)), 10.0**-k) for f in functions for k in (0, 1, 3)]


def sgd(rng):
    return [(*rng.standard_normal((2, *s)), float(rng.random())) for s in ((), (1,), (3, 2, 2))]


def shapes_of_losses(rng):
    return [(float(rng.random()), tuple(map(int, rng.integers(1, 9, k)))) for k in (1, 2, 3, 4, 2)]


def moments(rng):
    return [
        (*(abs(a) for a in rng.standard_normal((3, *s))), *rng.uniform(0, 1, 2))
        for s in ((1,), (5,), (2, 3, 2))
    ]


def trainings(rng):
    return [(rng.standard_normal((t, 3)), *rng.uniform(0.05, 0.95, 3), 1e-6) for t in (1, 2, 50)]


def ratios(rng):
    return [(int(t), *rng.uniform(0.1, 0.999, 2)) for t in (1, 2, 3, 7, 50, 2000)]


def sizes(rng):
    cases = pick(rng, [4, 1, 1, 0, 0], [40, 4, 5, 3, 3], 200)
    return cases


def pads(rng):
    return pick(rng, [1, 1, 1], [50, 7, 5], 300)


def convolutions(rng):
    cases = []
    for _ in range(12):
        n, c, f = map(int, rng.integers(1, 4, 3))
        kernel = tuple(map(int, rng.integers(1, 4, 2)))
        size = tuple(int(k + e) for k, e in zip(kernel, rng.integers(0, 6, 2), strict=True))
        stride = tuple(map(int, rng.integers(1, 4, 2)))
        edges = tuple(tuple(map(int, rng.integers(0, 3, 2))) for _ in "ab")
        cases.append((n, c, f, kernel, size, stride, edges))
    return cases


def out(size, kernel, stride, edges):
    return tuple(
        (n + sum(p) - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, edges, strict=True)
    )


def conv2d(rng):
    return [
        (rng.standard_normal((n, *size, c)), rng.standard_normal((*kernel, c, f)), stride, edges)
        for n, c, f, kernel, size, stride, edges in convolutions(rng)
    ]


def transposes(rng):
    return [
        (
            rng.standard_normal((n, *out(size, kernel, stride, edges), f)),
            rng.standard_normal((*kernel, c, f)),
            stride,
            edges,
            size,
        )
        for n, c, f, kernel, size, stride, edges in convolutions(rng)
    ]


def kernels(rng):
    return [
        (
            rng.standard_normal((n, *size, c)),
            rng.standard_normal((n, *out(size, kernel, stride, edges), f)),
            kernel,
            stride,
            edges,
        )
        for n, c, f, kernel, size, stride, edges in convolutions(rng)
    ]


def rows(rng):
    return [
        (rng.standard_normal((n, *size, c)), kernel, stride, edges)
        for n, c, _, kernel, size, stride, edges in convolutions(rng)
    ]


def columns(rng):
    cases = []
    for n, c, _, kernel, size, stride, edges in convolutions(rng):
        p, q = out(size, kernel, stride, edges)
        cols = rng.standard_normal((n * p * q, kernel[0] * kernel[1] * c))
        cases.append((cols, (n, *size, c), kernel, stride, edges))
    return cases


def logits(rng):
    return [(50 * rng.standard_normal(s), rng.random(s)) for s in ((7,), (3, 4), (1, 1))]


def logits_and_slopes(rng):
    return [(rng.standard_normal(t.shape), t, x) for t, x in logits(rng)]


def greys(rng):
    return [(rng.choice([0.0, 1.0, 0.5, 1e-12, 1 - 1e-12, rng.random()], (3, 5)),) for _ in "abc"]


def images(rng):
    return [(rng.random((n, h, w, 1)),) for n, h, w in ((1, 2, 2), (7, 3, 5), (4, 8, 1))]


def networks(rng):
    return [(8, (3, 2), np.random.default_rng(4)), (10, (2, 3, 4, 5), np.random.default_rng(5))]


def many_rows(rng):
    c = checks("18")
    return [(c.rows_of(n, d, 50 + n), k) for n, d, k in ((12, 5, 1), (20, 8, 4), (6, 9, 2))]


def planes(rng):
    cases = [tuple(rng.standard_normal((2, k, d))) for k, d in ((1, 2), (2, 3), (4, 9), (5, 6))]
    equal = rng.standard_normal((200, 3, 6))
    return cases + [(a, rng.standard_normal((3, 3)) @ a) for a in equal]


def noisy(rng):
    return [(rng.random(s), float(rng.uniform(0.05, 1)), 8) for s in ((2,), (3, 2, 2), (1, 5))]


def variances(rng):
    return [(rng.exponential(size=k), float(rng.uniform(0.1, 2))) for k in (1, 4, 9)]


def errors(rng):
    return [(rng.integers(0, 9, m) / 2, rng.integers(0, 9, n) / 2) for m, n in ((1, 1), (5, 20))]


def codes(rng):
    return [(rng.uniform(0.01, 0.99, s), float(rng.uniform(0.02, 0.6))) for s in ((1, 3), (9, 2))]


def contractions(rng):
    return [(rng.random((n, k)), rng.standard_normal((d, k))) for n, d, k in ((2, 7, 3), (5, 1, 4))]


def values_in_ranges(rng):
    c, cases = checks("21"), []
    for n, k, bits in ((3, 2, 3), (9, 1, 6), (20, 4, 1)):
        low, high = c.ranges(rng, k)
        cases.append((rng.uniform(low - 1, high + 1, (n, k)), low, high, bits))
    return cases


def symbols_in_ranges(rng):
    c = checks("21")
    return [
        (rng.integers(0, 2**bits, (n, k)), *c.ranges(rng, k), bits)
        for n, k, bits in ((3, 2, 3), (9, 1, 6), (20, 4, 1))
    ]


def symbols(rng):
    return [(rng.integers(-3, 9, n),) for n in (1, 2, 30, 500)]


def draws(rng):
    c = checks("22")
    return [(*c.clouds(rng, s), np.random.default_rng(3)) for s in ((1, 1), (7, 2), (2, 6))]


def draw_slopes(rng):
    c = checks("22")
    return [(rng.normal(size=s), *c.clouds(rng, s), rng.normal(size=s)) for s in ((3, 2), (1, 4))]


def clouds(rng):
    return [checks("22").clouds(rng, s) for s in ((1, 3), (7, 2))]


def spectra(rng):
    c = checks("23")
    return [
        (c.spectrum(rng, n), float(10 ** rng.uniform(-2.5, 0.8)), int(k))
        for n, k in ((1, 1), (5, 2), (9, 9), (9, 20), (30, 12))
    ]


def spectra_alone(rng):
    return [case[:2] for case in spectra(rng)]


def far_arrays(rng):
    c = checks("24")
    return [(c.far.asarray(x),) for x in (100 * rng.standard_normal(9), np.zeros((2, 3)))]


def devices(rng):
    return [
        (*(float(x) for x in 10 ** rng.uniform([-7, -3, -5], [-5, -1, -2])), q) for q in (0.0, 0.5)
    ]


def machines(rng):
    whole = [tuple(map(float, rng.integers(1, 9, 4))) for _ in range(60)]
    return [(int(a), b, c, d) for a, b, c, d in whole]


def networks_of_nodes(rng):
    """Loss functions of random graphs of Nodes, each with operations of matching shapes."""

    def graph(seed):
        def random_graph(make):
            draw = np.random.default_rng(seed)
            m, n = map(int, draw.integers(1, 4, 2))
            nodes = [make.leaf(m, n), make.leaf(n), make.leaf(m, 1), make.leaf()]
            for operation in draw.choice(["add", "multiply", "divide", "exp", "log", "relu"], 6):
                a, b = (nodes[i] for i in draw.integers(0, len(nodes), 2))
                two = operation in ("add", "multiply", "divide")
                if operation == "exp":  # not of large numbers
                    a = make("log", make("add", make("multiply", a, a), nodes[3]))
                if operation in ("log", "divide"):
                    b = make("add", make("multiply", b, b), nodes[3])
                nodes.append(make(operation, a, b) if two else make(operation, b))
            return make("sum", make("add", nodes[-1], make("multiply", nodes[-2], nodes[0])))

        return random_graph

    return [(graph(int(seed)),) for seed in rng.integers(0, 10**6, 8)]


PROBES = {
    "1 slope": slopes, "1 best_step": steps, "2 visiting_order": graphs, "2 gradients": graphs,
    "3 unbroadcast": broadcasts, "3 matmul_vjp": products, "4 two_slopes": two_slopes,
    "4 accepts": accepts, "4 slope_jump": jumps, "5 gradients": networks_of_nodes,
    "6 sgd_step": sgd,
    "6 lr_for_sum": shapes_of_losses,
    "9 moments": moments, "9 adam_step": trainings, "9 uncorrected_ratio": ratios,
    "12 out_size": sizes, "12 pad_same": pads, "12 conv2d": conv2d,
    "13 conv2d_transpose": transposes,
    "13 kernel_gradient": kernels, "13 overlaps": lambda rng: pick(rng, [1, 1, 1], [9, 7, 5]),
    "14 bce_from_logits": logits, "14 bce_slope": logits_and_slopes, "14 entropy": greys,
    "16 im2col": rows, "16 col2im": columns, "16 conv2d_shifts": conv2d,
    "17 first_rungs": images, "17 build": networks, "18 pca": many_rows, "18 error_left": many_rows,
    "18 largest_angle": planes, "19 corrupt": noisy, "19 gains": variances, "19 p_values": errors,
    "20 kl_sparsity": codes, "20 contraction": contractions, "21 quantise": values_in_ranges,
    "21 dequantise": symbols_in_ranges, "21 entropy": symbols, "22 sample": draws,
    "22 through_sample": draw_slopes, "22 kl": clouds, "23 live_units": spectra,
    "23 unit_kl": spectra_alone, "24 softplus": far_arrays, "24 seconds_of": devices,
    "24 crossover": machines,
}  # fmt: skip
