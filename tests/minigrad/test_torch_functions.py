"""Functions beyond the first ones equal PyTorch's: values, gradients, their gradients, odd inputs.

The same cases run on the device double, where the results are compared with the CPU's.
"""

import itertools
import math

import device
import numpy as np
import pytest
from second_opinion import compare

import minigrad as mg
from minigrad import nn
from minigrad.testing import assert_close_to_torch, gradcheck

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional

TOLERANCE = {np.float64: 1e-12, np.float32: 8 * 2.0**-23}  # relative to the largest element
DTYPES = [np.float64, np.float32]
RNG = np.random.default_rng(2026)
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.0])


def normal(*shape):
    return RNG.standard_normal(shape)


def positive(*shape):
    return RNG.uniform(0.5, 2.0, shape)


def few(*shape):
    """Small integers, so that many elements are equal or 0."""
    return RNG.integers(-1, 2, shape).astype(np.float64)


ELEMENTWISE = {  # name: (ours, PyTorch's, the argument's distribution)
    "sin": (lambda x: mg.sin(x), torch.sin, normal),
    "cos": (lambda x: mg.cos(x), torch.cos, normal),
    "log1p": (lambda x: mg.log1p(x), torch.log1p, positive),
    "expm1": (lambda x: mg.expm1(x), torch.expm1, normal),
    "normal_cdf": (lambda x: mg.normal_cdf(x), torch.special.ndtr, normal),
    "gelu": (lambda x: mg.gelu(x), F.gelu, normal),
    "gelu, tanh": (
        lambda x: mg.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), normal,
    ),
    "silu": (lambda x: mg.silu(x), F.silu, normal),
    "elu": (lambda x: mg.elu(x), F.elu, normal),
    "elu, 0.3": (lambda x: mg.elu(x, 0.3), lambda x: F.elu(x, 0.3), normal),
    "leaky_relu": (lambda x: mg.leaky_relu(x), F.leaky_relu, few),
    "leaky_relu, 0.2": (lambda x: mg.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2), normal),
    "hard_sigmoid": (
        lambda x: mg.hard_sigmoid(x), lambda x: F.relu6(x + 3) / 6, lambda *s: 3 * few(*s),
    ),
    "log_sigmoid": (lambda x: mg.log_sigmoid(x), F.logsigmoid, normal),
}  # fmt: skip


def elementwise():
    for name, (mine, theirs, draw) in ELEMENTWISE.items():
        for shape in ((3, 4), (), (2, 0)):
            yield name, mine, theirs, [draw(*shape)]
    for a, b in (((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3))):
        signs = np.sign(normal(*b)) * positive(*b)
        yield "remainder", lambda a, b: mg.remainder(a, b), torch.remainder, [normal(*a), signs]
    yield "remainder, numbers", lambda x: x % 0.7, lambda x: x % 0.7, [normal(3, 4)]
    five = torch.tensor(5.0)
    yield "remainder, reversed", lambda x: 5 % x, lambda x: five.to(x) % x, [positive(3)]


def reductions():
    for axis, keep in itertools.product((None, 0, -1, (0, 2)), (False, True)):
        their, my = dict(dim=axis, keepdim=keep), dict(axis=axis, keepdims=keep)
        yield (
            f"norm {axis}", lambda x, o=my: mg.norm(x, **o),
            lambda x, o=their: torch.linalg.vector_norm(x, **o), [normal(2, 3, 4)],
        )  # fmt: skip
        for ddof in (0, 1):
            yield (
                f"std {axis}", lambda x, o=my, d=ddof: mg.std(x, ddof=d, **o),
                lambda x, o=their, d=ddof: torch.std(x, correction=d, **o), [normal(5, 3, 4)],
            )  # fmt: skip
    for draw in (normal, few):  # few: several zeros in one product
        yield "prod", lambda x: mg.prod(x), torch.prod, [draw(7)]
        for axis, keep in itertools.product((0, 1, -1), (False, True)):
            yield (
                f"prod {axis}", lambda x, a=axis, k=keep: mg.prod(x, a, k),
                lambda x, a=axis, k=keep: torch.prod(x, a, keepdim=k), [draw(2, 5, 3)],
            )  # fmt: skip
    yield (
        "prod, two axes",
        lambda x: mg.prod(x, (0, 2)),
        lambda x: x.prod(2).prod(0),
        [normal(2, 3, 4)],
    )
    yield "prod of nothing", lambda x: mg.prod(x, 1), lambda x: x.prod(1), [normal(2, 0)]
    yield "prod, 0-d", lambda x: mg.prod(x), torch.prod, [normal()]
    for axis in (0, 1, -1):
        yield (
            f"cumsum {axis}", lambda x, a=axis: mg.cumsum(x, a),
            lambda x, a=axis: torch.cumsum(x, a), [normal(2, 3, 4)],
        )  # fmt: skip
        yield (
            f"cumsum {axis}, reverse", lambda x, a=axis: mg.cumsum(x, a, reverse=True),
            lambda x, a=axis: x.flip(a).cumsum(a).flip(a), [normal(2, 3, 4)],
        )  # fmt: skip
        for draw in (normal, few):
            yield (
                f"sort {axis}", lambda x, a=axis: mg.sort(x, a),
                lambda x, a=axis: torch.sort(x, dim=a, stable=True).values, [draw(3, 4, 5)],
            )  # fmt: skip
    yield "cumsum of all", lambda x: mg.cumsum(x), lambda x: x.flatten().cumsum(0), [normal(2, 3)]
    yield "sort, empty", lambda x: mg.sort(x), lambda x: x.sort().values, [normal(2, 0)]


def shapes():
    x = normal(1, 3, 1, 2)
    for axis in (None, 0, 2, -2, (0, 2)):
        yield (
            f"squeeze {axis}", lambda x, a=axis: mg.squeeze(x, a),
            lambda x, a=axis: x.squeeze() if a is None else x.squeeze(a), [x],
        )  # fmt: skip
    for axis in (0, 2, -1, -5):
        yield (
            f"unsqueeze {axis}", lambda x, a=axis: mg.unsqueeze(x, a),
            lambda x, a=axis: x.unsqueeze(a), [x],
        )  # fmt: skip
    for span in ((), (1,), (1, 2), (-3, -2), (2, 2)):
        yield (
            f"flatten {span}", lambda x, s=span: mg.flatten(x, *s),
            lambda x, s=span: x.flatten(*s), [normal(2, 3, 4, 2)],
        )  # fmt: skip
    yield "flatten, 0-d", lambda x: mg.flatten(x), lambda x: x.flatten(), [normal()]
    for parts, theirs in ((3, 2), ([1, 4], [1, 3, 2]), ([6], [6, 0])):
        for k in range(2):
            yield (
                f"split {parts}", lambda x, p=parts, k=k: mg.split(x, p, axis=1)[k],
                lambda x, p=theirs, k=k: x.split(p, dim=1)[k], [normal(2, 6)],
            )  # fmt: skip


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,kj", (2, 3), (4, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)),
    ("...ii->...i", (2, 3, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("i,i", (3,), (3,)),
    ("i,j->ij", (3,), (4,)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ba", (2, 3)),
    ("nhwc,nhwd->ncd", (2, 3, 2, 4), (2, 3, 2, 3)), ("ij,ij,k->", (2, 3), (2, 3), (4,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("i,ij,j->", (3,), (3, 4), (4,)),
    ("iij,j->i", (3, 3, 4), (4,)), ("b...,a->...ab", (2, 3), (4,)), ("ij,j->ij", (2, 3), (3,)),
    (",i->i", (), (3,)), ("ij,jk->ik", (2, 0), (0, 3)),
    ("ijk,ijl,ijm->klm", (2, 3, 4), (2, 3, 5), (2, 3, 2)),
]  # fmt: skip


def einsums():
    for subscripts, *operands in EINSUMS:
        yield (
            f"einsum {subscripts}", lambda *xs, s=subscripts: mg.einsum(s, *xs),
            lambda *xs, s=subscripts: torch.einsum(s, *xs), [normal(*shape) for shape in operands],
        )  # fmt: skip


SEQUENCES = [
    dict(), dict(padding="valid"), dict(padding=2, stride=2), dict(padding=(1, 0), dilation=2),
    dict(groups=2, padding=1), dict(padding="valid", stride=3),
]  # fmt: skip


def sequences():
    for settings in SEQUENCES:
        groups, padding = settings.get("groups", 1), settings.get("padding", "same")
        pads = {"same": (1, 1), "valid": (0, 0), 1: (1, 1), 2: (2, 2)}.get(padding, padding)
        same = {k: v for k, v in settings.items() if k in ("stride", "dilation", "groups")}

        def theirs(x, w, b, pads=pads, same=same):
            x = F.pad(x.permute(0, 2, 1), pads)
            return F.conv1d(x, w.permute(2, 1, 0), b, **same).permute(0, 2, 1)

        yield (
            f"conv1d {settings}", lambda x, w, b, s=settings: mg.conv1d(x, w, b, **s),
            theirs, [normal(2, 9, 4), normal(3, 4 // groups, 6), normal(6)],
        )  # fmt: skip
    for settings, theirs in (
        (dict(padding="valid"), dict()),
        (dict(padding=1, stride=2), dict(padding=1, stride=2)),
        (dict(padding=1, stride=2, output_size=10), dict(padding=1, stride=2, output_padding=1)),
        (dict(padding="valid", groups=2, dilation=2), dict(groups=2, dilation=2)),
    ):

        def transposed(x, w, b, o=theirs):
            y = F.conv_transpose1d(x.permute(0, 2, 1), w.permute(2, 1, 0), b, **o)
            return y.permute(0, 2, 1)

        groups = settings.get("groups", 1)
        yield (
            f"conv1d_transpose {settings}",
            lambda x, w, b, s=settings: mg.conv1d_transpose(x, w, b, **s),
            transposed, [normal(2, 5, 4), normal(3, 6 // groups, 4), normal(6)],
        )  # fmt: skip
    numbers = np.array([[0, 2, 2], [4, 0, 2]])
    yield (
        "embedding", lambda w: mg.embedding(numbers, w),
        lambda w: F.embedding(torch.tensor(numbers), w), [normal(5, 3)],
    )  # fmt: skip


CASES = [*elementwise(), *reductions(), *shapes(), *einsums(), *sequences()]
every_case = pytest.mark.parametrize(
    ("mine", "theirs", "arrays"), [pytest.param(*case, id=name) for name, *case in CASES]
)


@pytest.mark.parametrize("dtype", DTYPES)
@every_case
def test_value_and_derivatives(mine, theirs, arrays, dtype):
    compare(mine, theirs, [x.astype(dtype) for x in arrays], tolerance=TOLERANCE[dtype])


@every_case
def test_arrays_give_what_tensors_give(mine, theirs, arrays):
    y, z = mine(*arrays), mine(*map(mg.tensor, arrays))
    np.testing.assert_array_equal(y, z.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_on_the_device(dtype):
    with device.installed():
        for name, mine, _, arrays in CASES:
            print(name)
            results = []
            for place in ("cpu", "cuda"):
                xs = [mg.tensor(x, requires_grad=True, dtype=dtype).to(place) for x in arrays]
                y = mine(*xs)
                assert y.device == place
                g = np.linspace(-1, 2, y.size, dtype=dtype).reshape(y.shape)
                y.backward(mg.tensor(g).to(place))
                results.append([y.numpy(), *(x.grad.numpy() for x in xs)])
            for cpu, cuda in zip(*results, strict=True):
                assert cpu.dtype == cuda.dtype == dtype
                np.testing.assert_allclose(cuda, cpu, rtol=0, atol=TOLERANCE[dtype] * 10)


# ---------------------------------------------------------------------- odd inputs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_infinity_and_zeros(name, dtype):
    mine, theirs, _ = ELEMENTWISE[name]
    array = ODD if name != "log1p" else np.maximum(ODD, -1)
    with np.errstate(all="ignore"):
        compare(mine, theirs, [array.astype(dtype)], tolerance=TOLERANCE[dtype], order=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["log_sigmoid", "silu", "elu", "hard_sigmoid", "leaky_relu"])
def test_large_values(name, dtype):
    mine, theirs, _ = ELEMENTWISE[name]
    x = np.array([-1e4, -700.0, -50.0, 50.0, 700.0, 1e4], dtype)
    compare(mine, theirs, [x], tolerance=TOLERANCE[dtype])


def test_the_normal_distribution_to_its_far_tail():
    x = np.linspace(-37, 37, 2001)
    exact = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])
    np.testing.assert_allclose(mg.normal_cdf(x), exact, rtol=1e-12)
    near = np.abs(x) < 3
    np.testing.assert_allclose(mg.normal_cdf(x[near]), exact[near], rtol=8e-15)
    single = mg.normal_cdf(x.astype(np.float32))
    np.testing.assert_allclose(single, exact, rtol=4e-6 * 10, atol=2.0**-22)


def test_gelu_knows_two_forms():
    with pytest.raises(ValueError, match='approximate must be "none" or "tanh"'):
        mg.gelu(np.ones(2), "erf")


def test_slopes_where_pytorch_has_none_of_its_own():
    x = np.zeros((2, 3))
    compare(lambda x: mg.norm(x), torch.linalg.vector_norm, [x], order=1)
    compare(lambda x: mg.std(x), lambda x: torch.std(x, correction=0), [x + 5], order=1)
    for function in (mg.norm, mg.std):
        leaf = mg.tensor(x, requires_grad=True)
        function(leaf).backward()
        assert (leaf.grad.numpy() == 0).all()


def test_prod_of_zeros_and_infinities():
    for row in ([0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 5.0, 2.0]):
        compare(lambda x: mg.prod(x), torch.prod, [np.array(row)], order=2)
        if row.count(0) < 2:  # else the derivatives are 0, and nothing can be measured
            assert gradcheck(lambda x: mg.prod(x), [np.array(row)], order=3) < 1e-8
    assert mg.prod(np.array([np.inf, 2.0])) == np.inf and np.isnan(mg.prod(np.array([np.nan, 0])))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("draw", [normal, few])
def test_places_of_extrema(axis, keep, draw):
    x = draw(5, 7)
    for name, function in (("argmax", mg.argmax), ("argmin", mg.argmin)):
        mine = function(mg.tensor(x, requires_grad=True), axis, keep)
        assert isinstance(mine, np.ndarray | np.integer) and mine.dtype == np.int64
        np.testing.assert_array_equal(mine, getattr(np, name)(x, axis, keepdims=keep))
        theirs = getattr(torch, name)(torch.tensor(x), axis, keepdim=keep)
        np.testing.assert_array_equal(mine, theirs.numpy())
    assert mg.argmin(np.array([1.0, np.nan, 3.0])) == 1
    assert mg.argmax(np.array([1.0, np.nan, 3.0])) == torch.tensor([1.0, np.nan, 3.0]).argmax()


def test_sort_puts_nan_last_and_keeps_gradients_with_their_elements():
    x = mg.tensor([2.0, np.nan, -np.inf, 2.0], requires_grad=True)
    y = mg.sort(x)
    np.testing.assert_array_equal(y.numpy(), [-np.inf, 2, 2, np.nan])
    y.backward(np.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4, 1, 3])


def test_methods_and_lists():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]] and x.sum().tolist() == 10
    assert x.argmax() == 3 and x.prod().item() == 24 and (x % 2).tolist() == [[1, 0], [1, 0]]
    assert x.flatten().shape == (4,) and x.unsqueeze(0).squeeze(0).shape == (2, 2)
    assert [p.tolist() for p in x.split(2, 1)] == [[[1.0], [3.0]], [[2.0], [4.0]]]
    y = x * 1.0
    y %= 3
    assert y.tolist() == [[1, 2], [0, 1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.squeeze(np.ones((2, 1)), 0), "squeeze: axis 0 .* is not of length 1"),
        (lambda: mg.unsqueeze(np.ones(2), 3), "unsqueeze: there is no place 3"),
        (lambda: mg.split(np.ones(5), 2), "split: axis 0 .* cannot be cut into 2 equal parts"),
        (lambda: mg.sort(np.ones(3), 1), "sort: .* has no axis"),
        (lambda: mg.prod(np.ones((2, 3)), (0, 0)), "prod: .* named twice"),
        (lambda: mg.std(np.ones(2), ddof=2), "std: ddof=2 leaves nothing to divide by"),
        (lambda: mg.argmax(np.ones((2, 0)), 1), "argmax: .* has no elements"),
        (lambda: mg.einsum("ij,jk", np.ones((2, 3))), "einsum: 'ij,jk' does not fit"),
        (lambda: mg.einsum("ij->ijj", np.ones((2, 3))), "some of them, once each"),
        (lambda: mg.einsum("i,i", np.ones(2), np.ones(3)), "i is 2 long in one operand"),
        (lambda: mg.einsum("ii", np.ones((1, 3))), "i is 1 long in one operand"),
        (lambda: mg.embedding(np.array([3]), np.ones((3, 2))), "integers from 0 to 2, got 3 to 3"),
        (lambda: mg.embedding(np.array([-1]), np.ones((3, 2))), "integers from 0 to 2, got -1"),
        (lambda: mg.embedding(np.array([1.0]), np.ones((3, 2))), "embedding: expected integers"),
        (lambda: mg.conv1d(np.ones((2, 3)), np.ones((1, 1, 1))), "conv1d: expected sequences"),
        (
            lambda: mg.conv1d(np.ones((2, 3, 4)), np.ones((1, 2, 1))),
            "conv1d: as images of height 1: .* 4 channels",
        ),
        (lambda: mg.cumsum(np.ones(2), 3), "cumsum: expected an axis of x"),
    ],
)
def test_refusals(call, message):
    with pytest.raises((ValueError, IndexError, TypeError), match=message):
        call()


# ---------------------------------------------------------------------- layers
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (nn.ELU(0.5), torch.nn.ELU(0.5)), (nn.GELU(), torch.nn.GELU()),
        (nn.GELU("tanh"), torch.nn.GELU("tanh")), (nn.HardSigmoid(), lambda x: F.relu6(x + 3) / 6),
        (nn.LeakyReLU(slope=0.2), torch.nn.LeakyReLU(0.2)), (nn.ReLU(), torch.nn.ReLU()),
        (nn.LogSigmoid(), torch.nn.LogSigmoid()), (nn.SiLU(), torch.nn.SiLU()),
        (nn.Sigmoid(), torch.nn.Sigmoid()), (nn.Softplus(), torch.nn.Softplus()),
        (nn.Tanh(), torch.nn.Tanh()),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_activation_layers(mine, theirs):
    compare(mine, theirs, [normal(3, 4)])
    assert type(mine).__name__ in repr(mine)


def test_an_activation_layer_refuses_what_its_function_does_not_take():
    with pytest.raises(TypeError):
        nn.ReLU(0.1)
    assert "slope 0.2" in repr(nn.LeakyReLU(slope=0.2))


@pytest.mark.parametrize("transposed", [False, True])
def test_sequence_layers(transposed):
    rng = np.random.default_rng(0)
    layer, theirs = (
        (nn.Conv1DTranspose, torch.nn.ConvTranspose1d)
        if transposed
        else (nn.Conv1D, torch.nn.Conv1d)
    )
    mine = layer(4, 6, 3, stride=2, padding=1, dtype=np.float64, rng=rng)
    theirs = theirs(4, 6, 3, stride=2, padding=1, dtype=torch.float64)
    state = mg.interchange.to_torch_state_dict(mine)
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})
    x = normal(2, 7, 4)
    z = theirs(torch.tensor(x).permute(0, 2, 1)).permute(0, 2, 1)
    assert_close_to_torch(mine(x), z)
    assert "4 -> 6, 3, stride 2, padding 1" in repr(mine)


def test_sequences_flattened_into_a_dense_layer_keep_pytorchs_order():
    rng = np.random.default_rng(0)
    mine = nn.Sequential(
        nn.Conv1D(2, 3, rng=rng, dtype=np.float64), nn.Flatten(),
        nn.Dense(15, 2, rng=rng, dtype=np.float64),
    )  # fmt: skip
    theirs = torch.nn.Sequential(
        torch.nn.Conv1d(2, 3, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(15, 2)
    ).double()
    state = mg.interchange.to_torch_state_dict(mine)
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})
    x = normal(4, 5, 2)
    assert_close_to_torch(mine(x), theirs(torch.tensor(x).permute(0, 2, 1)))


def test_embedding_layer():
    layer = nn.Embedding(5, 3, rng=np.random.default_rng(0))
    y = layer(np.array([[1, 1], [4, 0]]))
    assert y.shape == (2, 2, 3) and y.dtype == np.float32 and "5 -> 3" in repr(layer)
    y.sum().backward()
    assert layer.weight.grad.numpy()[:, 0].tolist() == [1, 2, 0, 0, 1]


# ---------------------------------------------------------------------- functions of functions
def test_the_gradient_of_a_function_is_jax_like():
    def f(w, x):
        return (mg.tanh(w * x)).sum()

    w, x = normal(3), normal(3)
    tw, tx = torch.tensor(w), torch.tensor(x)

    def g(w, x):
        return torch.tanh(w * x).sum()

    assert_close_to_torch(mg.grad(f)(w, x), torch.func.grad(g)(tw, tx))
    for call in (mg.grad(f, argnums=1), mg.grad(f, 1)):
        assert_close_to_torch(call(w, x), torch.func.grad(g, argnums=1)(tw, tx))
    both = mg.grad(f, argnums=(1, 0))(w, x)
    for mine, theirs in zip(both, torch.func.grad(g, argnums=(1, 0))(tw, tx), strict=True):
        assert_close_to_torch(mine, theirs)
    value, slope = mg.value_and_grad(f)(w, x)
    assert_close_to_torch(value, g(tw, tx))
    assert not value.requires_grad and not slope.requires_grad
    second = mg.grad(lambda w: mg.grad(f)(w, x).sum())(w)
    assert_close_to_torch(second, torch.func.grad(lambda w: torch.func.grad(g)(w, tx).sum())(tw))
    third = mg.grad(mg.grad(mg.grad(lambda x: x**4)))(2.0)
    assert third.item() == 48


def test_the_gradient_of_a_function_stays_connected_to_what_it_uses():
    w = mg.tensor(3.0, requires_grad=True)
    slope = mg.grad(lambda x: w * x * x)(2.0)  # 2 w x
    slope.backward()
    assert slope.item() == 12 and w.grad.item() == 4
    x = mg.tensor(2.0, requires_grad=True)
    value, slope = mg.value_and_grad(lambda a, b: a * a * b)(x, x)  # only by the first
    assert slope.item() == 8
    assert mg.grad(slope, x).item() == 8  # d (2 a b) / dx at a = b = x
    assert mg.grad(value, x).item() == 12


def test_the_gradient_of_a_function_refuses():
    assert mg.grad(lambda x, y: (y * y).sum())(np.ones(2), np.ones(2)).tolist() == [0, 0]
    with mg.no_grad():  # as `vjp` and the others, and PyTorch's
        slope = mg.grad(lambda x: x * x)(mg.tensor(2.0, requires_grad=True))
    assert slope.item() == 4 and not slope.requires_grad
    with pytest.raises(TypeError, match="float32 or float64"):
        mg.grad(lambda x: x * x)(2)
    with pytest.raises(ValueError, match="is not a scalar"):
        mg.grad(lambda x: x * x)(np.ones(2))
    with pytest.raises(TypeError, match="inputs"):
        mg.grad(mg.tensor(1.0, requires_grad=True))
