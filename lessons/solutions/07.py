"""Solutions of lesson 07."""

import numpy as np


def tangent(operation, y, inputs, tangents):
    if operation in ("add", "multiply", "divide", "matmul"):
        (a, b), (da, db) = inputs, tangents
        if operation == "add":
            return da + db
        if operation == "multiply":
            return da * b + a * db
        if operation == "divide":
            return (da - y * db) / b
        return da @ b + a @ db
    (a,), (da,) = inputs, tangents
    if operation == "exp":
        return y * da
    if operation == "log":
        return da / a
    if operation == "relu":
        return (a > 0) * da
    return np.sum(da)


def jacobian(push, pull, m, n):
    if n <= m:
        return np.stack([push(v) for v in np.eye(n)], axis=1)
    return np.stack([pull(g) for g in np.eye(m)])
