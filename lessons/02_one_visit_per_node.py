"""02  One visit per node, in the right order

Idea: a gradient is local slopes multiplied along the graph and added where paths meet.
You write: product_rule(g, a, b), visiting_order(last), gradients(last).
You get: the same graph walked in two orders, one of them wrong; agreement with measured slopes.
Needs: 01.
Read: Griewank and Walther, Evaluating Derivatives (2008), chapter 3.
Uses: minigrad/engine.py, minigrad/gradient.py.
Time: fast 1 s, default 1 s (2 cores).
"""

from lessons import Lesson, Todo

import minigrad as mg

lesson = Lesson(2)  # plain Python floats: float64

# %% [markdown]
# A computation is a graph, the **computational graph**: every value was made from others, its
# parents. If each step knows its own local slope, the **chain rule** gives the slope of the last
# value with respect to all others: multiply along each path, add where paths meet. One walk back
# from the end does it for all of them together. It is called **backpropagation**, or the **reverse
# mode** of automatic differentiation (**forward mode** goes with the computation, one input at a
# time). Suppose y depends on p = a * b, and moves g times as far as p does. How far does it move
# when only a does, or only b?


# %%
@lesson.exercise("2.1")
def product_rule(g, a, b):
    """The slopes of y with respect to a and to b, when that with respect to a * b is g."""
    raise Todo("two numbers: g times the slope of a * b when only a moves, and when only b does")


# %% [markdown]
# A node of the graph, then, remembers its parents and how far it moves with each of them. All
# slopes below are local: nobody looks further than one step.


# %%
class Node:
    """A number that remembers where it came from."""

    def __init__(self, value, parents=(), slopes=()):
        self.value, self.parents, self.slopes = value, parents, slopes

    def __add__(self, other):
        other = node(other)
        return Node(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = node(other)
        slopes = product_rule(1.0, self.value, other.value)
        return Node(self.value * other.value, (self, other), slopes)

    def __pow__(self, n):  # n is a number
        return Node(self.value**n, (self,), (n * self.value ** (n - 1),))

    def relu(self):
        return Node(max(self.value, 0.0), (self,), (float(self.value > 0),))


def node(x):
    return x if isinstance(x, Node) else Node(x)


# %% [markdown]
# Now the walk. A node passes on to each parent its own slope times the local one. If a node is used
# twice, what it gets from both users is added. So it may pass on only when it has received
# everything: after all the nodes that use it. Which order guarantees that, in every graph? It is
# called a **topological order** (here from the end to the beginning), and this is what people ask
# most about automatic differentiation (karpathy/micrograd#21, #64, #91).


# %%
@lesson.exercise("2.2")
def visiting_order(last):
    """The nodes that `last` depends on, itself first, each once and after all nodes that use it."""
    raise Todo("a list; it is easier to put every node after its parents, and then reverse")


@lesson.exercise("2.3")
def gradients(last):
    """{node: slope of `last` with respect to it}, for every node that `last` depends on."""
    raise Todo("last has slope 1; in visiting_order each node adds its share to its parents")


# %% [markdown]
# Three lines of arithmetic, and slopes that can be had in two ways: by the walk, and measured as in
# lesson 1. Work out on paper what dy/da is before you look.


# %%
def meeting(a, b):
    c, d = a + b, a * b
    return (c + d) + c * d


def measured(f, a, b, h=1e-5):
    """The slopes of f at (a, b), as in lesson 1."""
    along_a = (f(a + h, b) - f(a - h, b)) / (2 * h)
    return along_a, (f(a, b + h) - f(a, b - h)) / (2 * h)


lesson.guess("dy/da, dy/db", "dy/da and dy/db, for a = 2 and b = 3?")
a, b = Node(2.0), Node(3.0)
slopes = gradients(meeting(a, b))
along = measured(meeting, 2.0, 3.0)
lesson.report("dy/da, dy/db", (slopes[a], slopes[b]), "exact", predicted=along)

# %% [markdown]
# And here is what happens to those who do not wait. `impatient` is the recursion that one writes
# first: pass on to each parent, and let the parent pass on at once. When its second user reports,
# it passes on everything again, the first part included.


# %%
def impatient(node, slopes, passed_on):
    passed_on.setdefault(node, []).append(slopes[node])
    for parent, slope in zip(node.parents, node.slopes, strict=True):
        slopes[parent] = slopes.get(parent, 0.0) + slopes[node] * slope
        impatient(parent, slopes, passed_on)


a, b = Node(2.0), Node(3.0)
c, d = a + b, a * b
s, p = c + d, c * d
y = s + p
right, wrong, passed_on = gradients(y), {y: 1.0}, {}
impatient(y, wrong, passed_on)
lesson.report("dy/da, dy/db without waiting", (wrong[a], wrong[b]), "exact")

nodes = {"y": y, "c + d": s, "c * d": p, "c": c, "d": d, "a": a, "b": b}
claim = "A node that passes on before all its users have reported counts twice"
lesson.draw("two_orders", claim, nodes, right, wrong, passed_on)

# %% [markdown]
# The graph from the README of micrograd, whose three numbers are on the internet (24.7041, 138.8338
# and 645.5773), and a chain of 10,000 steps, on which a recursive walk ends with a RecursionError.
# The library needs neither recursion nor search. Each node gets a serial number when it is made,
# and it is made after its parents, so every user of a node has a higher number than the node
# itself. To visit the nodes by falling number is therefore an order such as yours.


# %%
def micrograd(a, b):
    c, d = a + b, a * b + b**3
    c = c + c + 1.0
    c = c + c + 1.0 + a * -1.0
    d = d + d * 2.0 + (b + a).relu()
    d = d + d * 3.0 + (b + a * -1.0).relu()
    f = (c + d * -1.0) ** 2
    return f * 0.5 + f**-1 * 10.0


a, b = Node(-4.0), Node(2.0)
g = micrograd(a, b)
slopes = gradients(g)
along = measured(lambda a, b: micrograd(Node(a), Node(b)).value, -4.0, 2.0, h=1e-6)
lesson.report("g of micrograd's README", g.value, "exact", predicted=24.7041)
lesson.report("dg/da, dg/db", (slopes[a], slopes[b]), "exact", predicted=along)

x = mg.tensor(1.0, requires_grad=True)
end = x
for _ in range(10_000):
    end = end + 1.0
end.backward()
lesson.report("slope of 10,000 steps of + 1, by the library", x.grad.item(), "exact", predicted=1.0)

# %% [markdown]
# One more surprise (karpathy/micrograd#53): in the library a second `backward` ADDS to `x.grad`. It
# is the same rule, that what arrives along several paths is summed, applied to several losses. So a
# training loop must forget the old gradients itself, which is what `zero_grad` is for.

# %%
(x * 5.0).backward()
lesson.report("x.grad after a second backward, of 5 x", x.grad.item(), "exact", predicted=1.0 + 5.0)

# %% [markdown]
# Threads named here:
#
# [karpathy/micrograd#21](https://github.com/karpathy/micrograd/issues/21),
# [karpathy/micrograd#64](https://github.com/karpathy/micrograd/issues/64),
# [karpathy/micrograd#91](https://github.com/karpathy/micrograd/issues/91),
# [karpathy/micrograd#53](https://github.com/karpathy/micrograd/issues/53).

# %%
lesson.finish()
