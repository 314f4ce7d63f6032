"""Checks of lesson 15. The reference computes with 50 digits, so that no number is too large."""

from decimal import Decimal, localcontext
from importlib import import_module

from lessons import Check, Judge

import numpy as np

import minigrad as mg


def scores(n, k, seed, spread=2.0):
    rng = np.random.default_rng(seed)
    return spread * rng.standard_normal((n, k)), rng.integers(0, k, n)


def cases():
    large = np.array([[1000.0, 0.0, 998.0], [-2000.0, -2001.0, -2003.0]])
    return [scores(5, 4, 1), scores(3, 6, 2), scores(4, 2, 3), (large, np.array([2, 0]))]


def shares_of(row):
    """Softmax of a row with 50 digits."""
    with localcontext() as context:
        context.prec = 50
        e = [Decimal(float(v)).exp() for v in row]
        return [v / sum(e) for v in e]


# ---------------------------------------------------------------------- 15.1 cross_entropy
def with_many_digits(t, labels):
    with localcontext() as context:
        context.prec = 50
        return np.array([float(-shares_of(r)[i].ln()) for r, i in zip(t, labels, strict=True)])


def by_torch(t, labels):
    torch = import_module("torch")
    f = torch.nn.functional.cross_entropy
    return f(torch.tensor(t), torch.tensor(labels), reduction="none").numpy()


def library_loss(t, labels):
    return -mg.log_softmax(t, axis=1)[np.arange(len(t)), labels]


def not_moved(t, labels):
    """exp of a large score is infinite (or 0 for all of a row): take the largest score of each row
    from it first, which changes no share."""
    e = np.exp(t)
    return np.log(e.sum(axis=1)) - t[np.arange(len(t)), labels]


def the_formula(t, labels):
    """By the formula as it stands inf / inf is nan: take the largest score of each row from it
    first, and let log and exp meet on paper."""
    with np.errstate(all="ignore"):
        return -np.log(
            (np.exp(t) / np.exp(t).sum(axis=1, keepdims=True))[np.arange(len(t)), labels]
        )


def one_maximum(t, labels):
    """You took the largest score of the whole array away: rows far below it become 0. Each row has
    its own."""
    t = t - t.max()
    return np.log(np.exp(t).sum(axis=1)) - t[np.arange(len(t)), labels]


def along_columns(t, labels):
    """You summed over the rows: the shares of one row add up to 1, over axis 1."""
    t = t - t.max(axis=0)
    return np.log(np.exp(t).sum(axis=0))[labels] - t[np.arange(len(t)), labels]


def share_itself(t, labels):
    """This is the share of the label: the loss is the negative of its logarithm."""
    return np.exp(-library_loss(t, labels))


def sign(t, labels):
    """The sign is wrong: a surprise is positive."""
    return -library_loss(t, labels)


def mean_of_rows(t, labels):
    """This is the mean over the rows: one loss for each was asked for."""
    return library_loss(t, labels).mean()


def of_all_labels(t, labels):
    """You summed over all answers: only the label's share counts."""
    return -mg.log_softmax(t, axis=1).sum(axis=1)


cross_entropy = Check(
    library=library_loss,
    source="minigrad/losses.py::cross_entropy",
    returns="array",
    cases=cases,
    judges=[
        Judge("50 digits", with_many_digits, 1e-13),
        Judge("PyTorch", by_torch, 1e-12, needs="torch"),
    ],
    mistakes=[
        not_moved,
        the_formula,
        one_maximum,
        along_columns,
        share_itself,
        sign,
        mean_of_rows,
        of_all_labels,
    ],
)


# ---------------------------------------------------------------------- 15.2 cross_entropy_slope
def slope_cases():
    rng = np.random.default_rng(152)
    return [(rng.standard_normal(len(t)), t, labels) for t, labels in cases()]


def shares_less_truth(g, t, labels):
    found = np.zeros(t.shape)
    for i, row in enumerate(t):
        for j, share in enumerate(shares_of(row)):
            found[i, j] = g[i] * float(share - (j == labels[i]))
    return found


def slope_by_torch(g, t, labels):
    torch = import_module("torch")
    leaf = torch.tensor(t, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(leaf, torch.tensor(labels), reduction="none")
    loss.backward(torch.tensor(g))
    return leaf.grad.numpy()


def truth(t, labels):
    return np.eye(t.shape[1])[labels]


def library_slope(g, t, labels):
    return g[:, None] * (mg.softmax(t, axis=1) - truth(t, labels))


def ignores_g(g, t, labels):
    """You left out g: the slopes of a row are multiplied by what comes from behind."""
    return library_slope(np.ones_like(g), t, labels)


def shares_only(g, t, labels):
    """The shares alone are the slope of log(sum of exp): the loss has the label's score too."""
    return g[:, None] * mg.softmax(t, axis=1)


def truth_less_shares(g, t, labels):
    """The sign is wrong: to raise the label's score makes the loss smaller."""
    return -library_slope(g, t, labels)


def over_batch(g, t, labels):
    """You divided by the number of rows: that is for the mean, and g then brings it."""
    return library_slope(g, t, labels) / len(t)


def softmax_of_all(g, t, labels):
    """You took one softmax over the whole array: each row has its own."""
    e = np.exp(t - t.max())
    return g[:, None] * (e / e.sum() - truth(t, labels))


def slope_of_share(g, t, labels):
    """This is the slope of the label's share: the loss is -log of it, so divide by -share."""
    p = mg.softmax(t, axis=1)
    share = p[np.arange(len(t)), labels]
    return (g * share)[:, None] * (truth(t, labels) - p)


def nan_where_large(g, t, labels):
    """exp of a large score is infinite, and inf / inf is nan: take the largest of each row from it
    first."""
    with np.errstate(all="ignore"):
        return g[:, None] * (np.exp(t) / np.exp(t).sum(axis=1, keepdims=True) - truth(t, labels))


cross_entropy_slope = Check(
    library=library_slope,
    source="minigrad/losses.py::cross_entropy",
    returns="array",
    cases=slope_cases,
    judges=[
        Judge("shares less truth, with 50 digits", shares_less_truth, 1e-13),
        Judge("PyTorch", slope_by_torch, 1e-12, needs="torch"),
    ],
    mistakes=[
        ignores_g,
        shares_only,
        truth_less_shares,
        over_batch,
        softmax_of_all,
        slope_of_share,
        nan_where_large,
    ],
)


# ---------------------------------------------------------------------- 15.3 label_entropy
def label_cases():
    rng = np.random.default_rng(153)
    shares = (0.5, 0.3, 0.15, 0.05)
    return [
        (rng.choice(4, 50, p=shares),),
        (np.array([3, 3, 7, 7, 7, 9]),),
        (np.array([2, 2, 2]),),
    ]


def label_by_label(labels):
    total = 0.0
    for label in labels:
        total -= np.log(sum(other == label for other in labels) / len(labels))
    return float(total / len(labels))


def library_entropy(labels):
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-np.sum(shares * np.log(shares)))


def in_bits(labels):
    """This is in bits, with log2: a loss in nats has the natural logarithm."""
    return library_entropy(labels) / np.log(2)


def as_if_equal(labels):
    """This is the logarithm of the number of answers, right only if all are equally frequent."""
    return float(np.log(len(np.unique(labels))))


def not_weighted(labels):
    """Each answer counts as often as it occurs: weight -log(share) by the share."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-np.mean(np.log(shares)))


def summed(labels):
    """This is the sum over all labels: the mean was asked for."""
    return library_entropy(labels) * len(labels)


def negative(labels):
    """The sign is wrong: logarithms of shares are negative, a loss is not."""
    return -library_entropy(labels)


def of_the_labels(labels):
    """You used the labels as numbers: they are names, and only how often each occurs matters."""
    shares = labels / labels.sum()
    with np.errstate(all="ignore"):
        return float(-np.sum(shares * np.log(shares)))


label_entropy = Check(
    library=library_entropy,
    source="minigrad/losses.py::cross_entropy",
    returns="number",
    cases=label_cases,
    judges=[Judge("label by label", label_by_label, 1e-12)],
    mistakes=[in_bits, as_if_equal, not_weighted, summed, negative, of_the_labels],
)
