"""Solutions of lesson 01."""


def slope(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def best_step(precision, order):
    return precision ** (1 / (order + 1))  # h**(order + 1) = precision
