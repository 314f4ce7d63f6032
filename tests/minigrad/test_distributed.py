"""Proves that `AllReduce` and what belongs to the whole batch do on several ranks what one process
does, that ranks which differ are found, and that each kind of communicator is spoken to rightly."""

import sys
import types

import numpy as np
import pytest
from ranks import on_ranks

import minigrad as mg
from minigrad import distributed, nn, optim
from minigrad.distributed import AllReduce, communicator, exchanged
from minigrad.whole_batch import (
    Draws,
    Share,
    all_reduce,
    gathered,
    weight_of_share,
    whole_count,
    whole_mean,
    whole_sum,
)

rng = np.random.default_rng(0)
X, W = rng.normal(size=(10, 5)), rng.normal(size=(5, 3))


# ---------------------------------------------------------------------- shares
@pytest.mark.parametrize(("n", "size"), [(10, 3), (4, 4), (1, 3), (5, 8), (7, 1)])
def test_shares_are_all_of_the_batch(n, size):
    shares = [Share(types.SimpleNamespace(rank=k, size=size), n) for k in range(size)]
    rows = [i for s in shares for i in np.arange(n)[s.rows][: s.count]]
    assert rows == list(range(n))
    assert sum(s.weight for s in shares) == pytest.approx(1, abs=1e-15)
    assert max(s.count for s in shares) - min(s.count for s in shares) <= 1
    assert all(len(np.arange(n)[s.rows]) == max(s.count, 1) for s in shares)


def of_all(function, n, size):
    """``function(rows)`` on the ranks, each within its share of a batch of `n`."""

    def run(comm):
        with Share(comm, n) as share:
            return function(share.rows)

    return on_ranks(size, run)


@pytest.mark.parametrize(("n", "size"), [(10, 3), (2, 3), (10, 1)])
def test_sums_means_and_rows_of_the_whole_batch(n, size):
    x = X[:n]
    for got in of_all(lambda r: whole_sum(x[r].sum(axis=0)), n, size):
        np.testing.assert_allclose(got, x.sum(axis=0), rtol=1e-14)
    for got in of_all(lambda r: whole_mean(x[r].mean(axis=0)), n, size):
        np.testing.assert_allclose(got, x.mean(axis=0), rtol=1e-13, atol=1e-15)
    for got in of_all(lambda r: gathered(x[r]), n, size):
        np.testing.assert_array_equal(got, x)
    assert of_all(lambda r: whole_count(x[r].size), n, size) == [x.size] * size
    assert sum(of_all(lambda r: weight_of_share(), n, size)) == pytest.approx(1)


def test_without_a_share_they_are_what_they_are_given():
    assert whole_sum(X) is X and whole_mean(X) is X and gathered(X) is X and whole_count(7) == 7
    assert weight_of_share() == 1 and gathered(None) is None
    expected = np.random.default_rng(3).normal(size=4)
    np.testing.assert_array_equal(Draws(np.random.PCG64(3)).normal(size=4), expected)


@pytest.mark.parametrize("order", [1, 2])
def test_the_derivative_goes_through_all_ranks(order):
    """Of sum_r w_r sum((x_r - mean of all)^4), by autodiff of the whole at once."""

    def loss(x, mean):
        d = x - mean
        return (d * d * d * d).sum(axis=1).mean()

    v = rng.normal(size=X.shape)

    def directed(x, f):
        """The gradient of f, or of <its gradient, v>."""
        (g,) = mg.grad(f(x), [x], create_graph=order == 2)
        return g if order == 1 else mg.grad((g * v[: len(g)]).sum(), [x])[0]

    whole = mg.tensor(X, requires_grad=True)
    (g,) = mg.grad(loss(whole, whole.mean(axis=0)), [whole], create_graph=True)
    expected = g if order == 1 else mg.grad((g * v).sum(), [whole])[0]

    def run(comm):
        with Share(comm, 10) as share:
            x = mg.tensor(X[share.rows], requires_grad=True)
            mean = whole_mean(x.mean(axis=0))
            (g,) = mg.grad(loss(x, mean) * share.weight, [x], create_graph=True)
            return (g if order == 1 else mg.grad((g * v[share.rows]).sum(), [x])[0]).numpy()

    got = np.concatenate(on_ranks(3, run))
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(2, 4), (6, 4)], ids=["a draw each", "three draws each"])
@pytest.mark.parametrize("name", ["random", "standard_normal"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_are_those_of_the_whole_batch(shape, name, dtype):
    times = shape[0] // 2
    whole = getattr(np.random.default_rng(5), name)((times * 6, 4), dtype=dtype)
    whole = whole.reshape(times, 6, 4)

    def run(comm):
        draws = Draws(np.random.default_rng(5).bit_generator)
        with Share(comm, 6):
            got = getattr(draws, name)(shape, dtype=dtype)
        return got.reshape(times, 2, 4), draws.random()

    results = on_ranks(3, run)
    np.testing.assert_array_equal(np.concatenate([r for r, _ in results], axis=1), whole)
    assert len({after for _, after in results}) == 1  # all at one place of the stream


@pytest.mark.parametrize("size", [(3, 4), 3, None, ()])
def test_draws_whose_first_axis_is_not_the_batch_are_refused(size):
    def run(comm):
        with Share(comm, 4), pytest.raises(ValueError, match="the first axis must be the batch"):
            Draws(np.random.PCG64(0)).random(size)

    on_ranks(2, run)


@pytest.mark.parametrize("layer", [nn.BatchNorm1D, nn.BatchNorm2D])
@pytest.mark.parametrize("size", [2, 4])
def test_batch_norm_has_the_statistics_of_the_whole_batch(layer, size):
    shape = (3, 2) if layer is nn.BatchNorm1D else (3, 4, 2, 2)
    x, v = rng.normal(size=shape), rng.normal(size=shape)

    def run(rows, weight=1.0):
        module = layer(2, dtype=np.float64)
        seen = mg.tensor(x[rows], requires_grad=True)
        loss = (module(seen) * v[rows]).sum() / len(x[rows])
        (g,) = mg.grad(loss * weight, [seen])
        return g.numpy(), module.state_dict()

    expected, state = run(slice(None))

    def on_a_rank(comm):
        with Share(comm, 3) as share:
            g, s = run(share.rows, share.weight)
            return g[: share.count], s

    results = on_ranks(size, on_a_rank)
    got = np.concatenate([g for g, _ in results])
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-13)
    for _, s in results:
        for name, value in state.items():
            np.testing.assert_allclose(s[name], value, rtol=1e-13)


def test_batch_norm_of_one_row_in_all_is_refused():
    def run(comm):
        with Share(comm, 1), pytest.raises(ValueError, match="one value for each channel"):
            nn.BatchNorm1D(5, dtype=np.float64)(X[:1])

    on_ranks(2, run)


# ---------------------------------------------------------------------- the optimizer
OPTIMIZERS = {
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.1),
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, centered=True),
}


def steps(optimizer, w, b, rows_of, count=4):
    """Some steps on batches of 10, 3 and 1 rows."""
    for k in range(count):
        x = X[: (10, 3, 1)[k % 3]]
        with rows_of(len(x)) as share:
            loss = (mg.tanh(x[share.rows] @ w + b) ** 2).sum(axis=1).mean()
            optimizer.zero_grad()
            loss.backward(share.weight)
            optimizer.step()
    return w.numpy().copy(), b.numpy().copy(), optimizer.state_dict()


def weights():
    return mg.tensor(W, True), mg.tensor(np.zeros(3), True)


class Alone:
    rank, size = 0, 1

    def sum(self, array):
        pass

    def abort(self, sentence):
        pass


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_steps_are_those_of_one_process(name, size):
    pair = weights()
    expected = steps(OPTIMIZERS[name](pair), *pair, lambda n: Share(Alone(), n))

    def run(comm):
        pair = weights()
        optimizer = AllReduce(OPTIMIZERS[name](pair), comm, check_every=1)
        return steps(optimizer, *pair, optimizer.share)

    first, *others = on_ranks(size, run)
    for got, want in zip(first[:2], expected[:2], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    assert first[2].keys() == expected[2].keys() and first[2]["t"] == 4
    for other in others:
        for a, b in zip(other[:2], first[:2], strict=True):
            np.testing.assert_array_equal(a, b)


def test_one_message_a_step():
    def run(comm):
        pair = weights()
        optimizer = AllReduce(optim.SGD(pair, lr=0.1), comm)
        steps(optimizer, *pair, optimizer.share, count=3)
        return comm.meeting.sums, comm.meeting.numbers

    assert on_ranks(2, run)[0] == (3, 3 * (15 + 3 + 2))  # weights, biases, who has a gradient


def test_a_parameter_has_a_gradient_where_any_rank_has_one():
    def run(comm):
        a, b = weights()
        optimizer = AllReduce(optim.SGD([a, b], lr=1.0), comm)
        if comm.rank == 1:
            (a * 3).sum().backward()
        sums = optimizer.step([comm.rank, 0.5])
        return a.numpy(), b.grad, sums.tolist()

    for a, grad, sums in on_ranks(3, run):
        np.testing.assert_array_equal(a, W - 3)
        assert grad is None and sums == [3, 1.5]


def test_what_else_an_optimizer_has_is_that_of_the_one_inside():
    pair = weights()
    inner = optim.Adam(pair, lr=0.1)
    outer = AllReduce(inner, Alone())
    outer.lr = 0.2
    assert inner.lr == outer.lr == 0.2 and outer.param_groups is inner.param_groups
    assert outer.parameters == [*pair] and outer.t == 0 and outer.state is inner.state
    outer.load_state_dict(inner.state_dict())


def test_gradients_are_clipped_after_their_sum():
    def run(comm):
        pair = weights()
        optimizer = AllReduce(optim.SGD(pair, lr=1.0), comm)
        with optimizer.share(10) as share:
            ((X[share.rows] @ pair[0]) ** 2).sum(axis=1).mean().backward(share.weight)
            optimizer.reduce()
            optim.clip_grad_norm(optimizer.parameters, 0.5)
            optimizer.optimizer.step()
        return np.linalg.norm(pair[0].data - W), pair[0].numpy()

    (length, w), (_, other) = on_ranks(2, run)
    assert length == pytest.approx(0.5, rel=1e-6)
    np.testing.assert_array_equal(w, other)


@pytest.mark.parametrize("wrong", [[1], [0], [1, 2]])
def test_ranks_that_differ_are_named(wrong):
    def run(comm):
        pair = weights()
        optimizer = AllReduce(optim.SGD(pair, lr=0.1), comm, check_every=3)
        steps(optimizer, *pair, optimizer.share, count=2)
        if comm.rank in wrong:
            pair[1].data[0] += 1e-12
        steps(optimizer, *pair, optimizer.share, count=1)

    named = {(1,): "rank 1 are", (0,): "rank 1, 2 are", (1, 2): "rank 1, 2 are"}[tuple(wrong)]
    with pytest.raises(RuntimeError, match=f"after 3 steps the weights of {named} not those of"):
        on_ranks(3, run)


def test_numbers_are_exchanged():
    for table in on_ranks(3, lambda comm: exchanged(comm, [comm.rank, 2**32 - comm.rank])):
        np.testing.assert_array_equal(table, [[0, 2**32], [1, 2**32 - 1], [2, 2**32 - 2]])


# ---------------------------------------------------------------------- communicators
class MPI:
    """Looks as mpi4py's does; the other rank has ones."""

    def Get_rank(self):
        return 1

    def Get_size(self):
        return 2

    def Allreduce(self, sent, array):
        assert sent is None and type(array) is np.ndarray and array.flags.c_contiguous
        array += 1

    def Abort(self, code):
        raise SystemExit(code)


def test_an_mpi_communicator(monkeypatch, capsys):
    said = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: said.append(error[1]))
    comm = communicator(MPI())
    assert (comm.rank, comm.size) == (1, 2)
    np.testing.assert_array_equal(all_reduce(np.array(2.0), comm), 3.0)
    hook = sys.excepthook
    communicator(MPI())
    assert sys.excepthook is hook  # once is enough
    with pytest.raises(SystemExit):
        hook(OSError, error := OSError("gone"), None)
    assert said == [error]
    assert capsys.readouterr().err == "rank 1 of 2 ended all ranks by this error\n"


class Device(np.ndarray):
    """An array on the device."""


def test_an_nccl_communicator(monkeypatch, capsys):
    """There is no GPU here: what is on it is a `Device`, and all_reduce takes nothing else."""

    class NCCLBackend:
        rank = 2

        def all_reduce(self, sent, received):
            assert type(sent) is type(received) is Device
            received[...] = 4 * np.asarray(sent)

    monkeypatch.setattr(
        distributed,
        "to_device",
        lambda x, device: x if type(x) is Device else x.copy().view(Device),
    )
    monkeypatch.setattr(distributed, "to_numpy", np.asarray)
    comm = communicator(NCCLBackend())
    assert (comm.rank, comm.size) == (2, 4)
    for array in (np.ones(3), np.ones(3).view(Device)):
        comm.sum(array)
        np.testing.assert_array_equal(array, [4, 4, 4])
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit):
        comm.abort("all end")
    assert capsys.readouterr().err == "all end\n"


def test_what_is_no_communicator_is_refused():
    with pytest.raises(TypeError, match=r"comm must be mpi4py's MPI.COMM_WORLD, .*, got a int"):
        AllReduce(optim.SGD(weights(), lr=1.0), 3)


def test_import_needs_neither_mpi_nor_cupy():
    import subprocess

    code = "import sys, minigrad.distributed; print({'mpi4py', 'cupy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
