"""Adam's update of one block, compiled: everything is read and written once."""

import math

from ..cpu.optim import updates
from ..optim import Adam
from .library import address, library, usable


def update(optimizer, w, g, *, t, m, v, **settings):
    """See `minigrad.optim.Adam.update`."""
    if settings["amsgrad"] or not usable(w, g, m, v):
        Adam.update(optimizer, w, g, t=t, m=m, v=v, **settings)
        return
    lr, (beta1, beta2), epsilon = (settings[name] for name in ("lr", "betas", "epsilon"))
    g = optimizer.decay(w, g, lr, settings["weight_decay"])
    correction = math.sqrt(1 - beta2**t)
    size = lr * correction / (1 - beta1**t)
    if not settings["epsilon_hat"]:
        epsilon *= correction
    library.adam(*map(address, (w, g, m, v)), w.size, beta1, beta2, size, epsilon)


updates[Adam.update] = update
