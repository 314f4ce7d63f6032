"""The objective is the sum of its stated terms, and its gradients are the measured ones for every
combination of parts."""

import itertools

import numpy as np
import pytest
from sklearn.base import clone

from autoencoder.networks import Sizes, build
from autoencoder.objective import constant, loss_terms
from autoencoder.parts import (
    CHOICES,
    ContinuousBernoulliLikelihood,
    ContractivePenalty,
    GaussianCode,
    GaussianLikelihood,
    GaussianNoise,
    KLSparsity,
    L1Penalty,
    MaskingNoise,
    Parts,
    PatchMasking,
    PointCode,
    WeightDecay,
    assemble,
    resolve,
)
from minigrad import grad, tensor
from minigrad.testing import assert_close_to_torch, gradcheck

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

PATCHES = PatchMasking(patch=1, image_shape=(1, 5, 1), scored="hidden")
NOISES = [None, *(noise for noise in CHOICES["noise"] if noise != "patches")]
CODES = [code for code in CHOICES["code"] if code != "vector_quantised"]  # see test_quantised.py
LIKELIHOODS = [*CHOICES["likelihood"], GaussianLikelihood("optimal")]
PENALTIES = [
    *[None, "l1", "kl_sparsity", "contractive", ContractivePenalty(method="hutchinson")],
    *["weight_decay", WeightDecay(norm="l1"), ("l1", "contractive", "weight_decay")],
    *["mmd", "total_correlation"],
]


def set_up(parts, d=5, k=2, n=3, *, seed=0, dtype=np.float64, **settings):
    """A network with random weights and biases, the noisy data and the clean ones."""
    rng = np.random.default_rng(seed)
    settings = {"hidden": (4,), "activation": "tanh", **settings}
    network = build(Sizes(d, k, **settings), parts.code, rng, dtype)
    for p in network.parameters():
        p.data = (0.7 * rng.standard_normal(p.shape)).astype(dtype)
    target = rng.random((n, d)).astype(dtype)
    x = target
    if parts.noise is not None:
        x = getattr(parts.noise, "marked", parts.noise.corrupt)(target, rng)
    return network, x, target


def terms_of(network, parts, x, target, memory=None):
    rng = np.random.default_rng(7)  # the same draws in every call
    return loss_terms(network, parts, x, target, rng, {} if memory is None else memory)[0]


def check_gradients(parts, **settings):
    """gradcheck of the loss as a function of all weights."""
    network, x, target = set_up(parts, **settings)
    parameters = network.parameters()

    def loss(*values):
        for p, value in zip(parameters, values, strict=True):
            p._data, p.node = value._data, value.node
        return sum(terms_of(network, parts, x, target).values())

    gradcheck(loss, [p.numpy().copy() for p in parameters], directions=1)


# ---------------------------------------------------------------------- gradients
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_gradients_of_every_combination_are_those_measured(noise, code, likelihood, penalty):
    fits = {"kl_sparsity": ["sigmoid"], "total_correlation": ["gaussian"]}
    if code not in fits.get(penalty, CODES):
        with pytest.raises(ValueError, match=r"KLSparsity: |TotalCorrelation: "):
            assemble(noise, code, likelihood, penalty)
        return
    check_gradients(assemble(noise, code, likelihood, penalty))


@pytest.mark.parametrize("penalty", [None, "mmd", "total_correlation"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
@pytest.mark.parametrize("code", [GaussianCode(n_draws=3), GaussianCode(free_bits=0.3)], ids=str)
@pytest.mark.parametrize("noise", [None, PATCHES], ids=["None", "hidden patches"])
def test_so_are_those_of_draws_free_bits_and_patches(noise, code, likelihood, penalty):
    check_gradients(assemble(noise, code, likelihood, penalty))


@pytest.mark.parametrize("code", ["sigmoid", "gaussian"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": ()},
        {"hidden": (4, 3), "activation": "softplus"},
        {"d": 12, "hidden": (2,), "image_shape": (3, 4, 1)},
        {"d": 18, "hidden": (2, 3), "image_shape": (3, 3, 2), "activation": "sigmoid"},
    ],
    ids=str,
)
def test_gradients_of_every_kind_of_network_are_those_measured(settings, tied, code):
    parts = assemble("masking", code, "continuous_bernoulli", ("contractive", "l1"))
    check_gradients(parts, tied=tied, **settings)


class Detached(PointCode):
    """A code whose gradient stops."""

    def sample(self, h, rng):
        return self.mean(h).detach()


def test_the_check_notices_a_lost_gradient():
    parts = assemble(code=Detached("tanh"), penalty="l1")
    with pytest.raises(AssertionError, match="the derivative along a random direction"):
        check_gradients(parts)


# ---------------------------------------------------------------------- values
def test_the_terms_are_named_after_what_they_are():
    expected = {"reconstruction", "divergence", "l1", "contractive", "weight_decay"}
    parts = assemble(code="gaussian", penalty=("l1", "contractive", "weight_decay"))
    assert set(terms_of(parts=parts, **named(set_up(parts)))) == expected
    parts = assemble(code="sigmoid", penalty="kl_sparsity")
    terms = terms_of(parts=parts, **named(set_up(parts)))
    assert set(terms) == {"reconstruction", "kl_sparsity"}
    assert all(term.shape == () for term in terms.values())


def named(made):
    return dict(zip(("network", "x", "target"), made, strict=True))


def test_a_variational_autoencoder_is_pytorchs_with_all_gradients():
    """Written there with its own distributions; the draw of the code is shared."""
    parts = assemble("gaussian", GaussianCode(beta=0.5), "continuous_bernoulli")
    network, x, target = set_up(parts, d=6, k=3, n=5)
    w = {name: torch.tensor(v, requires_grad=True) for name, v in network.state_dict().items()}
    noise = torch.tensor(np.random.default_rng(7).standard_normal((5, 3)))

    def layers(half, y):
        y = torch.tanh(y @ w[f"{half}.layers.0.weight"] + w[f"{half}.layers.0.bias"])
        return y @ w[f"{half}.layers.1.weight"] + w[f"{half}.layers.1.bias"]

    h = layers("encoder", torch.tensor(x))
    q = torch.distributions.Normal(h[:, :3], torch.exp(h[:, 3:] / 2))
    t = layers("decoder", q.mean + q.stddev * noise)
    p = torch.distributions.ContinuousBernoulli(logits=t, lims=(0.5, 0.5))
    reconstruction = -p.log_prob(torch.tensor(target)).sum(dim=1).mean()
    standard = torch.distributions.Normal(torch.zeros_like(h[:, :3]), 1.0)
    divergence = 0.5 * torch.distributions.kl_divergence(q, standard).sum(dim=1).mean()
    terms = terms_of(network, parts, x, target)
    assert_close_to_torch(terms["reconstruction"], reconstruction, tolerance=1e-11)
    assert_close_to_torch(terms["divergence"], divergence, tolerance=1e-13)
    found = grad(sum(terms.values()), network.parameters())
    theirs = torch.autograd.grad(reconstruction + divergence, list(w.values()))
    for name, g, other in zip(w, found, theirs, strict=True):
        assert_close_to_torch(g, other, tolerance=1e-9, what=name)


def test_the_network_reads_x_and_is_scored_against_the_target():
    parts = assemble(code="linear", likelihood="gaussian")
    network, x, _ = set_up(parts, activation="linear")
    output = network.decode(network.encode(x)).numpy()
    at_its_best = terms_of(network, parts, x, output)["reconstruction"].item()
    assert at_its_best == 0
    assert constant(parts, 5) == pytest.approx(5 / 2 * np.log(2 * np.pi), rel=1e-13)
    with_ones = terms_of(network, parts, x, output + 1)["reconstruction"].item()
    assert with_ones == pytest.approx(5 / 2, rel=1e-13)


@pytest.mark.parametrize("likelihood", CHOICES["likelihood"])
def test_nats_per_example_do_not_grow_with_the_batch(likelihood):
    parts = assemble(None, "sigmoid", likelihood, ("l1", "kl_sparsity", "contractive"))
    network, x, target = set_up(parts)
    once = terms_of(network, parts, x, target)
    twice = terms_of(network, parts, np.tile(x, (2, 1)), np.tile(target, (2, 1)))
    for name, term in once.items():
        assert twice[name].item() == pytest.approx(term.item(), rel=1e-12), name


@pytest.mark.parametrize("code", CHOICES["code"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_float32_stays_float32(likelihood, code):
    penalties = ["l1", "contractive", ContractivePenalty(method="hutchinson"), "weight_decay"]
    penalties = ["l1", "mmd"] if code == "vector_quantised" else [*penalties, "mmd"]
    penalties += ["kl_sparsity"] * (code == "sigmoid") + ["total_correlation"] * (
        code == "gaussian"
    )
    for penalty in penalties:
        parts = assemble("heteroscedastic", code, likelihood, penalty)
        network, x, target = set_up(parts, dtype=np.float32)
        memory = {}
        for _ in range(2):
            terms = terms_of(network, parts, x, target, memory)
        assert {term.dtype for term in terms.values()} == {np.dtype(np.float32)}
        sum(terms.values()).backward()
        assert all(p.grad is None or p.grad.dtype == np.float32 for p in network.parameters())


def test_beta_weighs_the_divergence_alone():
    one, four = (assemble(code=GaussianCode(beta)) for beta in (1, np.float64(4)))
    network, x, target = set_up(one)
    a, b = (terms_of(network, parts, x, target) for parts in (one, four))
    assert b["divergence"].item() == pytest.approx(4 * a["divergence"].item(), rel=1e-14)
    assert b["reconstruction"].item() == a["reconstruction"].item()


def test_arrays_and_tensors_are_welcome():
    parts = assemble(code="gaussian", penalty="contractive")
    network, x, target = set_up(parts)
    a = terms_of(network, parts, x, target)
    b = terms_of(network, parts, tensor(x), tensor(target))
    assert {n: t.item() for n, t in a.items()} == {n: t.item() for n, t in b.items()}


# ---------------------------------------------------------------------- parts by name
def test_names_parts_and_none_are_resolved():
    noise = MaskingNoise(0.5)
    parts = assemble(noise, "tanh", "continuous_bernoulli", "l1")
    assert isinstance(parts, Parts)
    assert parts.noise is noise and parts.code.activation == "tanh"
    assert isinstance(parts.likelihood, ContinuousBernoulliLikelihood)
    assert [type(p) for p in parts.penalties] == [L1Penalty]
    assert resolve("noise", None) is None and resolve("penalty", None) == ()
    mixed = resolve("penalty", ["l1", WeightDecay(0.5)])
    assert [p.name for p in mixed] == ["l1", "weight_decay"] and mixed[1].weight == 0.5


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in CHOICES.items() for n in names])
def test_parts_are_scikit_learns_to_clone_and_search(kind, name):
    part = CHOICES[kind][name]()
    again = clone(part)
    assert type(again) is type(part) and again.get_params() == part.get_params()
    for key, value in part.get_params().items():
        assert getattr(part.set_params(**{key: value}), key) is value
    if kind == "penalty":
        assert part.name == name


@pytest.mark.parametrize("kind", CHOICES)
@pytest.mark.parametrize("value", ["nonsense", 3, (), GaussianNoise, PointCode], ids=str)
def test_anything_else_is_refused_with_the_choices(kind, value):
    value = [value] if kind == "penalty" else value  # () alone is no penalty
    with pytest.raises(ValueError, match=f"unknown {kind} .*: use .*'{[*CHOICES[kind]][-1]}'"):
        resolve(kind, value)


@pytest.mark.parametrize("kind", ["code", "likelihood"])
def test_a_code_and_a_likelihood_there_must_be(kind):
    with pytest.raises(ValueError, match=f"unknown {kind} None: use '"):
        resolve(kind, None)


def test_parts_of_another_kind_are_refused():
    kinds = {"noise": GaussianNoise(), "code": PointCode(), "likelihood": GaussianLikelihood()}
    kinds["penalty"] = L1Penalty()
    for (kind, _), (other, part) in itertools.permutations(kinds.items(), 2):
        with pytest.raises(ValueError, match=f"unknown {kind}"):
            resolve(kind, kinds[other])
        resolve(other, part)


def test_parts_that_do_not_fit_together_are_refused():
    for code in ("relu", "tanh", "linear", "gaussian"):
        with pytest.raises(ValueError, match=r"KLSparsity: .*between 0 and 1, got a .* code='sig"):
            assemble(code=code, penalty="kl_sparsity")
    with pytest.raises(ValueError, match="each penalty can be given once, got l1, l1"):
        assemble(penalty=("l1", L1Penalty(0.5)))
    assert assemble(code="sigmoid", penalty=KLSparsity(0.1)).penalties[0].target == 0.1
