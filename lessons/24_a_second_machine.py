"""24  A second machine that obeys later

Idea: a GPU is another computer: its arrays are its own, and it is late on purpose.
You write: softplus(x), seconds_of(f, device), crossover(launches, launch, gpu, cpu).
You get: code that runs on both machines, a clock that waits, and the batch from which a GPU pays.
Needs: 03, 16.
Read: CUDA C++ Programming Guide, the section on asynchronous execution.
Uses: minigrad/backend.py, benchmarks/interleaved.py.
Time: fast 3 s, default 8 s (2 cores).
"""

import timeit

from lessons import Lesson, Todo
from lessons._device import Device, far

import numpy as np

from minigrad import nn, optim, tensor
from minigrad.losses import l2_loss

lesson = Lesson(24)  # float32
rng = np.random.default_rng(18)

# %% [markdown]
# A GPU has a memory and a clock of its own. CuPy gives its arrays the functions that NumPy gives
# yours, so one text can serve both, if it asks each array where it lives: `xp = array_module(x)`,
# and then xp.exp, never np.exp. That is all that minigrad/backend.py is about.
#
# You need no GPU to get this right. `far` is a make-believe one (lessons/_device.py), as strict as
# CuPy: its arrays will not turn into NumPy's behind your back. Try np.exp on one.


# %%
def array_module(x):
    """The module whose functions work on x: NumPy, or that of the second machine."""
    return far if isinstance(x, far.ndarray) else np


try:
    np.exp(far.asarray(np.ones(3)))
except TypeError as error:
    print(f"  far says: {error}")


# %% [markdown]
# log(1 + exp(x)) overflows for large x; max(x, 0) + log1p(exp(-|x|)) is the same and does not
# (lesson 14). Write it for arrays of either machine.


# %%
@lesson.exercise("24.1")
def softplus(x):  # x: an array of NumPy or of far -> an array of the same module
    """log(1 + exp(x)) without overflow, on the machine where x lives."""
    raise Todo("xp = array_module(x), then max(x, 0) + log1p(exp(-|x|)) with functions of xp")


# %%
x = rng.standard_normal(1000).astype(np.float32)  # (1000,)
difference = np.abs(softplus(far.asarray(x)).get() - softplus(x)).max()
lesson.report("difference between the machines", difference, "exact", predicted=0.0)

# %% [markdown]
# Here the two agree to the last bit because `far` computes with NumPy in the end. A real GPU adds
# in another order, with thousands of threads. How much can the order of a sum matter in float32?
# Each addition rounds to about 6e-8 of the running sum: one after the other, the errors of a
# million walk far. In a tree, pairs first, then pairs of sums, each number passes 20 additions
# only. GPUs add so, more or less. NumPy adds blocks of 128 numbers in eight running sums, and the
# blocks in a tree, some 30 additions for each number.

# %%
numbers = rng.random(10**5 if lesson.fast else 10**6, np.float32)
exact = numbers.sum(dtype=np.float64)
in_a_row = np.add.accumulate(numbers)[-1]  # one after the other
lesson.report("relative error, one after the other", abs(in_a_row / exact - 1), "x3")
lesson.report("relative error, blocks and a tree", abs(numbers.sum() / exact - 1), "any")

# %% [markdown]
# So a training on the GPU follows the one on the CPU within a band, not to the bit.
#
# Now the clock. A launch only writes into a queue: the host goes on after a few microseconds, while
# the device computes. Whoever reads the clock then has timed the writing. Waiting is a call of its
# own, `device.synchronise()`, and it belongs on both sides of what is timed: before, or the work of
# others is counted too. And the first call of a kernel compiles it, which happens once.


# %%
@lesson.exercise("24.2")
def seconds_of(f, device):  # device.clock() -> seconds, device.synchronise() waits
    """The seconds that one call of f takes on the device, when it is called often."""
    raise Todo("one call (or ten) to time, one before to warm up; wait on both sides of the clock")


# %%
device = Device()
work = 1e-3  # seconds of each call


def step():
    device.launch("convolution", work)


first = device.clock()
step()
naive_first, before = device.clock() - first, device.clock()
step()
naive = device.clock() - before
lesson.report("a clock that does not wait, us", naive * 1e6, "exact", predicted=5.0)
lesson.report("the same, first call, ms", naive_first * 1e3, "exact", predicted=200.005)
lesson.report("yours, us", seconds_of(step, device) * 1e6, "1%", predicted=1005.0)

# %% [markdown]
# The queue is also why a look at the loss can be dear: `loss.item()` needs a number on the host, so
# it waits. Let the host prepare each batch for 0.6 ms, then write 32 launches, 1 ms of work. Left
# alone, the host prepares the next batch while the device computes, and only the device counts. If
# the host looks after each step the two take turns. What does looking cost, in per cent?


# %%
def training(steps, look_every):
    """The pretended seconds of a training of 32 launches a step."""
    device = Device(compilation=0.0)
    for k in range(steps):
        device.host(0.6e-3)
        for launch in range(32):
            device.launch(launch, work / 32)
        if (k + 1) % look_every == 0:
            device.synchronise()
    device.synchronise()
    return device.clock()


alone, looking = training(100, 100), training(100, 1)
lesson.report("seconds, looking once", alone, "close", predicted=0.6e-3 + 5e-6 + 100 * work)
lesson.report("looking at each step", looking, "close", predicted=100 * (0.6e-3 + 5e-6 + work))
lesson.report("looking costs, %", 100 * (looking / alone - 1), "close")

# %% [markdown]
# Launches cost the same for one image as for a thousand. So there may be a batch below which the
# CPU wins: n images take n * cpu seconds here, and launches * launch + n * gpu there. (Real
# launches and computation overlap; take the worse case.) From which n on is the GPU faster?


# %%
@lesson.exercise("24.3")
def crossover(launches, launch, gpu, cpu):  # a number, and seconds: each launch, each image
    """The smallest n for which launches * launch + n * gpu < n * cpu; math.inf if there is none."""
    raise Todo("solve for n; the next whole number above, and math.inf where gpu is not below cpu")


# %% [markdown]
# Measure the CPU's side with a small convolutional autoencoder: a step takes n * cpu, and `python`
# besides, what Python needs for a step of any size. For the GPU take what a data sheet promises, 50
# times as fast for each image, with 60 launches of 5 us. That is a prediction, not a measurement:
# nothing in this lesson was timed on a GPU. Two cases. If Python calls each launch, `python` is
# paid on both sides and cancels. If the launches are captured once and replayed as one, only the
# CPU pays it. Guess for each: from which batch on does the GPU pay?

# %%
model = nn.Sequential(
    nn.Conv2D(1, 8, stride=2, activation="relu", rng=rng),
    nn.Conv2D(8, 16, stride=2, activation="relu", rng=rng),
    nn.Conv2DTranspose(16, 8, stride=2, activation="relu", rng=rng),
    nn.Conv2DTranspose(8, 1, stride=2, activation="sigmoid", rng=rng),
)
optimizer = optim.Adam(model.parameters())
batches = (1, 2, 4, 8, 16, 32) if lesson.fast else (1, 2, 4, 8, 16, 32, 64, 128)
measured = []
for n in batches:
    images = tensor(rng.random((n, 32, 32, 1), np.float32))  # (N, 32, 32, 1)

    def train(images=images):
        optimizer.zero_grad()
        l2_loss(model(images), images).backward()
        optimizer.step()

    train()  # to warm up
    measured.append(min(timeit.repeat(train, number=1, repeat=25)))  # nothing to wait for

cpu = (measured[-1] - measured[0]) / (batches[-1] - batches[0])  # seconds for one more image
python = measured[0] - cpu  # seconds of a step that no image explains
called = crossover(60, 5e-6, cpu / 50, cpu)  # python on both sides
replayed = next(n for n in range(1, 10**6) if 5e-6 + n * cpu / 50 < python + n * cpu)
lesson.report("CPU, us for one more image", cpu * 1e6, "any")
lesson.report("CPU, us of Python in a step", python * 1e6, "any")
lesson.report("the GPU would pay from batch, called from Python", called, "any")
lesson.report("the GPU would pay from batch, replayed", replayed, "any")

claim = f"The GPU would pay from batch {called} called from Python, {replayed} replayed"
lesson.draw("crossover", claim, batches, python, cpu, measured)

# %% [markdown]
# So what decides at small batches is not the arithmetic of either machine but who gives the orders.
# docs/gpu.md counts the launches of a training step, and minigrad/cuda/kernels has what they
# launch. If you have never read CUDA, begin with docs/first_kernel.md: a convolution of thirty
# lines, one thread for each number, and five steps from there to the kernels that train.

# %%
lesson.finish()
