"""The training step of the reference model in minigrad, PyTorch, TensorFlow and JAX.

Each function makes a model with the weights of `starting_points.py` and returns a function that
makes one step and returns its loss for each image, half the squared error. Frameworks are imported
where they are used: each process loads only its own. minigrad, TensorFlow and JAX add Adam's
epsilon as the article's program does; PyTorch has its other form only.
"""

import os

import our_kernels
from starting_points import TRANSPOSED, images, reference_weights


def minigrad_convolutional(batch, device="cpu", captured=False, native=True):
    """The step that ``autoencoder/training.py`` makes with the reference model."""
    import numpy as np

    from autoencoder import olivetti
    from autoencoder.networks import Sizes, build
    from autoencoder.objective import loss_terms
    from autoencoder.parts import assemble
    from minigrad import optim, tensor

    our_kernels.use(native)
    settings, parts = olivetti.settings(batch_size=batch), assemble(code="sigmoid")
    sizes, rng = Sizes(1024, 256, image_shape=(32, 32, 1)), np.random.default_rng(0)
    network = build(sizes, parts.code, rng, network="olivetti")
    names = [name for name, _ in network.named_parameters()]
    network.load_state_dict(dict(zip(names, reference_weights(), strict=True)))
    network = network.to(device)
    optimizer = optim.Adam(network.parameters(), **settings["solver_options"])
    x = tensor(images(batch).reshape(batch, 1024), device=device)

    def step():
        terms, _ = loss_terms(network, parts, x, x, None, {})
        loss = terms["reconstruction"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return our_kernels.captured(step) if captured else step


# ---------------------------------------------------------------------- PyTorch
def in_a_graph(step):
    """PyTorch's `step` as a CUDA graph: a function that replays it."""
    import torch

    aside = torch.cuda.Stream()  # PyTorch wants its warm-up there
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()

    def replay():
        graph.replay()
        return result

    return replay


def torch_convolutional(
    batch,
    channels_last=False,
    compiled=False,
    device="cpu",
    mode=None,
    graphed=False,
    fused=False,
):
    import torch
    from torch import nn
    from torch.nn.functional import pad

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 16, 3, stride=2)
            pairs = [(16, 32), (32, 64), (64, 128)]
            self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
            self.code = nn.Linear(32768, 256)
            self.second = nn.ConvTranspose2d(1, 128, 3, stride=2)
            pairs = [(128, 64), (64, 32)]
            self.transposed = nn.ModuleList(
                nn.ConvTranspose2d(i, o, 3, padding=1) for i, o in pairs
            )
            self.last = nn.ConvTranspose2d(32, 1, 3, padding=1)

        def forward(self, x):
            x = self.first(pad(x, (0, 1, 0, 1))).relu()
            for layer in self.convolutions:
                x = layer(x).relu()
            x = self.code(x.flatten(1)).sigmoid().reshape(-1, 1, 16, 16)
            x = self.second(x)[:, :, :32, :32].relu()
            for layer in self.transposed:
                x = layer(x).relu()
            return self.last(x).sigmoid()

    model = Network()
    with torch.no_grad():
        for parameter, w in zip(model.parameters(), reference_weights(), strict=True):
            if w.ndim == 2:  # PyTorch flattens channels first
                w = w.reshape(256, 128, 256).transpose(2, 1, 0).reshape(256, 32768)
            parameter.copy_(torch.tensor(w.transpose(3, 2, 0, 1) if w.ndim == 4 else w))
    model = model.to(device)
    x = torch.tensor(images(batch), device=device).permute(0, 3, 1, 2).contiguous()
    if channels_last:
        model, x = (v.to(memory_format=torch.channels_last) for v in (model, x))
    how = dict(fused=True) if fused or graphed else {}
    optimizer = torch.optim.Adam(model.parameters(), capturable=graphed, **how)
    network = torch.compile(model, mode=mode) if compiled else model

    def step():
        loss = ((network(x) - x) ** 2).sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss / batch

    return in_a_graph(step) if graphed else step


# ---------------------------------------------------------------------- TensorFlow, JAX
def tensorflow_reference(batch):
    """The article's program: TensorFlow's own Adam of version 1, all of it in one graph."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    variables = [tf.Variable(w) for w in reference_weights()]
    optimizer = tf.compat.v1.train.AdamOptimizer(0.001)  # its epsilon is 1e-8
    x = tf.constant(images(batch))

    def network(h):
        layers = list(zip(variables[::2], variables[1::2], strict=True))
        for k, (w, b) in enumerate(layers[:4]):
            h = tf.nn.conv2d(h, w, 1 if k else 2, "SAME")
            h = tf.nn.relu(tf.nn.bias_add(h, b))
        w, b = layers[4]
        h = tf.reshape(tf.sigmoid(tf.reshape(h, (batch, -1)) @ w + b), (batch, 16, 16, 1))
        for k, (w, b) in enumerate(layers[TRANSPOSED]):
            shape = (batch, 32, 32, w.shape[2])
            h = tf.nn.conv2d_transpose(h, w, shape, 1 if k else 2, "SAME")
            h = (tf.sigmoid if k == 3 else tf.nn.relu)(tf.nn.bias_add(h, b))
        return h

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.nn.l2_loss(network(x) - x)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss / batch

    return lambda: step().numpy()


def jax_reference(batch):
    import jax
    from jax import lax

    x = jax.numpy.asarray(images(batch))
    layout = dict(dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def loss_of(weights):
        h, layers = x, list(zip(weights[::2], weights[1::2], strict=True))
        for k, (w, b) in enumerate(layers[:4]):
            stride = (1, 1) if k else (2, 2)
            h = jax.nn.relu(lax.conv_general_dilated(h, w, stride, "SAME", **layout) + b)
        w, b = layers[4]
        h = jax.nn.sigmoid(h.reshape(batch, -1) @ w + b).reshape(batch, 16, 16, 1)
        for k, (w, b) in enumerate(layers[TRANSPOSED]):
            stride = (1, 1) if k else (2, 2)
            h = lax.conv_transpose(h, w, stride, "SAME", transpose_kernel=True, **layout) + b
            h = (jax.nn.sigmoid if k == 3 else jax.nn.relu)(h)
        return ((h - x) ** 2).sum() / 2

    return in_jax(loss_of, reference_weights(), batch)


def in_jax(loss_of, weights, batch, epsilon=1e-8):
    """A compiled step of Adam on ``loss_of(weights)``, which returns the loss over `batch`."""
    import jax
    from jax import numpy as jnp

    def step(state):
        t, w, m, v = state
        loss, g = jax.value_and_grad(loss_of)(w)
        t = t + 1
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True)]
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        changes = [rate * a / (jnp.sqrt(b) + epsilon) for a, b in zip(m, v, strict=True)]
        w = [a - b for a, b in zip(w, changes, strict=True)]
        return (t, w, m, v), loss / batch

    compiled = jax.jit(step, donate_argnums=0)
    zeros = [[jnp.zeros_like(w) for w in weights] for _ in range(2)]
    state = jnp.zeros(()), [jnp.asarray(w) for w in weights], *zeros

    def one():
        nonlocal state
        state, loss = compiled(state)
        jax.block_until_ready(state)
        return loss

    return one
