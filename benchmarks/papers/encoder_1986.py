"""The 8-3-8 encoder of Rumelhart, Hinton and Williams (1986): does backpropagation find a code?

Eight patterns, each a single 1 among eight inputs, pass through three sigmoid units and must come
out again. One program trains all networks at once, each from weights of its own: arrays have the
network as their first axis.
"""

import numpy as np
from published import ENCODER
from writing import table

from minigrad import nn, no_grad, optim, sigmoid, tensor

TITLE = "1986: the 8-3-8 encoder"
SOURCES = (ENCODER,)
PATTERNS = np.eye(8)  # (8, 8)
NETWORKS = 100
STEPS = (500, 1000, 2000, 4000, 8000)  # at which the codes are looked at


class Encoders(nn.Module):
    """`count` networks 8-3-8 with weights drawn from the interval (-0.5, 0.5)."""

    def __init__(self, count, rng):
        shapes = {"w1": (8, 3), "b1": (1, 3), "w2": (3, 8), "b2": (1, 8)}
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(rng.uniform(-0.5, 0.5, (count, *shape))))

    def codes(self):
        """What the hidden units say of each pattern: (count, 8, 3)."""
        return sigmoid(tensor(PATTERNS) @ self.w1 + self.b1)

    def forward(self):
        """What comes out for each pattern: (count, 8, 8)."""
        return sigmoid(self.codes() @ self.w2 + self.b2)


def run(job):
    """How many networks have a code after some steps, trained as in 1986 and as today."""
    ways = {
        "1986": (_squares, lambda p: optim.SGD(p, lr=0.25, momentum=0.9)),
        "today": (_cross_entropy, lambda p: optim.Adam(p, lr=0.02)),
    }
    marks = STEPS[:1] if job.fast else STEPS
    networks = 4 if job.fast else NETWORKS
    return {
        "networks": networks,
        "steps": list(marks),
        "ways": {name: _train(networks, marks, *way) for name, way in ways.items()},
    }


def _train(networks, marks, loss, optimizer):
    encoders = Encoders(networks, np.random.default_rng(0))
    optimizer, found = optimizer(encoders.parameters()), []
    for step in range(1, marks[-1] + 1):
        optimizer.zero_grad()
        loss(encoders()).backward()
        optimizer.step()
        if step in marks:
            with no_grad():
                found.append(count(encoders.codes().numpy(), encoders().numpy()))
    return {name: [each[name] for each in found] for name in found[0]}


def _squares(outputs):
    """Half the squared error, summed over patterns, outputs and networks, which do not mix."""
    errors = outputs - PATTERNS
    return (errors * errors).sum() / 2


def _cross_entropy(outputs):
    right = PATTERNS * outputs + (1 - PATTERNS) * (1 - outputs)  # what is said of the right answer
    return -(right + 1e-12).log().sum()


def count(codes, outputs):
    """How many networks reproduce the patterns, and how many by a binary code.

    A pattern is reproduced where each output is on the right side of 1/2; the code is binary where
    its units, rounded to 0 and 1, name the eight patterns differently.
    """
    right = ((outputs > 0.5) == (PATTERNS > 0.5)).all(axis=(1, 2))
    names = np.sort(np.round(codes) @ [4, 2, 1], axis=1)  # (networks, 8), each from 0 to 7
    binary = (names == np.arange(8)).all(axis=1)
    return {"reproduced": int(right.sum()), "binary": int((right & binary).sum())}


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    n, ways = results["networks"], results["ways"]
    last = {name: way["reproduced"][-1] for name, way in ways.items()}
    return [
        [
            "networks that learn a code",
            "shown for one",
            f"{last['1986']} of {n} by gradient descent, {last['today']} by Adam",
            f"{results['steps'][-1]:,} steps; rates and first weights are our own choice",
        ]
    ]


def text(results):
    """The section of the page."""
    ways, n = results["ways"], results["networks"]
    lines = [
        [f"{name}: {what}", *ways[name][key]]
        for name in ways
        for key, what in (("reproduced", "patterns reproduced"), ("binary", "by a binary code"))
    ]
    return f"""{n} networks from {n} starts. "1986" is gradient descent with momentum on the squared
error (rate 0.25, momentum 0.9), "today" Adam on the cross-entropy. A network reproduces the
patterns where each of its 64 outputs is on the right side of 1/2; its code is binary where the
three units, rounded, are the eight numbers from 000 to 111. The others use values between.

{table(["networks after so many steps", *results["steps"]], lines)}"""
