"""A user's program, as type checkers see it: each `assert_type` is checked by mypy, by pyright, and
by tests/typing/test_types.py, which runs it. At the end: what they must refuse.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnusedExpression=false
# pyright: reportPrivateImportUsage=false, reportUnknownLambdaType=false

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np

import autoencoder
import minigrad as mg
from autoencoder import codec, datasets, evaluation
from minigrad import Tensor, losses, nn, optim
from minigrad.backend import Array

RNG = np.random.default_rng(0)


def tensors() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a = np.ones((2, 2))
    assert_type(x, Tensor)
    assert_type(x.shape, tuple[int, ...])
    assert_type(x.requires_grad, bool)
    assert_type(x.device, str)
    # operators, with an array or a number on either side
    for y in (x + x, x - 1, 2.0 * x, 1 / x, x**2, -x, abs(x), x % 2, x @ x):
        assert_type(y, Tensor)
    assert_type(a + x, Tensor)
    assert_type(a @ x, Tensor)
    assert_type(1 - x, Tensor)
    assert_type(x > 2, Array)
    assert_type(x == x, Array)
    assert_type(x[0], Tensor)
    assert_type(x[:, None], Tensor)
    assert_type(x[x > 2], Tensor)
    # methods that are put on the class
    assert_type(x.sum(), Tensor)
    assert_type(x.mean(axis=0, keepdims=True), Tensor)
    assert_type(x.exp().log().tanh().sigmoid().relu().sqrt(), Tensor)
    assert_type(x.clip(0.0, 1.0), Tensor)
    assert_type(x.reshape(4), Tensor)
    assert_type(x.reshape((1, -1)), Tensor)
    assert_type(x.transpose(1, 0).T.flatten(), Tensor)
    assert_type(x.astype(np.float32), Tensor)
    assert_type(x.argmax(), Any)  # a number, and with an axis an array
    assert_type(x.split(2), list[Tensor])
    assert_type(x.detach().numpy(), Array)
    assert_type(np.exp(x), Any)
    x.sum().backward()
    if x.grad is not None:
        assert_type(x.grad, Tensor)
    with mg.no_grad():
        x.data -= 0.1
    for row in x:
        assert_type(row, Tensor)


def functions() -> None:
    x, w, a = (
        mg.tensor([[1.0, 2.0]], requires_grad=True),
        mg.tensor(np.ones((2, 2))),
        np.ones((2, 2)),
    )
    # of one array: a Tensor of a Tensor, an array of an array
    assert_type(mg.exp(x), Tensor)
    assert_type(mg.exp(a), Array)
    assert_type(mg.sum(x, axis=1, keepdims=True), Tensor)
    assert_type(mg.max(a, 0), Array)
    assert_type(mg.softmax(x), Tensor)
    assert_type(mg.gelu(x, approximate="tanh"), Tensor)
    assert_type(mg.var(a, ddof=1), Array)
    assert_type(mg.reshape(x, (2, 1)), Tensor)
    assert_type(mg.getitem(x, 0), Tensor)
    assert_type(mg.sign(a), Array)
    # of several: a Tensor where one of them is
    assert_type(mg.add(a, x), Tensor)
    assert_type(mg.add(x, 1.0), Tensor)
    assert_type(mg.add(a, 1.0), Array)
    assert_type(mg.maximum(0.0, x), Tensor)
    assert_type(mg.where(a > 0, x, 0.0), Tensor)
    assert_type(mg.where(a > 0, a, 0.0), Array)
    assert_type(mg.matmul(a, w), Tensor)
    assert_type(mg.dense(a, w, None, activation="relu"), Tensor)
    assert_type(mg.dense(a, a), Array)
    assert_type(mg.einsum("ij,jk->ik", x, a), Tensor)
    assert_type(mg.concatenate([x, x], axis=1), Tensor)
    assert_type(mg.stack([a, a]), Array)
    assert_type(mg.layer_norm(x), Tensor)
    images, kernel = np.ones((1, 4, 4, 1)), mg.tensor(np.ones((3, 3, 1, 2)))
    assert_type(mg.conv2d(images, kernel, stride=2, padding="same"), Tensor)
    assert_type(mg.conv2d(images, np.ones((3, 3, 1, 2))), Array)
    assert_type(mg.max_pool2d(images, 2), Array)
    assert_type(mg.resize_bicubic(mg.tensor(images), (2, 2)), Tensor)
    assert_type(mg.dropout(x, 0.5, RNG), Tensor)
    assert_type(losses.mse_loss(x, a[:1]), Tensor)
    assert_type(losses.l2_loss(prediction=a, target=a), Array)
    assert_type(losses.cross_entropy(x, np.array([1])), Tensor)


def square(x: Tensor) -> Tensor:
    return x * x


def derivatives() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    assert_type(mg.grad(x * x, x), Tensor)
    assert_type(mg.grad(x * x, [x]), list[Tensor])
    assert_type(mg.grad(square)(3.0), Tensor)
    value, slope = mg.value_and_grad(square)(3.0)
    assert_type(value, Tensor)
    assert_type(slope, Tensor)
    y, pullback = mg.vjp(square, np.ones(2))
    assert_type(y, Tensor)
    assert_type(pullback(np.ones(2)), list[Tensor])
    assert_type(mg.jvp(square, [np.ones(2)], [np.ones(2)])[1], Tensor)
    assert_type(mg.jacobian(square, np.ones(2)), Tensor)
    assert_type(mg.testing.gradcheck(square, [np.ones(2)], order=2), float)

    @mg.primitive("one array", x=lambda g, x: g * 3 * x * x)
    def cube(x: Array, scale: float = 1.0) -> Array:
        return np.asarray(x**3 * scale)

    assert_type(cube(x), Tensor)
    assert_type(cube(np.ones(2), 2.0), Array)
    assert_type(cube.name, str)

    @mg.no_grad()
    def constant(x: Tensor) -> Tensor:
        return x * 2

    assert_type(constant(x), Tensor)


class Classifier(nn.Module):
    """A model of one's own."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.first = nn.Conv2D(1, 4, stride=2, activation="relu", rng=rng)
        self.norm = nn.BatchNorm2D(4)
        self.last = nn.Dense(64, 10, weight_init="he_normal", rng=rng)

    def forward(self, x: Tensor | Array, scale: float = 1.0) -> Tensor:
        h = mg.relu(self.norm(self.first(x)))
        assert_type(self.first(x), Tensor)
        return self.last(mg.flatten(h, 1)) * scale


def training() -> None:
    model = Classifier(RNG)
    body = nn.Sequential(
        nn.Flatten(), nn.Dense(4, 3, rng=RNG), nn.ReLU(), nn.MaxPool2D(2, stride=1)
    )
    assert_type(body[2:3], Any)
    assert_type(nn.LeakyReLU(0.2), nn.LeakyReLU)
    assert_type(model.eval().train(), Classifier)
    assert_type(model.parameters(), list[nn.Parameter])
    assert_type(model.state_dict(), dict[str, Array])
    schedule: Callable[[int], float] = optim.Warmup(optim.CosineDecay(0.01, 100), 10)
    optimizer = optim.AdamW(model.parameters(), lr=schedule, weight_decay=0.01)
    x, labels = np.ones((4, 8, 8, 1), np.float32), np.zeros(4, int)
    for batch, targets in mg.data.Batches(x, labels, batch_size=2, rng=RNG):
        optimizer.zero_grad()
        loss = losses.cross_entropy(model(batch), targets)
        (loss + optim.l2_penalty(model.parameters(), 1e-4)).backward()
        assert_type(optim.clip_grad_norm(model.parameters(), 1.0), float)
        optimizer.step()
    groups: list[dict[str, Any]] = [{"params": model.parameters(), "lr": 0.1}]
    optim.SGD(groups, lr=0.1, momentum=0.9).step()
    with tempfile.TemporaryDirectory() as folder:
        mg.checkpoint.save(Path(folder) / "model.npz", model, {"epochs": 1})
        assert_type(mg.checkpoint.load(f"{folder}/model.npz", into=model).about, dict[str, Any])
    assert_type(mg.interchange.to_torch_state_dict(nn.Dense(2, 1, rng=RNG)), dict[str, Array])


def estimators() -> None:
    images = datasets.load_digits().images
    X = images.reshape(len(images), -1)[:64]
    model = autoencoder.Autoencoder(4, hidden=(16,), max_epochs=2, random_state=0).fit(X)
    assert_type(model, autoencoder.Autoencoder)
    assert_type(model.transform(X), Array)
    assert_type(model.inverse_transform(model.transform(X)), Array)
    assert_type(model.score(X), float)
    variational = autoencoder.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(X)
    assert_type(variational, autoencoder.VariationalAutoencoder)
    assert_type(variational.elbo(X), Array)
    assert_type(variational.sample(3, random_state=0), Array)
    autoencoder.DenoisingAutoencoder(noise=autoencoder.MaskingNoise(rate=0.5))
    autoencoder.SparseAutoencoder(penalty=autoencoder.KLSparsity(target=0.1))
    detector = autoencoder.AutoencoderAnomalyDetector(model, contamination=0.05).fit(X)
    assert_type(detector, autoencoder.AutoencoderAnomalyDetector)
    assert_type(detector.predict(X), Array)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.npz")
        again = autoencoder.load(f"{folder}/model.npz")
        if isinstance(again, autoencoder.Autoencoder):
            assert_type(again.reconstruct(X), Array)
        assert_type(autoencoder.Autoencoder.load(f"{folder}/model.npz"), autoencoder.Autoencoder)
    coder = codec.Codec(model, codec.usual_step(model, X)).fit(X)
    data = coder.compress(X[:8])
    assert_type(data, bytes)
    assert_type(coder.decompress(data), Array)
    assert_type(evaluation.active_units(variational.posterior(X)[0]), int)
    assert_type(evaluation.ladder(X, (1, 2)), dict[str, float])
    labels = np.arange(64) % 4
    train, test = datasets.within_group(labels, 4, RNG)
    assert_type(train, Array)
    probed = evaluation.knn_accuracy(X[train], labels[train], X[test], labels[test])
    assert_type(probed, float)
    assert_type(model.history_, dict[str, list[Any]])
    assert_type(model.noise_variance_, float)


def main() -> None:
    tensors()
    functions()
    derivatives()
    training()
    estimators()


if TYPE_CHECKING:  # each line is an error; one that is none is an error, too
    t = mg.tensor([1.0])
    mg.exp("x")  # type: ignore[type-var]
    mg.sum(t, axes=0)  # type: ignore[call-arg]
    mg.sum(t, axis="rows")  # type: ignore[arg-type]
    mg.add(t)  # type: ignore[call-arg]
    mg.dense(t)  # type: ignore[call-arg]
    mg.conv2d(t, t, strides=2)  # type: ignore[call-arg]
    mg.no_such_function(t)  # type: ignore[attr-defined]
    t.backwards()  # type: ignore[attr-defined]
    t.shape = (2,)  # type: ignore[misc]
    t[0] = 1.0  # type: ignore[assignment]
    t + "x"  # type: ignore[operator]
    t.reshape("x")  # type: ignore[arg-type]
    nn.Dense(2, "3", rng=RNG)  # type: ignore[arg-type]
    nn.Dense(2, 3)  # type: ignore[call-arg]
    nn.ReLU(0.2)  # type: ignore[call-arg]
    nn.MaxPool2D(kernel_size=2)  # type: ignore[call-arg]
    optim.Adam(t, beta=0.9)  # type: ignore[call-arg]
    losses.mse_loss(t, t, reduction=1)  # type: ignore[arg-type]
    autoencoder.NoSuchAutoencoder()  # type: ignore[attr-defined]
    autoencoder.Autoencoder(8, max_epoch=3)  # type: ignore[call-arg]
    autoencoder.MaskingNoise(rate="half")  # type: ignore[arg-type]
    datasets.load_digits(8)  # type: ignore[call-arg]

if __name__ == "__main__":
    main()
