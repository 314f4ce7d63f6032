"""Figures of lesson 05."""

from lessons._figures import COLOURS

import numpy as np
from matplotlib.ticker import NullLocator


def engine(figure, graph, mine, theirs, data, fit):
    """The graph of a step with its shapes, the losses of two engines, and the fit."""
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    draw_graph(left, graph)
    left.set_title("the graph of one step", fontsize=9)
    right.axis("off")
    top, bottom = right.inset_axes([0.1, 0.6, 0.9, 0.38]), right.inset_axes([0.1, 0.02, 0.9, 0.38])
    steps = np.arange(1, len(mine) + 1)
    top.loglog(steps, mine, color=COLOURS[0], lw=3, label="yours")
    top.loglog(steps, theirs, "--", color=COLOURS[4], label="the library")
    top.set(ylabel="loss", yticks=[0.04, 0.1, 0.4], yticklabels=["0.04", "0.1", "0.4"])
    top.yaxis.set_minor_locator(NullLocator())
    top.set_xlabel("step", labelpad=0)
    top.legend(fontsize=8)
    bottom.plot(*data, ".", color="0.7", ms=3)
    bottom.plot(*fit, color=COLOURS[1])
    bottom.set(xlabel="x", ylabel="fit")
    for axes in (top, bottom):
        axes.tick_params(labelsize=7)


def draw_graph(axes, graph):
    """Every node one step below the lowest of its users; leaves beside the one that uses them."""
    depth = {graph[0]: 0}
    for node in graph:  # users first
        for parent in node.parents:
            depth[parent] = max(depth.get(parent, 0), depth[node] + 1)
    places, taken = {}, set()
    for n in [n for n in graph if n.parents]:
        x = -1.5 if depth[n] in taken else 0.0
        taken.add(depth[n])
        places[n] = (x, -depth[n])
        leaves = [p for p in dict.fromkeys(n.parents) if not p.parents and p not in places]
        for side, leaf in zip((1.1, -1.1) if x == 0 else (0.35, -0.35), leaves[::-1], strict=False):
            places[leaf] = (x + side, -depth[n] - (0.3 if x == 0 else 1))
    for n in places:
        for p in dict.fromkeys(n.parents):
            axes.plot(*zip(places[n], places[p], strict=True), color="0.6", lw=1, zorder=0)
    for n, (x, y) in places.items():
        shape = " x ".join(map(str, n.data.shape)) or "number"
        words = f"{n.operation}: {shape}" if n.operation else shape
        box = {"boxstyle": "round,pad=0.25", "fc": "#DDEEFF" if n.operation else "white"}
        axes.text(x, y, words, ha="center", va="center", fontsize=7, bbox=box | {"ec": "0.6"})
    axes.set(xlim=(-2.2, 1.6), ylim=(-max(depth.values()) - 0.2, 0.4))
    axes.axis("off")
