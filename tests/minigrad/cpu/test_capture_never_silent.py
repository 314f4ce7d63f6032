"""What a step does twice alike with one batch, and otherwise with the next, is not replayed in
silence: it is refused when it is noted, or a replay does it too."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.cpu import Captured


def noted(function, calls=4):
    """A captured step that has been noted on one and the same batch."""
    step = Captured(function)
    for _ in range(calls):
        step()
    return step


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_made_in_the_step_is_refused(copied):
    x = mg.tensor(np.ones(3))
    with pytest.raises(RuntimeError, match="a copy or a pickle of x"):
        noted(lambda: (copied(x) * 2).sum())


def test_how_many_elements_a_mask_takes_is_not_replayed():
    x = mg.tensor(np.arange(-2.0, 3.0))
    with pytest.raises(RuntimeError, match="how many elements a mask takes"):
        noted(lambda: x[x > 0].mean())


def test_a_leaf_made_in_the_step_is_returned_anew():
    x = mg.tensor(np.ones(3))

    def step():
        h = mg.tensor(x.detach(), requires_grad=True)
        (h * h).sum().backward()
        return h, h.grad

    step = noted(step)
    x.data[...] = 5
    h, slope = step()
    assert (h.data.tolist(), slope.data.tolist()) == ([5.0] * 3, [10.0] * 3)


def test_a_gradient_that_is_there_later_is_not_overwritten():
    x, w = mg.tensor(np.ones(3)), mg.tensor(np.ones(3), requires_grad=True)
    step = Captured(lambda: (w * x).sum().backward())
    for _ in range(5):
        w.grad = None
        step()
    assert step._record is not None
    with pytest.raises(RuntimeError, match="gradients of an earlier call"):
        step()
    assert w.grad.data.tolist() == [2.0] * 3


@pytest.mark.parametrize("index", [-1, 4])
def test_a_replay_looks_at_indices(index):
    rng = np.random.default_rng(0)
    places, y = np.zeros(2, np.int64), mg.tensor(np.zeros((2, 4)))
    table = nn.Embedding(4, 3, rng=rng)
    steps = [
        (noted(lambda: table(places).sum()), "embedding: expected integers from 0 to 3"),
        (noted(lambda: mg.losses.cross_entropy(y, places)), "class numbers must be from 0 to 3"),
    ]
    places[0] = index
    for step, words in steps:
        assert step._record is not None
        with pytest.raises((IndexError, ValueError), match=words):
            step()


def test_a_replay_looks_at_probabilities():
    p, t = mg.tensor(np.full(3, 0.5)), np.zeros(3)
    for y in (t, mg.tensor(t)):
        step = noted(lambda y=y: mg.losses.binary_cross_entropy(p, y))
        assert step._record is not None
        (y if y is t else y.data)[...] = 2
        with pytest.raises(ValueError, match="targets must lie in"):
            step()


def test_an_embedding_of_what_the_step_computes():
    x, table = mg.tensor(np.eye(3)[:2]), mg.tensor(np.arange(3.0)[:, None])
    step = noted(lambda: mg.embedding(mg.argmax(x, axis=1), table))
    assert step().data.tolist() == [[0.0], [1.0]]
    x.data[...] = np.eye(3)[1:]
    assert step().data.tolist() == [[1.0], [2.0]]


class Trainer:
    def __init__(self):
        self.w, self.x = mg.tensor(np.ones(3), requires_grad=True), mg.tensor(np.ones(3))
        self.optimizer = optim.SGD([self.w], lr=0.1)
        self.score, self.step = Captured(self._score), Captured(self._step)

    def _score(self):
        return (self.x * 2).sum()

    def _step(self):
        loss = (self.w * self.x).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_captured_step_reads_its_own_arrays(copied):
    trainer = Trainer()
    for _ in range(4):
        trainer.score(), trainer.step()
    other, before = copied(trainer), trainer.w.data.copy()
    other.x.data[...] = 7
    for _ in range(4):
        assert other.score().item() == 42.0
        other.step()
    assert other.step._record is not None
    assert trainer.w.data.tolist() == before.tolist()
    assert trainer.score().item() == 6.0


READERS = {
    "embedding": lambda x, i: mg.embedding(i, x),
    "cross_entropy": lambda x, i: mg.losses.cross_entropy(x, i),
    "argmax": lambda x, i: mg.embedding(mg.argmax(x, axis=1), mg.tensor(np.eye(3))),
    "sort": lambda x, i: mg.sort(x),
    "astype": lambda x, i: i.astype(np.float64),
    "tensor": lambda x, i: mg.tensor(x) * 2,
    "compare": lambda x, i: mg.where(x > 0, 1.0, 0.0),
    "compare with": lambda x, i: mg.where(mg.tensor(np.zeros((3, 3))) < x, 1.0, 0.0),
    "of NumPy": lambda x, i: mg.where(np.signbit(x), 1.0, 0.0),
}


@pytest.mark.parametrize("name", READERS)
def test_new_data_of_a_tensor_counts(name):
    x, i = mg.tensor(-np.eye(3)), mg.tensor(np.zeros(3, np.int64))
    step = noted(lambda: READERS[name](x, i))
    assert step._record is not None
    x.data = np.array([[1.0, 2.0, 8.0], [0.0, 1.0, -1.0], [3.0, 3.0, 9.0]])
    i.data = np.array([2, 2, 1])
    np.testing.assert_array_equal(step().data, READERS[name](x, i).data)
