"""Figures of lesson 07."""

from lessons._figures import COLOURS

import numpy as np


def along(figure, rates, losses, tangents, sizes, by_columns, by_rows):
    """The loss of a training over its learning rate with slopes; seconds for Jacobians."""
    left, right = figure.subplots(1, 2)
    left.semilogy(rates, losses, color="0.6", label="loss after 20 steps")
    for k, (lr, end) in enumerate(tangents):
        reach = np.linspace(-0.03, 0.03, 41)
        loss, slope = end.data.item(), end.tangent.item()
        line = loss * np.exp(slope / loss * reach)  # straight on this scale
        label = "slopes, by forward mode" if not k else None
        left.plot(lr + reach, line, color=COLOURS[1], label=label)
        left.plot(lr, loss, "o", color=COLOURS[1], ms=4)
    left.set(xlabel="learning rate", ylabel="loss", xlim=(0, 0.3), ylim=(min(losses) / 2, 3))
    left.legend(fontsize=8, loc="upper right")
    for seconds, colour, label in (
        (by_columns, COLOURS[0], "by columns, walks along"),
        (by_rows, COLOURS[4], "by rows, walks back"),
    ):
        right.loglog(sizes, seconds, "o-", color=colour, label=label)
    right.set(xlabel="inputs n, of n m = 3,600", ylabel="seconds for the Jacobian")
    right.legend(fontsize=8, loc="lower center")
