"""10  Where training starts

Idea: the first weights, and the first step, decide whether a signal survives all the layers.
You write: growth(deviation, fan_in, depth), he_deviation(fan_in), first_move(x, lr).
You get: signals through thirty layers, predicted; why the published faces network collapses.
Needs: 03, 05, 09.
Read: He et al., Delving deep into rectifiers (2015), section 2.2.
Uses: minigrad/init.py, autoencoder/olivetti.py, autoencoder/networks.py.
Time: fast 5 s, default 12 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder.datasets import make_faces
from autoencoder.networks import Sizes
from autoencoder.olivetti import network
from autoencoder.parts import PointCode

lesson = Lesson(10)  # float64 for the theory, float32 for the faces
rng = np.random.default_rng(10)

# %% [markdown]
# Weights start as random numbers of mean 0. How large? A unit computes the sum over i of w_i x_i,
# with fan_in inputs. For independent weights the mean of its square is
#
#     fan_in * deviation**2 * mean of x**2
#
# and relu, which cuts off one half of a symmetric distribution, halves it. So each layer multiplies
# the mean square of the signal by one factor, and thirty layers by its thirtieth power.


# %%
@lesson.exercise("10.1")
def growth(deviation, fan_in, depth):
    """The factor of the mean square after `depth` layers of relu units with fan_in inputs each."""
    raise Todo("the factor of one layer, to the power depth")


@lesson.exercise("10.2")
def he_deviation(fan_in):
    """The deviation with which the signal keeps its mean square through any number of layers."""
    raise Todo("solve growth(deviation, fan_in, 1) = 1")


# %% [markdown]
# Thirty layers of 200 units. Guess the mean square at the end, if it is 1 at the start: with your
# deviation, with 1 / sqrt(fan_in), which is right without the relu (Glorot and Bengio, 2010), and
# with a deviation of 0.15, which does not look large. On the way back, the gradient meets the same
# matrices, transposed: what is it multiplied by?

# %%
n, depth = 200, 30
deviations = {"yours": he_deviation(n), "1 / sqrt(fan_in)": n**-0.5, "0.15": 0.15}
signals = {}
for name, deviation in deviations.items():
    x = mg.tensor(rng.standard_normal((100, n)), requires_grad=True)  # (100, 200)
    h, squares = x, [1.0]
    for _ in range(depth):
        h = mg.relu(h @ (deviation * rng.standard_normal((n, n))))  # (100, 200)
        squares.append(np.mean(h.numpy() ** 2))
    g = rng.standard_normal(h.shape)  # (100, 200), of mean square 1
    back = np.mean(mg.grad(h, x, mg.tensor(g)).numpy() ** 2)
    signals[name], factor = squares, growth(deviation, n, depth)
    lesson.report(f"mean square after 30 layers, {name}", squares[-1], "x10", predicted=factor)
    lesson.report(f"gradient's mean square, {name}", back, "x10", predicted=factor)

# %% [markdown]
# Now the published network for faces, of lesson 17. Its library's initial weights are of a sensible
# size, and still many of its runs end with one code for all faces. What happens there happens in
# the first steps. A unit of its code is a sigmoid of a sum of D = 32,768 numbers, all of them at
# least 0, because they come out of relus. Adam's first step has length lr in every weight (lesson
# 9), whatever the gradient. All faces look alike to a new network, so the gradients of one unit's
# weights have one sign. How far does that step move the sum of a unit? (By the weights of this
# layer alone: those below move too, and change its inputs.)


# %%
@lesson.exercise("10.3")
def first_move(x, lr):  # (N, D) -> (N,)
    """The farthest that w @ x can move, for each row x, when every weight moves by lr."""
    raise Todo("each weight moves in the direction in which its own x adds to the others")


# %% [markdown]
# Measure it: the network as published (`--fast`: with faces of 16 x 16, so 8,192 inputs), twelve
# steps of Adam (`--fast`: nine) with lr = 0.001. A sigmoid's slope is below 0.01 beyond 4.6; a unit
# that is there for all faces learns nothing more. Once with the faces as they are, once minus the
# mean face.

# %%
size, batch = (16 if lesson.fast else 32), 10
question = "How far do the sums, which are about 0, move in the first step? How many steps to 4.6?"
lesson.guess("first step moves the sums by, as they are", question)
faces = make_faces(size=size).images  # (400, size, size, 1)


def start(minus, steps=9 if lesson.fast else 12):
    """Per step (predicted move, measured move, |sum|, share of flat units) of the code's sums."""
    rng, order, found = np.random.default_rng(10), np.random.default_rng(1), []
    sizes = Sizes(size * size, (size // 2) ** 2, image_shape=(size, size, 1))
    encoder, decoder = network(sizes, PointCode("sigmoid"), rng, np.float32)
    layers = list(encoder)
    optimizer = mg.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.001)
    watched = mg.tensor(faces[::20] - minus)  # (20, size, size, 1)

    def sums():
        """The inputs (20, D) of the code's layer, and its sums (20, units)."""
        with mg.no_grad():
            h = watched
            for layer in layers[:-1]:
                h = layer(h)
            return h.numpy(), layers[-1](h).numpy()

    inputs, before = sums()
    for _ in range(steps):
        x = faces[order.integers(0, 400, batch)]  # (10, size, size, 1)
        error = decoder(mg.sigmoid(encoder(mg.tensor(x - minus)))) - x.reshape(batch, -1)
        optimizer.zero_grad()
        (mg.sum(error * error) / 2).backward()
        optimizer.step()
        predicted = first_move(inputs, 0.001).mean()
        inputs, after = sums()
        slopes = 1 / (2 + np.exp(after) + np.exp(-after))  # (20, units), of the sigmoid
        flat = np.mean(slopes.max(axis=0) < 0.01)
        found.append((predicted, np.abs(after - before).mean(), np.abs(after).mean(), flat))
        before = after
    return np.array(found)  # (steps, 4)


courses = {"as they are": start(0 * faces[0]), "minus the mean face": start(faces.mean(axis=0))}
for name, course in courses.items():
    lesson.report(
        f"first step moves the sums by, {name}", course[0, 1], "x2", predicted=course[0, 0]
    )
    lesson.report(f"units that are flat for all faces at the end, {name}", course[-1, 3], "+-0.3")

claim = "Layers multiply a signal, and a few steps of Adam close the sigmoids"
lesson.draw("start", claim, signals, deviations, courses)

# %% [markdown]
# So the network is not started badly, it is moved badly: 0.001 is small for a weight, and large for
# a sum of thousands of inputs of one sign. All faces are moved together, the sigmoids close, and
# the decoder is left with one code, of which it makes the mean face. Without the mean the inputs
# are smaller and the same thing comes some steps later. What would help? A smaller rate for this
# layer; fewer inputs; or a sum that is brought back to size at every step, which is lesson 11.

# %%
lesson.finish()
