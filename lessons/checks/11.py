"""Checks of lesson 11."""

from importlib import import_module

from lessons import Check, Judge

import numpy as np

import minigrad as mg


def batch(n, d, seed, spread=1.0):
    """(x (n, d), gamma (d,), beta (d,)), columns of different means and deviations."""
    rng = np.random.default_rng(seed)
    x = spread * rng.standard_normal((n, d)) * rng.uniform(0.5, 2, d) + rng.standard_normal(d)
    return x, rng.uniform(0.5, 2, d), rng.standard_normal(d)


# ---------------------------------------------------------------------- 11.1 batch_norm
def batches():
    tiny = batch(6, 2, 3, 1e-3)  # eps matters here
    return [batch(5, 3, 1), batch(4, 4, 2), tiny, (*batch(3, 2, 4), 0.5)]


def column_by_column(x, gamma, beta, eps=1e-5):
    y = np.zeros_like(x)
    for j in range(x.shape[1]):
        column = [float(v) for v in x[:, j]]
        mean = sum(column) / len(column)
        variance = sum((v - mean) ** 2 for v in column) / len(column)
        for i, v in enumerate(column):
            y[i, j] = gamma[j] * (v - mean) / (variance + eps) ** 0.5 + beta[j]
    return y


def by_torch(x, gamma, beta, eps=1e-5):
    torch = import_module("torch")
    x, gamma, beta = map(torch.tensor, (x, gamma, beta))
    y = torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)
    return y.numpy()


def library_norm(x, gamma, beta, eps=1e-5):
    return mg.batch_norm(x, gamma, beta, eps=eps)


def normalise(x, eps, axis=0, ddof=0, outside=False):
    variance = x.var(axis=axis, ddof=ddof, keepdims=True)
    s = np.sqrt(variance) + eps if outside else np.sqrt(variance + eps)
    return (x - x.mean(axis=axis, keepdims=True)) / s


def along_rows(x, gamma, beta, eps=1e-5):
    """You took the mean along each row: that is layer normalisation. Here each column has its own,
    over axis 0."""
    return gamma * normalise(x, eps, axis=1) + beta


def one_for_all(x, gamma, beta, eps=1e-5):
    """You took one mean and one variance for the whole array: each column has its own, axis 0."""
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta


def over_n_minus_1(x, gamma, beta, eps=1e-5):
    """You divided the squares by N - 1: here the variance is their mean, over N."""
    return gamma * normalise(x, eps, ddof=1) + beta


def eps_outside(x, gamma, beta, eps=1e-5):
    """eps was added to the deviation: it belongs to the variance, inside the root."""
    return gamma * normalise(x, eps, outside=True) + beta


def by_the_variance(x, gamma, beta, eps=1e-5):
    """You divided by the variance: the deviation, its root, brings the columns to one size."""
    return gamma * (x - x.mean(axis=0)) / (x.var(axis=0) + eps) + beta


def without_eps(x, gamma, beta, eps=1e-5):
    """eps is missing: a column that is constant would give 0 / 0."""
    return gamma * normalise(x, 0.0) + beta


def not_scaled(x, gamma, beta, eps=1e-5):
    """gamma and beta are missing: the network must be able to choose another mean and deviation."""
    return normalise(x, eps)


def beta_scaled(x, gamma, beta, eps=1e-5):
    """You multiplied beta by gamma too: gamma n, and then plus beta."""
    return gamma * (normalise(x, eps) + beta)


batch_norm = Check(
    library=library_norm,
    source="minigrad/normalization.py::batch_norm",
    returns="array",
    cases=batches,
    judges=[
        Judge("column by column", column_by_column, 1e-10),
        Judge("PyTorch", by_torch, 1e-10, needs="torch"),
    ],
    mistakes=[
        along_rows,
        one_for_all,
        over_n_minus_1,
        eps_outside,
        by_the_variance,
        without_eps,
        not_scaled,
        beta_scaled,
    ],
)


# ---------------------------------------------------------------------- 11.2 batch_norm_vjp
def gradients():
    rng = np.random.default_rng(112)
    shapes = ((5, 3), (4, 4), (3, 2))
    cases = [(rng.standard_normal(s), *batch(*s, 10 + k)) for k, s in enumerate(shapes)]
    return [*cases, (rng.standard_normal((6, 2)), *batch(6, 2, 20), 0.5)]


def element_by_element(g, x, gamma, beta, eps=1e-5, h=1e-5):
    """Push each element of x, gamma and beta up and down."""
    found = []
    for k, array in enumerate((x, gamma, beta)):
        slopes = np.zeros(array.shape)
        for at in np.ndindex(array.shape):
            ends = []
            for step in (h, -h):
                moved = [x.copy(), gamma.copy(), beta.copy()]
                moved[k][at] += step
                ends.append(np.sum(g * column_by_column(*moved, eps)))
            slopes[at] = (ends[0] - ends[1]) / (2 * h)
        found.append(slopes)
    return tuple(found)


def of_library(g, x, gamma, beta, eps=1e-5):
    leaves = [mg.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    y = mg.batch_norm(*leaves, eps=eps)
    return tuple(v.numpy() for v in mg.grad(y, leaves, mg.tensor(g)))


def vjp_by_torch(g, x, gamma, beta, eps=1e-5):
    torch = import_module("torch")
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    f = torch.nn.functional.batch_norm
    y = f(leaves[0], None, None, *leaves[1:], training=True, eps=eps)
    y.backward(torch.tensor(g))
    return tuple(leaf.grad.numpy() for leaf in leaves)


def by_paths(g, x, gamma, beta, eps=1e-5, mean=1.0, deviation=1.0, scale=True, over_s=True):
    """The three paths with a weight each."""
    s = np.sqrt(x.var(axis=0) + eps)
    n = (x - x.mean(axis=0)) / s
    h = gamma * g if scale else g
    gx = h - mean * h.mean(axis=0) - deviation * n * (h * n).mean(axis=0)
    return gx / s if over_s else gx, (g * n).sum(axis=0), g.sum(axis=0)


def statistics_constant(*case):
    """You took mean and deviation as constants, but x moves them too: two paths are missing."""
    return by_paths(*case, mean=0.0, deviation=0.0)


def no_path_by_deviation(*case):
    """The path through the deviation is missing: every x_i changes s, with slope n_i / N."""
    return by_paths(*case, deviation=0.0)


def no_path_by_mean(*case):
    """The path through the mean is missing: every x_i moves it by 1 / N."""
    return by_paths(*case, mean=0.0)


def gamma_forgotten(*case):
    """gx lacks gamma: what arrives at n is gamma times g."""
    return by_paths(*case, scale=False)


def not_over_s(*case):
    """gx lacks the division by s: n moves by 1 / s when x does by 1."""
    return by_paths(*case, over_s=False)


def plus_deviation(*case):
    """The path through the deviation has the wrong sign: a larger s makes n smaller."""
    return by_paths(*case, deviation=-1.0)


def means_of_parameters(g, x, *rest):
    """gamma and beta are used in every row: their gradients are sums over the batch, not means."""
    gx, ggamma, gbeta = by_paths(g, x, *rest)
    return gx, ggamma / len(x), gbeta / len(x)


def gamma_by_x(g, x, *rest):
    """The gradient of gamma is the sum of g n, with the normalised n, not with x."""
    gx, _, gbeta = by_paths(g, x, *rest)
    return gx, (g * x).sum(axis=0), gbeta


def sums_for_means(g, x, *rest):
    """You summed where the mean over the batch belongs: each row has a share of 1 / N in it."""
    return by_paths(g, x, *rest, mean=len(x), deviation=len(x))


batch_norm_vjp = Check(
    library=by_paths,
    source="minigrad/normalization.py::batch_norm",
    returns=("array", "array", "array"),
    cases=gradients,
    judges=[
        Judge("measured slopes", element_by_element, 1e-7),
        Judge("the library", of_library, 1e-10),
        Judge("PyTorch", vjp_by_torch, 1e-10, needs="torch"),
    ],
    mistakes=[
        statistics_constant,
        no_path_by_deviation,
        no_path_by_mean,
        gamma_forgotten,
        not_over_s,
        plus_deviation,
        means_of_parameters,
        gamma_by_x,
        sums_for_means,
    ],
)


# ---------------------------------------------------------------------- 11.3 folded
def layers():
    rng, made = np.random.default_rng(113), []
    for d, k in ((3, 3), (2, 4)):
        vectors = [rng.standard_normal(k), rng.uniform(0.5, 2, k), *rng.standard_normal((2, k))]
        made.append((rng.standard_normal((d, k)), *vectors, rng.uniform(0.01, 2, k)))
    return [*made, (*made[0], 0.5)]


def probed(w, b, gamma, beta, mean, variance, eps=1e-5):
    """Both layers for 0, which gives the bias, and for each unit vector."""

    def both(x):
        sums = [sum(x[i] * w[i, j] for i in range(len(x))) + b[j] for j in range(len(b))]
        parts = zip(sums, gamma, beta, mean, variance, strict=True)
        return np.array([g * (t - m) / (v + eps) ** 0.5 + c for t, g, c, m, v in parts])

    bias = both(np.zeros(len(w)))
    return np.array([both(x) - bias for x in np.eye(len(w))]), bias


def library_folded(w, b, gamma, beta, mean, variance, eps=1e-5):
    scale = gamma / np.sqrt(variance + eps)
    return w * scale, (b - mean) * scale + beta


def bias_not_scaled(w, b, gamma, beta, mean, variance, eps=1e-5):
    """The layer's own bias b is normalised too: it is in the sum that is divided."""
    scale = gamma / np.sqrt(variance + eps)
    return w * scale, b - mean * scale + beta


def mean_forgotten(w, b, gamma, beta, mean, variance, eps=1e-5):
    """The mean is missing in the bias: it is subtracted before the scaling."""
    scale = gamma / np.sqrt(variance + eps)
    return w * scale, b * scale + beta


def mean_not_scaled(w, b, gamma, beta, mean, variance, eps=1e-5):
    """The mean is subtracted before the scaling, so it is scaled with the rest."""
    scale = gamma / np.sqrt(variance + eps)
    return w * scale, b * scale - mean + beta


def by_variance(w, b, gamma, beta, mean, variance, eps=1e-5):
    """You divided by the variance: s is its root."""
    return library_folded(w, b, gamma, beta, mean, (variance + eps) ** 2 - eps, eps)


def no_eps(w, b, gamma, beta, mean, variance, eps=1e-5):
    """eps is missing under the root: the layer would differ from the two that it replaces."""
    return library_folded(w, b, gamma, beta, mean, variance, 0.0)


def weights_alone(w, b, gamma, beta, mean, variance, eps=1e-5):
    """The weights are right; the bias is not the old b: put x = 0 into both layers."""
    return library_folded(w, b, gamma, beta, mean, variance, eps)[0], b


def weights_unchanged(w, b, gamma, beta, mean, variance, eps=1e-5):
    """The weights have to be scaled: what x w adds is multiplied by gamma / s, column by column."""
    return w.copy(), library_folded(w, b, gamma, beta, mean, variance, eps)[1]


folded = Check(
    library=library_folded,
    source="minigrad/normalization.py::batch_norm",
    returns=("array", "array"),
    cases=layers,
    judges=[Judge("both layers for unit vectors", probed, 1e-10)],
    mistakes=[
        bias_not_scaled,
        mean_forgotten,
        mean_not_scaled,
        by_variance,
        no_eps,
        weights_alone,
        weights_unchanged,
    ],
)
