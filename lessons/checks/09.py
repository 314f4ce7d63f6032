"""Checks of lesson 09."""

from importlib import import_module

from lessons import Check, Judge

import numpy as np


# ---------------------------------------------------------------------- 9.1 moments
def moments_cases():
    rng = np.random.default_rng(6)
    draws = [rng.uniform(-2, 2, (3, *shape)) for shape in ((4,), (2, 3))]
    betas = ((0.9, 0.999), (0.5, 0.8))
    return [(m, abs(v), g, *b) for (m, v, g), b in zip(draws, betas, strict=True)]


def part_of_the_way(m, v, g, beta1, beta2):
    """Move the fraction 1 - beta of the way from the old mean to the new value."""
    return m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)


def state_of_torch(m, v, g, beta1, beta2):
    torch = import_module("torch")
    p = torch.zeros(m.shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([p], betas=(beta1, beta2))
    state = {"step": torch.tensor(7.0), "exp_avg": torch.tensor(m), "exp_avg_sq": torch.tensor(v)}
    optimizer.state[p], p.grad = state, torch.tensor(g)
    optimizer.step()
    return state["exp_avg"].numpy(), state["exp_avg_sq"].numpy()


def library_moments(m, v, g, beta1=0.9, beta2=0.999):
    return beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2


def betas_exchanged(m, v, g, beta1=0.9, beta2=0.999):
    """The two betas are exchanged: beta1 belongs to m, beta2 to v."""
    return library_moments(m, v, g, beta2, beta1)


def weights_exchanged(m, v, g, beta1=0.9, beta2=0.999):
    """The weights are exchanged: the old mean counts with beta, the new value with 1 - beta."""
    return library_moments(m, v, g, 1 - beta1, 1 - beta2)


def running_sum(m, v, g, beta1=0.9, beta2=0.999):
    """The new value is not multiplied by 1 - beta: the weights of a mean add up to 1."""
    return beta1 * m + g, beta2 * v + g**2


def not_squared(m, v, g, beta1=0.9, beta2=0.999):
    """You put the gradient into v: v is the mean of its square."""
    return library_moments(m, v, g, beta1, beta2)[0], beta2 * v + (1 - beta2) * g


def square_of_mean(m, v, g, beta1=0.9, beta2=0.999):
    """You squared the new m for v: square the gradient itself."""
    m = beta1 * m + (1 - beta1) * g
    return m, beta2 * v + (1 - beta2) * m**2


moments = Check(
    library=library_moments,
    source="minigrad/optim.py::Adam.update",
    returns=("array", "array"),
    cases=moments_cases,
    judges=[
        Judge("a part of the way to the new value", part_of_the_way, 1e-12),
        Judge("what PyTorch remembers", state_of_torch, 1e-12, needs="torch"),
    ],
    mistakes=[betas_exchanged, weights_exchanged, running_sum, not_squared, square_of_mean],
)


# ---------------------------------------------------------------------- 9.2 adam_step
def training_cases():
    """Gradients (T, n) of sizes from far below epsilon to large, and the settings."""
    rng = np.random.default_rng(62)
    sizes = 10.0 ** np.array([-9, -7, -3, 0, 3])
    usual = (0.001, 0.9, 0.999, 1e-8)
    return [
        (rng.standard_normal((200, 5)) * sizes, *usual),
        (rng.standard_normal((30, 2)), 0.1, 0.7, 0.9, 1e-3),
    ]


def path(f, gradients, lr, beta1, beta2, epsilon):
    """All the weights that T steps pass through, (T, n): row t - 1 is the weights after step t."""
    w = np.ones(gradients.shape[1])
    m, v, passed = np.zeros_like(w), np.zeros_like(w), []
    for t, g in enumerate(gradients, 1):
        m, v = library_moments(m, v, g, beta1, beta2)
        w = f(w.copy(), m.copy(), v.copy(), t, lr, beta1, beta2, epsilon)
        if np.shape(w) != g.shape:
            return w  # nothing to go on with: this is what was returned
        passed.append(w)
    return np.array(passed)


def weighted_means(gradients, lr, beta1, beta2, epsilon):
    """What the correction is for: weights beta**age, divided by their sum."""
    w, passed = np.ones(gradients.shape[1]), []
    for t in range(1, len(gradients) + 1):
        age = np.arange(t)[::-1]
        mean = np.average(gradients[:t], axis=0, weights=beta1**age)
        square = np.average(gradients[:t] ** 2, axis=0, weights=beta2**age)
        w = w - lr * mean / (np.sqrt(square) + epsilon)
        passed.append(w)
    return np.array(passed)


def path_of_torch(gradients, lr, beta1, beta2, epsilon):
    torch = import_module("torch")
    w = torch.ones(gradients.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer, passed = torch.optim.Adam([w], lr, (beta1, beta2), epsilon), []
    for g in gradients:
        w.grad = torch.tensor(g)
        optimizer.step()
        passed.append(w.detach().numpy().copy())
    return np.array(passed)


def library_step(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    mean, square = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - lr * mean / (np.sqrt(square) + epsilon)


def no_correction(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """You used m and v as they are: at first both are too small, so divide by 1 - beta**t."""
    return w - lr * m / (np.sqrt(v) + epsilon)


def no_exponent(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The first step is right and the later ones are not: divide by 1 - beta**t, not 1 - beta."""
    return library_step(w, m, v, 1, lr, beta1, beta2, epsilon)


def only_m(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """You corrected m only: v is too small as well, even more so."""
    return w - lr * m / (1 - beta1**t) / (np.sqrt(v) + epsilon)


def epsilon_inside(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Your epsilon is under the root, where 1e-8 counts as 1e-4: add it to the root."""
    mean, square = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - lr * mean / np.sqrt(square + epsilon)


def epsilon_before(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Your epsilon is added before v is corrected: that is TensorFlow's form. Correct v first."""
    size = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - size * m / (np.sqrt(v) + epsilon)


def no_root(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The root is missing: v is a mean of squares, and the size of a gradient is its root."""
    mean, square = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - lr * mean / (square + epsilon)


adam_step = Check(
    library=library_step,
    source="minigrad/optim.py::Adam.update",
    returns="array",
    cases=training_cases,
    observe=path,
    judges=[
        Judge("means weighted by age", weighted_means, 1e-12),
        Judge("200 steps of PyTorch", path_of_torch, 1e-12, needs="torch"),
    ],
    mistakes=[no_correction, no_exponent, only_m, epsilon_inside, epsilon_before, no_root],
)


# ---------------------------------------------------------------------- 9.3 uncorrected_ratio
def ratio_cases():
    rng = np.random.default_rng(63)
    drawn = float(rng.uniform(0.5, 0.95)), float(rng.uniform(0.96, 0.999))
    times = 1, 2, 10, int(rng.integers(30, 200))
    return [(t, *betas) for betas in ((0.9, 0.999), (0.5, 0.75), drawn) for t in times]


def simulated(t, beta1, beta2):
    """t steps with the gradient 1."""
    m = v = 0.0
    for _ in range(t):
        m, v = library_moments(m, v, 1.0, beta1, beta2)
    return m / v**0.5


def library_ratio(t, beta1=0.9, beta2=0.999):
    return (1 - beta1**t) / np.sqrt(1 - beta2**t)


def upside_down(t, beta1=0.9, beta2=0.999):
    """This is the corrected step over the uncorrected one: the other way round."""
    return 1 / library_ratio(t, beta1, beta2)


def without_root(t, beta1=0.9, beta2=0.999):
    """You divided by v: the step is m divided by the root of v."""
    return (1 - beta1**t) / (1 - beta2**t)


def without_exponent(t, beta1=0.9, beta2=0.999):
    """This is right for t = 1 only: after t steps m is 1 - beta1**t."""
    return library_ratio(1, beta1, beta2)


def exchanged(t, beta1=0.9, beta2=0.999):
    """The betas are exchanged: beta1 belongs to m, above, and beta2 to v, below."""
    return library_ratio(t, beta2, beta1)


def only_m_counts(t, beta1=0.9, beta2=0.999):
    """You left v out: it is too small as well, and the step is divided by its root."""
    return 1 - beta1**t


uncorrected_ratio = Check(
    library=library_ratio,
    source="minigrad/optim.py::Adam.update",
    returns="number",
    cases=ratio_cases,
    judges=[Judge("t steps taken one by one", simulated, 1e-10)],
    mistakes=[upside_down, without_root, without_exponent, exchanged, only_m_counts],
)
