"""A long run that goes on after an interruption from what it saved."""

import numpy as np

from minigrad import checkpoint


class Saved:
    """The state of a training in a file, kept only for the same `settings`.

    ``start = saved.restore(modules, optimizer, rng, lists)`` gives the number of rounds that are
    done, 0 at first; ``saved.keep(...)`` after each round, and ``saved.forget()`` at the end.
    """

    def __init__(self, path, settings):
        self.path, self.settings = path, {k: _plain(v) for k, v in settings.items()}

    def keep(self, parameters, optimizer, rng, lists):
        """Write everything that the next round depends on; `lists` are lists of numbers by name."""
        arrays = {f"parameter_{k}": p.numpy() for k, p in enumerate(parameters)}
        arrays |= {f"optimizer_{k}": v for k, v in optimizer.state_dict().items()}
        arrays |= {f"list_{name}": np.asarray(values) for name, values in lists.items()}
        about = {"settings": self.settings, "rng": rng.bit_generator.state}
        checkpoint.save(self.path, arrays, about)

    def restore(self, parameters, optimizer, rng, lists):
        """Put the saved state into place; False if there is none of these settings."""
        try:
            arrays, about = checkpoint.load(self.path)
        except (OSError, ValueError):
            return False
        if about.get("settings") != self.settings:
            return False
        for k, p in enumerate(parameters):
            p.data[...] = arrays[f"parameter_{k}"]
        optimizer.load_state_dict(_part(arrays, "optimizer_"))
        rng.bit_generator.state = about["rng"]
        for name, values in _part(arrays, "list_").items():
            lists[name][:] = list(values)
        return True

    def forget(self):
        self.path.unlink(missing_ok=True)


def _part(arrays, prefix):
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _plain(x):
    return list(x) if isinstance(x, tuple) else x
