"""The vector-quantised code: k-means where the encoder stands still, gradients that go straight
through, PyTorch's transcription, and how much of the codebook is in use."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans

import autoencoder as ae
from autoencoder.networks import Sizes, build
from autoencoder.objective import loss_terms
from autoencoder.parts import VectorQuantisedCode, assemble
from autoencoder.parts.quantised import Codebook
from minigrad import checkpoint, grad, tensor
from minigrad.nn import Dense

N, D, K, V, LENGTH = 20, 5, 4, 3, 2  # rows, features, numbers of a code, vectors, of two numbers


def set_up(commitment=0.25):
    """Parts, a network with a codebook among its codes, and rows."""
    rng = np.random.default_rng(0)
    parts = assemble(code=VectorQuantisedCode(V, LENGTH, commitment))
    network = build(Sizes(D, K), parts.code, rng, np.float64)
    network.layer.vectors.data = rng.standard_normal((V, LENGTH))
    return network, parts, rng.standard_normal((N, D))


def nearest(z, vectors):
    """The number of the nearest vector of each pair of numbers: (N, K) -> (N, K / LENGTH)."""
    pairs = z.reshape(len(z), -1, 1, LENGTH)
    return np.square(pairs - vectors).sum(axis=3).argmin(axis=2)


def test_the_nearest_vectors_are_taken():
    network, parts, X = set_up()
    said = network.encoder(X).numpy()
    vectors = network.layer.vectors.numpy()
    numbers = nearest(said, vectors)
    h = network.encode(X)
    assert h.shape == (N, 2 * K + K // LENGTH) and len(np.unique(numbers)) == V
    np.testing.assert_array_equal(parts.code.numbers(h), numbers)
    np.testing.assert_array_equal(parts.code.mean(h).numpy(), vectors[numbers].reshape(N, K))
    np.testing.assert_allclose(
        parts.code.sample(h, None).numpy(), vectors[numbers].reshape(N, K), rtol=1e-12
    )
    terms = parts.code.terms(h)
    distance = np.square(said - vectors[numbers].reshape(N, K)).sum() / N
    assert terms["codebook"].item() == pytest.approx(distance, rel=1e-12)
    assert terms["commitment"].item() == pytest.approx(0.25 * distance, rel=1e-12)


# ---------------------------------------------------------------------- k-means
CENTRES = np.array([[0, 0], [4, 0], [0, 5], [5, 5.0]])


def blobs():
    rng = np.random.default_rng(1)
    return CENTRES[rng.integers(4, size=200)] + rng.standard_normal((200, 2))


def test_a_step_of_the_codebook_is_one_of_k_means():
    """Its gradient is 2 n_j / N (vector j - the mean of its n_j codes): a step of N / 2 n_j leads
    to that mean, which is what Lloyd's algorithm does."""
    Z, code = blobs(), VectorQuantisedCode(4)
    book = Codebook(4, 2, np.random.default_rng(0), np.float64)
    book.vectors.data = Z[[0, 1, 2, 3]].copy()
    h = book(tensor(Z))
    (slope,) = grad([code.terms(h)["codebook"]], [book.vectors])
    counts = np.bincount(code.numbers(h)[:, 0], minlength=4)
    assert counts.min() > 5
    stepped = book.vectors.numpy() - len(Z) / (2 * counts[:, None]) * slope.numpy()
    once = KMeans(4, init=Z[[0, 1, 2, 3]], n_init=1, max_iter=1, algorithm="lloyd").fit(Z)
    np.testing.assert_allclose(stepped, once.cluster_centers_, rtol=1e-12)


def test_with_an_encoder_that_stands_still_the_codebook_becomes_that_of_k_means():
    Z, code = blobs(), VectorQuantisedCode(4)
    book = Codebook(4, 2, np.random.default_rng(0), np.float64)
    book.vectors.data = start = CENTRES + 0.5
    for _ in range(300):
        h = book(tensor(Z))
        (slope,) = grad([code.terms(h)["codebook"]], [book.vectors])
        book.vectors.data = book.vectors.numpy() - slope.numpy()
    means = KMeans(4, init=start, n_init=1, max_iter=300, tol=0).fit(Z)
    np.testing.assert_allclose(book.vectors.numpy(), means.cluster_centers_, rtol=1e-9)
    np.testing.assert_array_equal(code.numbers(book(tensor(Z)))[:, 0], means.labels_)
    assert code.terms(h)["codebook"].item() == pytest.approx(means.inertia_ / 200, rel=1e-9)


# ---------------------------------------------------------------------- gradients
def test_the_gradient_goes_straight_through():
    """It is that of the surrogate in which what the decoder reads is the encoder's output plus a
    constant, and the distances have constants for what they do not move: by finite differences."""
    network, parts, X = set_up()
    parameters = network.parameters()
    terms, _ = loss_terms(network, parts, X, X, None, {})
    found = [g.numpy() for g in grad(sum(terms.values()), parameters)]
    said, vectors = network.encoder(X).numpy(), network.layer.vectors.numpy().copy()
    numbers = nearest(said, vectors)
    chosen = vectors[numbers].reshape(N, K)

    def surrogate():
        z, book = network.encoder(X).numpy(), network.layer.vectors.numpy()
        t = network.decoder(z + (chosen - said)).numpy()
        codebook = np.square(said - book[numbers].reshape(N, K)).sum()
        commitment = 0.25 * np.square(z - chosen).sum()
        return (np.square(X - t).sum() / 2 + codebook + commitment) / N

    assert sum(t.item() for t in terms.values()) == pytest.approx(surrogate(), rel=1e-12)
    for p, slope in zip(parameters, found, strict=True):
        value, direction = p.numpy().copy(), np.random.default_rng(2).standard_normal(p.shape)
        ends = []
        for step in (1e-5, -1e-5):
            p.data = value + step * direction
            ends.append(surrogate())
        p.data = value
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx((slope * direction).sum(), rel=1e-6)


def test_it_is_pytorchs_with_all_gradients():
    """As A. van den Oord et al. (2017) write it, equation 3, with detach for sg."""
    torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
    network, parts, X = set_up(commitment=0.6)
    w = {name: torch.tensor(v, requires_grad=True) for name, v in network.state_dict().items()}
    x, book = torch.tensor(X), w["layer.vectors"]
    z = x @ w["encoder.layers.0.weight"] + w["encoder.layers.0.bias"]
    pairs = z.reshape(-1, LENGTH)
    q = book[torch.cdist(pairs, book).argmin(dim=1)].reshape(N, K)
    through = z + (q - z).detach()
    t = through @ w["decoder.layers.0.weight"] + w["decoder.layers.0.bias"]
    distances = ((z.detach() - q) ** 2).sum() + 0.6 * ((z - q.detach()) ** 2).sum()
    theirs = (((x - t) ** 2).sum() / 2 + distances) / N
    terms, _ = loss_terms(network, parts, X, X, None, {})
    mine = sum(terms.values())
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-12)
    own = dict(network.named_parameters())
    leaves = [own[name] for name in w]
    others = torch.autograd.grad(theirs, list(w.values()))
    for g, other in zip(grad(mine, leaves), others, strict=True):
        np.testing.assert_allclose(g.numpy(), other.numpy(), rtol=1e-9, atol=1e-13)


def test_rows_count_by_their_weight():
    network, parts, X = set_up()
    weight = np.arange(N) / (N - 1) * 2.0
    terms, _ = loss_terms(network, parts, X, X, None, {}, weight)
    for name in ("codebook", "commitment"):
        each = [
            loss_terms(network, parts, *[X[[i]]] * 2, None, {})[0][name].item() for i in range(N)
        ]
        assert terms[name].item() == pytest.approx(weight @ each / N, rel=1e-12)


# ---------------------------------------------------------------------- in an estimator
def test_perplexity_is_that_of_the_use_of_the_codebook_in_an_epoch():
    X = np.random.default_rng(0).standard_normal((90, D))
    code = VectorQuantisedCode(8, 2)
    params = dict(code=code, scale=None, batch_size=40, schedule=None, random_state=0)
    model = ae.Autoencoder(4, learning_rate=1e-12, max_epochs=2, **params).fit(X)
    shares = np.bincount(code.numbers(model.network_.encode(X)).ravel(), minlength=8) / 180
    shares = shares[shares > 0]
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert model.history_["perplexity"] == pytest.approx([expected, expected], rel=1e-6)
    assert code.measures({}) == {}
    for use, perplexity in (([5.0, 5, 5], 3), ([0, 7.0, 0], 1)):
        memory = {"codebook_use": np.array(use)}
        assert code.measures(memory)["perplexity"] == pytest.approx(perplexity)
        assert not memory["codebook_use"].any()


def test_codes_are_few_and_learn(tmp_path):
    """Rows around four points need four vectors of a codebook of eight."""
    Z = blobs()
    X = np.hstack([Z, Z @ np.array([[1.0, 0.5], [-0.5, 1.0]])])
    params = dict(code=VectorQuantisedCode(8), scale=None, max_epochs=60, learning_rate=0.02)
    model = ae.Autoencoder(2, random_state=0, **params)
    fitted = clone(model).fit(X, sample_weight=np.ones(200))
    assert 3.5 < fitted.history_["perplexity"][-1] <= 8
    assert len(np.unique(fitted.transform(X), axis=0)) <= 8
    error = np.square(X - fitted.reconstruct(X)).mean()
    assert error < 1.3 * KMeans(4, n_init=5, random_state=0).fit(X).inertia_ / X.size
    half = clone(model).set_params(max_epochs=2).fit(X)
    half.save(tmp_path / "model.npz")
    again = ae.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.transform(X), half.transform(X))
    for other in (again, half):
        other.partial_fit(X)
    assert again.history_ == half.history_ and len(again.history_["perplexity"]) == 3


def test_it_is_by_name_and_its_parameters_too():
    model = ae.Autoencoder(2, code="vector_quantised", max_epochs=1)
    model.set_params(code__n_vectors=4).fit(blobs())
    assert len(model.network_.layer.vectors) == 4
    assert "4 vectors of 2" in repr(model.network_)


def test_the_codebook_is_pretrained_with_the_innermost_pair():
    params = dict(hidden=(4,), code=VectorQuantisedCode(6), max_epochs=0, random_state=0)
    new, begun = (
        ae.Autoencoder(2, pretrain_epochs=epochs, **params).fit(blobs()).network_.layer.vectors
        for epochs in (0, 3)
    )
    assert abs(begun.numpy() - new.numpy()).max() > 0.01


def test_a_file_that_claims_a_huge_codebook_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    ae.Autoencoder(2, code="vector_quantised", max_epochs=1).fit(blobs()).save(path)
    arrays, about = checkpoint.load(path)
    about["parts"][0]["params"]["n_vectors"] = 10**12
    checkpoint.save(path, arrays, about)
    with pytest.raises(ValueError, match="its weights have no codebook of 1000000000000 vectors"):
        ae.load(path)


def own(sizes, code, rng, dtype):
    """A network of ones own knows nothing of the codebook."""
    made = [(sizes.n_features, code.width(sizes.n_components))]
    made.append(made[0][::-1])
    return [Dense(*each, rng=rng, dtype=dtype) for each in made]


def test_a_network_of_ones_own_gets_a_codebook():
    model = ae.Autoencoder(2, network=own, code="vector_quantised", max_epochs=2).fit(blobs())
    assert len(model.history_["perplexity"]) == 2


def test_mistakes_get_a_sentence():
    X = blobs()
    for code, sentence in (
        (VectorQuantisedCode(1), "n_vectors must be a whole number of at least 2, got 1"),
        (VectorQuantisedCode(length=0), "length must be None or a whole number of at least 1"),
        (VectorQuantisedCode(length=3), "a code of 2 numbers is not made of vectors of 3"),
        (VectorQuantisedCode(commitment=-1), "commitment must be a number of at least 0"),
    ):
        with pytest.raises(ValueError, match=sentence):
            ae.Autoencoder(2, code=code).fit(X)
    for before, now in (
        (VectorQuantisedCode(4), VectorQuantisedCode(5)),
        ("linear", VectorQuantisedCode()),
    ):
        model = ae.Autoencoder(2, code=before, max_epochs=1).fit(X)
        with pytest.raises(ValueError, match=r"the training cannot go on with .* code was "):
            model.set_params(code=now, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="the derivative of VectorQuantisedCode is 0, it changes"):
        ae.Autoencoder(2, code="vector_quantised", penalty="contractive").fit(X)
    model = ae.Autoencoder(2, code="vector_quantised", max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="there is no prior None for codes of VectorQuantised"):
        model.sample(2)
