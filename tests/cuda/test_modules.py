"""Proves that a Module moves to the device and back whole: parameters, buffers, containers."""

import numpy as np
from device import installed

import minigrad as mg
from minigrad.nn import Buffer, Dense, Module, ModuleDict, ModuleList, Parameter


class Deep(Module):
    """Parameters and buffers in every place where a Module may have them."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.mean = Buffer(np.arange(3))
        self.scales = [Parameter(np.ones(2)), {"inner": Buffer(np.ones(1))}]
        self.heads = ModuleDict({"a": ModuleList([Dense(2, 2, rng=rng)])})


def test_everything_moves_and_comes_back():
    model = Deep()
    before, held = model.state_dict(), [*model.parameters(), *model.buffers()]
    assert len(held) == len(before) == 5
    with installed():
        model.to("cuda")
        assert {t.device for t in held} == {"cuda"}
        assert isinstance(model.mean, Buffer) and not model.mean.requires_grad
        assert all(type(a) is np.ndarray for a in model.state_dict().values())
        model.mean = mg.tensor(np.arange(3) + 1).to("cuda")
        model.load_state_dict({n: a + 1 for n, a in model.state_dict().items()})
        assert {t.device for t in held} == {"cuda"}
        model.to("cpu")
    assert {t.device for t in held} == {"cpu"}
    after = model.state_dict()
    np.testing.assert_array_equal(after.pop("mean"), [2, 3, 4])
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name] + 1)
