"""Solutions of lesson 05."""

from importlib import import_module

import numpy as np

visiting_order = import_module("lessons.solutions.02").visiting_order
unbroadcast = import_module("lessons.solutions.03").unbroadcast


def rule(operation, g, y, *inputs):
    if operation == "add":
        return g, g
    if operation == "multiply":
        a, b = inputs
        return g * b, g * a
    if operation == "divide":
        a, b = inputs
        return g / b, -g * a / b**2
    if operation == "matmul":
        a, b = inputs
        return g @ b.T, a.T @ g
    (a,) = inputs
    if operation == "exp":
        return (g * y,)
    if operation == "log":
        return (g / a,)
    if operation == "relu":
        return (g * (a > 0),)
    if operation == "sum":
        return (g * np.ones_like(a),)


def gradients(last):
    found = {last: np.ones_like(last.data)}
    for node in visiting_order(last):
        if node.parents:
            values = [p.data for p in node.parents]
            shares = rule(node.operation, found[node], node.data, *values)
            for parent, share in zip(node.parents, shares, strict=True):
                found[parent] = found.get(parent, 0.0) + unbroadcast(share, parent.data.shape)
    return found
