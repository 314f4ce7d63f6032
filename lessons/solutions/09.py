"""Solutions of lesson 09."""


def moments(m, v, g, beta1=0.9, beta2=0.999):
    return beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2


def adam_step(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    mean = m / (1 - beta1**t)
    square = v / (1 - beta2**t)
    return w - lr * mean / (square**0.5 + epsilon)


def uncorrected_ratio(t, beta1=0.9, beta2=0.999):
    return (1 - beta1**t) / (1 - beta2**t) ** 0.5
