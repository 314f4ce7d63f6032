"""Whether gradients flow through an answer that lessons train through."""

import copy
import inspect

import numpy as np

import minigrad as mg


def cut_off(f, case, reference, library, h=1e-5):
    """What is wrong with the gradients from ``f(*case)`` to the Tensors in `case`, or None.

    They are taken along a random direction and compared with the slope of `reference`, measured by
    central differences; `library` has the names of the arguments.
    """
    places = [k for k, x in enumerate(case) if isinstance(x, mg.Tensor)]
    if not places:
        return None
    inputs, rng = copy.deepcopy(case), np.random.default_rng(len(places))
    answer = f(*inputs)
    g = rng.standard_normal(answer.shape)
    found = [None] * len(places)
    if answer.requires_grad:
        leaves = [inputs[k] for k in places]
        found = mg.grad(answer, leaves, mg.tensor(g), allow_unused=True)
    names, total = list(inspect.signature(library).parameters), 0.0
    ahead, behind = list(copy.deepcopy(case)), list(copy.deepcopy(case))
    for k, slope in zip(places, found, strict=True):
        if slope is None:
            return (
                f"the value is right, but no gradient flows from it to {names[k]}, and training "
                "would learn nothing of it: somewhere it became an array (.numpy(), .data, "
                ".detach()), so compute with Tensors throughout"
            )
        v = rng.standard_normal(case[k].shape)
        total += float(np.sum(slope.numpy() * v))
        ahead[k], behind[k] = case[k].numpy() + h * v, case[k].numpy() - h * v
    rise = np.asarray(reference(*ahead)) - np.asarray(reference(*behind))
    measured = float(np.sum(g * rise) / (2 * h))
    if abs(total - measured) <= 1e-6 * max(1.0, abs(measured)):
        return None
    return (
        "the value is right, but the gradient that flows through it is not: along a random "
        f"direction it gives the slope {total:.8g}, measured {measured:.8g}; a part of the "
        "formula is cut off from its inputs (.numpy(), .data, .detach())"
    )
