"""Checks of lesson 02. Graphs are built here, by functions whose names appear in the messages."""

from lessons import Check, Judge, Wrong

import numpy as np


# ---------------------------------------------------------------------- 2.1 product_rule
def product_cases():
    return [tuple(map(float, row)) for row in np.random.default_rng(2).uniform(-3, 3, (5, 3))]


def measured_product(g, a, b, h=1e-3):
    """Central differences, which are exact for a product."""
    along_a = g * ((a + h) * b - (a - h) * b) / (2 * h)
    return along_a, g * (a * (b + h) - a * (b - h)) / (2 * h)


def library_product(g, a, b):
    return g * b, g * a


def own_factor(g, a, b):
    """The factors are exchanged: when a moves by 1, a * b moves by b, not by a."""
    return g * a, g * b


def ignores_g(g, a, b):
    """You left out g: a change of a * b by 1 changes y by g, not by 1."""
    return b, a


def whole_product(g, a, b):
    """You multiplied g by the product itself: ask how far a * b moves when one factor does."""
    return g * a * b, g * a * b


def adds_the_slope(g, a, b):
    """You added g to the local slope: slopes along a path are multiplied."""
    return g + b, g + a


product_rule = Check(
    library=library_product,
    source="minigrad/ops.py::multiply",
    returns=("number", "number"),
    cases=product_cases,
    judges=[Judge("measured slopes", measured_product, 1e-10)],
    mistakes=[own_factor, ignores_g, whole_product, adds_the_slope],
)


# ---------------------------------------------------------------------- graphs
class Node:
    """As in the lesson, with a name for the messages."""

    def __init__(self, name, parents=(), slopes=()):
        self.name, self.parents, self.slopes = name, parents, slopes


def chain():
    """c = 3 b, b = 2 a."""
    a = Node("a")
    b = Node("b", (a,), (2.0,))
    return Node("c", (b,), (3.0,))


def doubling():
    """b = a + a, c = b + b: each parent twice."""
    a = Node("a")
    b = Node("b", (a, a), (1.0, 1.0))
    return Node("c", (b, b), (1.0, 1.0))


def meeting():
    """The lesson's graph at a = 2, b = 3: c = a + b, d = a b, y = (c + d) + c d."""
    a, b = Node("a"), Node("b")
    c, d = Node("c", (a, b), (1.0, 1.0)), Node("d", (a, b), (3.0, 2.0))
    s, p = Node("c + d", (c, d), (1.0, 1.0)), Node("c * d", (c, d), (6.0, 5.0))
    return Node("y", (s, p), (1.0, 1.0))


def long_way_round():
    """y uses a at once and again at the end of a longer path: a must wait."""
    a = Node("a")
    b = Node("b", (a,), (2.0,))
    c = Node("c", (b,), (-1.5,))
    return Node("y", (a, c), (4.0, 0.5))


def unequal_paths():
    """y uses b at once and through c, d; b in turn uses a: b must wait before it passes on."""
    a = Node("a")
    b = Node("b", (a,), (3.0,))
    c = Node("c", (b,), (2.0,))
    d = Node("d", (c, a), (0.5, 7.0))
    return Node("y", (b, d), (1.0, -2.0))


def listed_again():
    """d uses b at once and through c: who moves b back in a list must move its parents back too."""
    start = Node("start")
    a = Node("a", (start,), (2.0,))
    b = Node("b", (a,), (3.0,))
    c = Node("c", (b, b), (1.5, 0.5))
    return Node("d", (b, c), (4.0, -1.0))


def random_graph(seed):
    """A function that makes a graph of eight nodes with one to three parents each."""

    def made():
        rng = np.random.default_rng(seed)
        nodes = [Node("a")]
        for name in "bcdefgh":
            parents = [nodes[-1], *rng.choice(nodes, rng.integers(0, 3))]
            rng.shuffle(parents)
            slopes = rng.uniform(-2, 2, len(parents)).round(1)
            nodes.append(Node(name, tuple(parents), tuple(map(float, slopes))))
        return nodes[-1]

    made.__name__ = f"random_graph_{seed}"
    return made


def graphs():
    by_hand = (chain, doubling, meeting, long_way_round, unequal_paths, listed_again)
    return [*((graph,) for graph in by_hand), *((random_graph(seed),) for seed in range(4))]


def nodes_of(last):
    """All nodes by name, slowly: from each list of parents to the next, until nothing is new."""
    found = {last.name: last}
    while True:
        more = {p.name: p for n in found.values() for p in n.parents} | found
        if len(more) == len(found):
            return dict(sorted(found.items()))
        found = more


# ---------------------------------------------------------------------- 2.2 visiting_order
def in_words(f, graph):
    """One sentence for each node of the graph: how the order treats it."""
    last = graph()
    order = [n.name for n in f(last)]
    if [n.name for n in f(last)] != order:
        raise Wrong("right at the first walk through a graph, another order at the second: keep no "
                    "marks on the nodes, nor in lists among the default values")  # fmt: skip
    words = []
    for name in nodes_of(last):
        users = [n.name for n in nodes_of(last).values() if any(p.name == name for p in n.parents)]
        place = {n: order.index(n) if n in order else -1 for n in [name, *users]}
        early = [u for u in users if place[u] > place[name]]
        if order.count(name) != 1:
            words.append(f"{name} visited {order.count(name)} times")
        elif early:
            words.append(f"{name} visited before {early[0]}, which uses it")
        else:
            words.append(good(name))
    return words


def good(name):
    return f"{name} visited once, after all that use it"


def library_order(last):
    found, waiting = [], [last]
    while waiting:  # a node is listed again for each user; its last appearance counts
        node = waiting.pop(0)
        found.append(node)
        waiting += node.parents
    return list(dict.fromkeys(found[::-1]))[::-1]


def every_path(last):
    """A node is listed once for each path to it: remember which nodes you have seen."""
    return [last, *(n for p in last.parents for n in every_path(p))]


def on_arrival(last):
    """Each node is listed as soon as it is first reached, before some of the nodes that use it: go
    depth first, list a node after its parents, and reverse the list at the end."""
    return list(dict.fromkeys(every_path(last)))


def level_by_level(last):
    """You went level by level: a node that is near the end along one path and far along another
    comes too early. Its place is after the farthest of the nodes that use it."""
    order = [last]
    for node in order:  # grows while we go
        order += [p for p in dict.fromkeys(node.parents) if p not in order]
    return order


def not_reversed(last):
    """Parents come before the nodes that use them: this is the order of the forward computation,
    so reverse it."""
    return library_order(last)[::-1]


def without_inputs(last):
    """The nodes without parents are missing: they are what the gradient is wanted for."""
    return [n for n in library_order(last) if n.parents]


visiting_order = Check(
    library=library_order,
    source="minigrad/gradient.py::grad",
    returns="list",
    cases=graphs,
    observe=in_words,
    judges=[Judge("the definition", lambda graph: [good(n) for n in nodes_of(graph())])],
    mistakes=[every_path, on_arrival, level_by_level, not_reversed, without_inputs],
)


# ---------------------------------------------------------------------- 2.3 gradients
def by_name(f, graph):
    """The slopes as an array, nodes in alphabetical order; nan for a node that is missing."""
    last = graph()
    slopes = f(last)
    if not all(isinstance(n, Node) for n in slopes):
        raise Wrong("the keys of the dictionary are not nodes: {node: slope, ...} was asked for")
    return np.array([slopes.get(n, np.nan) for n in nodes_of(last).values()], float)


def over_all_paths(graph):
    """The definition: the sum over all paths of the products of their local slopes."""
    totals = dict.fromkeys(nodes_of(graph()), 0.0)

    def follow(node, product):
        totals[node.name] += product
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            follow(parent, product * slope)

    follow(graph(), 1.0)
    return np.array(list(totals.values()))


def measured_slopes(graph, h=1e-3):
    """Push each node up and down and see what the last one does; the graphs are linear."""

    def value(node, pushed, by):
        pairs = zip(node.parents, node.slopes, strict=True)
        return sum(s * value(p, pushed, by) for p, s in pairs) + by * (node.name == pushed)

    last = graph()
    return np.array([(value(last, n, h) - value(last, n, -h)) / (2 * h) for n in nodes_of(last)])


def walk(order, last, seed=1.0, add=True, chain_rule=True):
    """The right walk, with ways to spoil it."""
    slopes = {last: seed}
    for node in order:
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            share = slopes.get(node, 0.0) * slope if chain_rule else slope
            slopes[parent] = (slopes.get(parent, 0.0) if add else 0.0) + share
    return slopes


def library_gradients(last):
    return walk(library_order(last), last)


def overwrites(last):
    """You replaced what a parent had received (=) instead of adding to it (+=): a node that is used
    twice then hears only one of its users."""
    return walk(library_order(last), last, add=False)


def local_only(last):
    """You passed on the local slope alone: multiply it by the slope of the node that passes it."""
    return walk(library_order(last), last, chain_rule=False)


def no_seed(last):
    """Everything is 0 because the last node starts with 0: its slope to itself is 1."""
    return dict.fromkeys(library_order(last), 0.0)


def at_once(last):
    """Parents passed on at once, before all their users had reported, and again at each visit: walk
    through visiting_order instead of recursing."""
    slopes = {last: 1.0}

    def visit(node):
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            slopes[parent] = slopes.get(parent, 0.0) + slopes[node] * slope
            visit(parent)

    visit(last)
    return slopes


def too_early(last):
    """You walked from the inputs to the end: nodes passed on before they had received anything."""
    return walk(library_order(last)[::-1], last)


def inputs_only(last):
    """Only the nodes without parents are in the dictionary: keep the slopes of the others too."""
    return {n: g for n, g in library_gradients(last).items() if not n.parents}


gradients = Check(
    library=library_gradients,
    source="minigrad/gradient.py::grad",
    returns="dict",
    cases=graphs,
    observe=by_name,
    judges=[
        Judge("a sum over all paths", over_all_paths, 1e-12),
        Judge("measured slopes", measured_slopes, 1e-9),
    ],
    mistakes=[overwrites, local_only, no_seed, at_once, too_early, inputs_only],
)
