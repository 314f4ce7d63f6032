"""Automatic differentiation in at most 100 lines of code, and a small autoencoder trained with it.

This file is a complete engine of the kind that `minigrad/engine.py` is: read it first, in ten
minutes. Run it, ``python docs/engine_in_100_lines.py``, and an autoencoder learns to describe
scikit-learn's handwritten digits by 16 numbers each.

The idea. A program that computes a loss is a chain of simple operations. Each Tensor remembers the
operation that made it: its parents, and for each parent a **vector-Jacobian product** (VJP), the
function that takes the gradient of the loss with respect to the result and gives the gradient with
respect to that parent. The Tensors form a graph. **Backpropagation** walks it from the loss back to
the parameters and applies the chain rule once at each Tensor.

>>> w = Tensor(3.0)
>>> loss = w * w + 2 * w
>>> loss.backward()
>>> float(w.grad)  # 2 w + 2
8.0

What the real engine adds: derivatives of every order, float32 and GPUs, memory given back early,
errors that name your line, and an error where an array was changed between forward and backward.
"""

import itertools

import numpy as np

serial_numbers = itertools.count()


# ---------------------------------------------------------------------- the graph
class Tensor:
    """An array and how it was made. Numbers and plain arrays beside it count as constants."""

    __array_ufunc__ = None  # so that `array * tensor` asks the Tensor, not NumPy

    def __init__(self, data, *edges):
        self.data = np.asarray(data, float)
        self.edges = [(x, vjp) for x, vjp in edges if isinstance(x, Tensor)]  # (parent, VJP)
        self.serial = next(serial_numbers)
        self.grad = None

    def backward(self):
        """Add the gradient of this Tensor, a single number, to `grad` of all it was made from."""
        nodes, stack = {self}, [self]
        while stack:
            for parent, _ in stack.pop().edges:
                if parent not in nodes:
                    nodes.add(parent)
                    stack.append(parent)
        # Topological order: a Tensor is visited after all that were made from it, for only then is
        # its gradient complete. An operation can only use Tensors that exist already, so falling
        # serial numbers are such an order.
        gradients = {node: np.zeros_like(node.data) for node in nodes}
        gradients[self] += 1  # the derivative of the loss with respect to itself
        for node in sorted(nodes, key=lambda node: node.serial, reverse=True):
            g = gradients[node]
            node.grad = g if node.grad is None else node.grad + g
            for parent, vjp in node.edges:
                # The chain rule. Where a Tensor was used several times, the gradients add up.
                gradients[parent] += sum_to(vjp(g), parent.data.shape)


def value(x):
    """The array of a Tensor; a constant as it is."""
    return x.data if isinstance(x, Tensor) else x


def sum_to(g, shape):
    """Undo broadcasting: an element that was used many times gets the sum of its gradients."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))  # axes that broadcasting put in front
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=stretched, keepdims=True)


# ---------------------------------------------------------------------- eight operations
# Each is its forward function and, for every argument, the VJP: g is the gradient of the result.
def add(a, b):
    return Tensor(value(a) + value(b), (a, lambda g: g), (b, lambda g: g))


def multiply(a, b):
    return Tensor(value(a) * value(b), (a, lambda g: g * value(b)), (b, lambda g: g * value(a)))


def power(x, n):  # n is a number
    return Tensor(value(x) ** n, (x, lambda g: g * n * value(x) ** (n - 1)))


def exp(x):
    y = np.exp(value(x))
    return Tensor(y, (x, lambda g: g * y))


def log(x):
    return Tensor(np.log(value(x)), (x, lambda g: g / value(x)))


def relu(x):
    return Tensor(np.maximum(value(x), 0.0), (x, lambda g: g * (value(x) > 0)))


def matmul(a, b):  # (..., n, k) @ (..., k, m) -> (..., n, m)
    by_a, by_b = np.swapaxes(value(b), -1, -2), np.swapaxes(value(a), -1, -2)
    return Tensor(value(a) @ value(b), (a, lambda g: g @ by_a), (b, lambda g: by_b @ g))


def total(x, axis=None):
    """The sum over `axis` (over everything by default): each summand has the sum's gradient."""

    def vjp(g):
        kept = g if axis is None else np.expand_dims(g, axis)
        return np.broadcast_to(kept, value(x).shape)

    return Tensor(value(x).sum(axis), (x, vjp))


# What Python's operators mean for Tensors; the rest is made of the eight.
Tensor.__add__ = Tensor.__radd__ = add
Tensor.__mul__ = Tensor.__rmul__ = multiply
Tensor.__pow__ = power
Tensor.__matmul__ = matmul
Tensor.__rmatmul__ = lambda b, a: matmul(a, b)
Tensor.__neg__ = lambda x: x * -1.0
Tensor.__sub__ = lambda a, b: a + -b
Tensor.__rsub__ = lambda b, a: a + -b
Tensor.__truediv__ = lambda a, b: a * b**-1.0
Tensor.__rtruediv__ = lambda b, a: a * b**-1.0


# ---------------------------------------------------------------------- the optimizer
class Adam:
    """Each parameter moves by its mean gradient over its root mean square gradient, times lr.

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def __init__(self, parameters, lr=0.001, betas=(0.9, 0.999), epsilon=1e-8):
        self.lr, self.betas, self.epsilon, self.t = lr, betas, epsilon, 0
        self.slots = [(p, np.zeros_like(p.data), np.zeros_like(p.data)) for p in parameters]

    def step(self):
        """Change every parameter by one step, and forget its gradient."""
        self.t += 1
        beta1, beta2 = self.betas
        for p, m, v in self.slots:  # running means of the gradient and of its square
            m += (1 - beta1) * (p.grad - m)
            v += (1 - beta2) * (p.grad**2 - v)
            mean, square = m / (1 - beta1**self.t), v / (1 - beta2**self.t)  # both began at 0
            p.data = p.data - self.lr * mean / (np.sqrt(square) + self.epsilon)
            p.grad = None


# ---------------------------------------------------------------------- an autoencoder
def initial_weights(n_pixels, n_components, rng):
    """Weights and biases of the encoder and of the decoder, as arrays."""
    scale = (2 / (n_pixels + n_components)) ** 0.5  # keeps the variance of the signals
    encoder = rng.normal(0, scale, (n_pixels, n_components))
    decoder = rng.normal(0, scale, (n_components, n_pixels))
    return [encoder, np.zeros(n_components), decoder, np.zeros(n_pixels)]


def train(images, weights, steps, lr=0.01):
    """Yield the loss of each step: the cross-entropy of an image (N, D), in nats per image."""
    w1, b1, w2, b2 = parameters = [Tensor(w) for w in weights]
    optimizer = Adam(parameters, lr)
    for _ in range(steps):
        code = relu(images @ w1 + b1)  # (N, D) -> (N, k), the latent code
        logits = code @ w2 + b2  # (N, k) -> (N, D), as probabilities 1 / (1 + exp(-logits))
        loss = total(log(1 + exp(logits)) - images * logits) / len(images)
        loss.backward()
        optimizer.step()
        yield float(loss.data)


if __name__ == "__main__":
    from sklearn.datasets import load_digits

    digits = load_digits().data / 16  # (1797, 64), from 0 to 1
    weights = initial_weights(64, 16, np.random.default_rng(0))
    for step, loss in enumerate(train(digits, weights, 201)):
        if step % 50 == 0:
            print(f"step {step:3}  loss {loss:.2f} nats per image")
