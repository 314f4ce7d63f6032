"""Figures of lesson 02."""

PLACES = {"y": (1, 3), "c + d": (0, 2), "c * d": (2, 2), "c": (0, 1), "d": (2, 1)}
PLACES |= {"a": (0, 0), "b": (2, 0)}


def two_orders(figure, nodes, right, wrong, passed_on):
    """The graph with the slopes of two walks in its nodes."""
    left, middle = figure.subplots(1, 2)
    draw(left, nodes, right, right, {})
    left.set_title("after all users, once", fontsize=10)
    draw(middle, nodes, wrong, right, passed_on)
    middle.set_title("at once, at every visit", fontsize=10)


def draw(axes, nodes, slopes, right, passed_on):
    """The graph with the slopes in its nodes, wrong ones orange, and what was said twice."""
    names = {node: name for name, node in nodes.items()}
    for name, node in nodes.items():
        x, height = PLACES[name]
        for parent in node.parents:
            arrow = {"arrowstyle": "->", "color": "0.6", "shrinkA": 16, "shrinkB": 16}
            axes.annotate("", PLACES[names[parent]], (x, height), arrowprops=arrow)
        axes.scatter(x, height, s=900, c="#DDEEFF" if slopes[node] == right[node] else "#E69F00")
        axes.text(x, height, f"{slopes[node]:g}", ha="center", va="center")
        history = passed_on.get(node, []) if node.parents else []
        note = f"\nsaid {history[0]:g},\nthen {history[1]:g}" if len(history) > 1 else ""
        side = {0: (-0.4, "right"), 1: (0.4, "left"), 2: (0.4, "left")}[x]
        axes.text(x + side[0], height, name + note, ha=side[1], va="center", fontsize=9)
    axes.set(xlim=(-1.4, 3.4), ylim=(-0.5, 3.5))
    axes.axis("off")
