"""One training step (forward, backward, Adam) of the reference model and of a dense model, against
PyTorch: eager, eager in channels_last, and torch.compile.

    python benchmarks/training_step.py
"""

import argparse
import functools

import numpy as np
from interleaved import compare, machine

from autoencoder import olivetti
from autoencoder.networks import Sizes, build
from autoencoder.objective import loss_terms
from autoencoder.parts import assemble
from minigrad import losses, nn, optim, tensor


def images(batch):
    return np.random.default_rng(0).random((batch, 32, 32, 1), np.float32)


def minigrad_convolutional(batch, device="cpu"):
    """The step that ``autoencoder/training.py`` makes with the reference model."""
    settings, parts = olivetti.settings(batch_size=batch), assemble(code="sigmoid")
    sizes, rng = Sizes(1024, 256, image_shape=(32, 32, 1)), np.random.default_rng(0)
    network = build(sizes, parts.code, rng, network="olivetti").to(device)
    optimizer = optim.Adam(network.parameters(), **settings["solver_options"])
    x = tensor(images(batch).reshape(batch, 1024), device=device)

    def step():
        terms, _ = loss_terms(network, parts, x, x, None, {})
        loss = terms["reconstruction"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


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
    batch, channels_last=False, compiled=False, device="cpu", mode=None, graphed=False
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

    torch.manual_seed(0)
    model = Network().to(device)
    x = torch.tensor(images(batch), device=device).permute(0, 3, 1, 2).contiguous()
    if channels_last:
        model, x = (v.to(memory_format=torch.channels_last) for v in (model, x))
    in_graph = dict(fused=True, capturable=True) if graphed else {}
    optimizer = torch.optim.Adam(model.parameters(), **in_graph)
    network = torch.compile(model, mode=mode) if compiled else model

    def step():
        loss = ((network(x) - x) ** 2).sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return in_a_graph(step) if graphed else step


def minigrad_dense(batch):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(784, 64, activation="relu", rng=rng), nn.Dense(64, 784, rng=rng))
    optimizer = optim.Adam(model.parameters())
    x = tensor(rng.random((batch, 784), np.float32))

    def step():
        loss = losses.binary_cross_entropy_with_logits(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def torch_dense(batch, compiled=False):
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(784, 64), torch.nn.ReLU(), torch.nn.Linear(64, 784))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.tensor(np.random.default_rng(0).random((batch, 784), np.float32))
    network = torch.compile(model) if compiled else model
    loss_function = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def step():
        loss = loss_function(network(x), x) / batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batch", type=int, default=50, help="of the reference model")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    options = parser.parse_args()
    part, batch = functools.partial, options.batch
    models = {
        f"reference model, batch {batch}, float32": (3, {
            "minigrad": part(minigrad_convolutional, batch),
            "PyTorch eager": part(torch_convolutional, batch),
            "PyTorch channels_last": part(torch_convolutional, batch, channels_last=True),
            "PyTorch compiled": part(torch_convolutional, batch, compiled=True),
        }),
        "dense 784-64-784, batch 256, float32": (30, {
            "minigrad": part(minigrad_dense, 256),
            "PyTorch eager": part(torch_dense, 256),
            "PyTorch compiled": part(torch_dense, 256, compiled=True),
        }),
    }  # fmt: skip
    print(machine())
    for title, (steps, programs) in models.items():
        if options.no_compile:
            programs = {name: p for name, p in programs.items() if "compiled" not in name}
        results = compare(programs, options.rounds, steps)
        print(f"\n{title}\n{'':24}{'median ms':>10}{'least ms':>10}{'peak MB':>9}  minigrad / it")
        mine = results["minigrad"][0]
        for name, result in results.items():
            if isinstance(result, str):
                print(f"{name:24}could not be run: {result}")
                continue
            middle, least, memory = result
            times = f"{middle * 1e3:10.2f}{least * 1e3:10.2f}"
            print(f"{name:24}{times}{memory:9.0f}{mine / middle:15.2f}")


if __name__ == "__main__":
    main()
