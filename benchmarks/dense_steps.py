"""The training step of a small dense model, 784-64-784, with binary cross-entropy, in minigrad,
PyTorch, TensorFlow and JAX; see `reference_steps.py`.

TensorFlow and JAX have Adam's epsilon in its other form, which shows in the losses' fourth digit.
"""

import os

import our_kernels
from reference_steps import in_jax
from starting_points import dense_weights, rows


def minigrad_dense(batch, captured=False, native=True):
    import numpy as np

    from minigrad import losses, nn, optim, tensor

    our_kernels.use(native)
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(784, 64, activation="relu", rng=rng), nn.Dense(64, 784, rng=rng))
    names = [name for name, _ in model.named_parameters()]
    model.load_state_dict(dict(zip(names, dense_weights(), strict=True)))
    optimizer = optim.Adam(model.parameters())
    x = tensor(rows(batch))

    def step():
        loss = losses.binary_cross_entropy_with_logits(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return our_kernels.captured(step) if captured else step


def torch_dense(batch, compiled=False, fused=False):
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(784, 64), torch.nn.ReLU(), torch.nn.Linear(64, 784))
    with torch.no_grad():
        for parameter, w in zip(model.parameters(), dense_weights(), strict=True):
            parameter.copy_(torch.tensor(w.T))
    optimizer = torch.optim.Adam(model.parameters(), **(dict(fused=True) if fused else {}))
    x = torch.tensor(rows(batch))
    network = torch.compile(model) if compiled else model
    loss_function = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def step():
        loss = loss_function(network(x), x) / batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def tensorflow_dense(batch):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    variables = [tf.Variable(w) for w in dense_weights()]
    optimizer = tf.compat.v1.train.AdamOptimizer(0.001)
    x = tf.constant(rows(batch))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            w, b, w_out, b_out = variables
            logits = tf.nn.relu(x @ w + b) @ w_out + b_out
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
            loss = tf.reduce_sum(each) / batch
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return lambda: step().numpy()


def jax_dense(batch):
    import jax
    from jax import numpy as jnp

    x = jnp.asarray(rows(batch))

    def loss_of(weights):
        w, b, w_out, b_out = weights
        logits = jax.nn.relu(x @ w + b) @ w_out + b_out
        return (jax.nn.softplus(logits) - x * logits).sum() / batch

    return in_jax(loss_of, dense_weights(), 1)
