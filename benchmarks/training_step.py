"""One training step (forward, backward, Adam) of the reference model and of a dense model, beside
PyTorch (eager, channels_last, compiled), TensorFlow (a graph, as the article's program) and JAX.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --only reference --native off

All begin with the same weights and see the same batch in every step, so they must show the same
losses; rounding parts them slowly. `pip install ".[parity,bench]"` brings what is beside minigrad;
what is not installed says so in its row.
"""

import argparse
import functools

import our_kernels
from dense_steps import jax_dense, minigrad_dense, tensorflow_dense, torch_dense
from interleaved import PASSIVE, compare, machine, table
from reference_steps import (
    in_a_graph,
    jax_reference,
    minigrad_convolutional,
    tensorflow_reference,
    torch_convolutional,
)

__all__ = ["in_a_graph", "minigrad_convolutional", "torch_convolutional"]  # for gpu_timing.py


def ours(step, batch, native):
    """minigrad's rows: as it comes, without compiled kernels where there are some, and with a graph
    recorded in every step."""
    part = functools.partial
    rows = {"minigrad": part(step, batch, captured=True, native=native != "off")}
    if native == "both" and our_kernels.compiled():
        rows["minigrad, NumPy's kernels"] = part(step, batch, captured=True, native=False)
    rows["minigrad, not captured"] = part(step, batch, native=native != "off")
    return rows


def reference(batch, native):
    part = functools.partial
    fast = dict(channels_last=True, fused=True)
    return {
        **ours(minigrad_convolutional, batch, native),
        "PyTorch": part(torch_convolutional, batch),
        "PyTorch, channels_last": part(torch_convolutional, batch, channels_last=True),
        "PyTorch, channels_last, fused Adam": part(torch_convolutional, batch, **fast),
        "PyTorch, the same, spinning": part(torch_convolutional, batch, **fast),
        "PyTorch, the same, compiled": part(torch_convolutional, batch, compiled=True, **fast),
        "TensorFlow, graph": part(tensorflow_reference, batch),
        "JAX, jit": part(jax_reference, batch),
    }


def dense(batch, native):
    part = functools.partial
    return {
        **ours(minigrad_dense, batch, native),
        "PyTorch": part(torch_dense, batch),
        "PyTorch, fused Adam": part(torch_dense, batch, fused=True),
        "PyTorch, the same, spinning": part(torch_dense, batch, fused=True),
        "PyTorch, the same, compiled": part(torch_dense, batch, compiled=True, fused=True),
        "TensorFlow, graph": part(tensorflow_dense, batch),
        "JAX, jit": part(jax_dense, batch),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batch", type=int, default=50, help="of the reference model")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", choices=("reference", "dense"), help="one of the two models")
    parser.add_argument("--native", choices=("both", "on", "off"), default="both",
                        help="minigrad's compiled kernels, where it has some")  # fmt: skip
    parser.add_argument("--without", nargs="*", default=[], metavar="WORD",
                        help="leave out the rows in whose names one of these is")  # fmt: skip
    options = parser.parse_args()
    models = {
        "reference": (3, f"reference model, batch {options.batch}", reference, options.batch, 1),
        "dense": (30, "dense 784-64-784, batch 256", dense, 256, 2),
    }
    print(f"{machine()}\n{our_kernels.sentence()}")
    for name, (steps, title, programs, batch, digits) in models.items():
        if options.only not in (None, name):
            continue
        chosen = {
            each: program
            for each, program in programs(batch, options.native).items()
            if not any(word in each for word in options.without)
        }
        passive = {each: PASSIVE for each in chosen if "spinning" not in each}
        results = compare(chosen, options.rounds, steps, environments=passive)
        print(f"\n{table(title, results, 'minigrad', digits, losses=(1, 10, -1))}", flush=True)


if __name__ == "__main__":
    main()
