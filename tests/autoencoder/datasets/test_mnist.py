"""MNIST is read as it is published, from a file or a checked download, or refused in a sentence."""

import hashlib
import http.server
import io
import os
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from autoencoder import datasets
from autoencoder.datasets import DataUnavailable, download, load, load_digits, load_mnist, mnist

REAL = os.environ.get("MINIGRAD_DATA", "")
needs_mnist = pytest.mark.skipif(
    not (REAL and (Path(REAL) / "mnist.npz").exists()), reason="MNIST is not on this machine"
)


def keras_file(train=6, test=4, **changes):
    """The bytes of a small file like Keras's."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (train, 28, 28), np.uint8),
        "y_train": rng.integers(0, 10, train, np.uint8),
        "x_test": rng.integers(0, 256, (test, 28, 28), np.uint8),
        "y_test": rng.integers(0, 10, test, np.uint8),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **(arrays | changes))
    return buffer.getvalue(), arrays


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no name that can be looked up."""

    def refuse(*args, **kwargs):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch):
    """A local web server that sends `server.body` and counts `server.requests`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)

        def log_message(self, *args):
            pass

    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests, server.body = 0, b""
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(mnist, "URL", f"http://127.0.0.1:{server.server_port}/mnist.npz")
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("subset", "parts"), [("all", ("train", "test")), ("train", ("train",)), ("test", ("test",))]
)
def test_a_local_file_is_read_in_the_published_order(tmp_path, subset, parts):
    body, arrays = keras_file()
    (tmp_path / "mnist.npz").write_bytes(body)
    data = load_mnist(tmp_path / "mnist.npz", subset=subset)
    pixels = np.concatenate([arrays[f"x_{part}"] for part in parts])
    assert data.images.dtype == np.float32
    assert data.images.shape == (len(pixels), 28, 28, 1)
    np.testing.assert_array_equal(data.images[..., 0], pixels.astype(np.float32) / 255)
    assert data.images.max() <= 1
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == [n for part in parts for n in arrays[f"y_{part}"].tolist()]
    assert data.name == "mnist"
    assert data.description.startswith(f"{len(pixels)} handwritten digits of MNIST")


def test_the_download_is_checked_and_kept(tmp_path, server, monkeypatch):
    server.body, arrays = keras_file()
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(server.body).hexdigest())
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "new" / "folder"))
    data = load_mnist()
    assert data.labels[:6].tolist() == arrays["y_train"].tolist()
    assert load("mnist").images.tobytes() == data.images.tobytes()
    assert server.requests == 1  # the second came from the cache
    # a damaged copy is not used, but replaced
    kept = tmp_path / "new" / "folder" / "mnist.npz"
    kept.write_bytes(server.body[:-5])
    assert load_mnist().images.tobytes() == data.images.tobytes()
    assert server.requests == 2


def test_another_file_from_the_network_is_refused(server, monkeypatch, tmp_path):
    server.body, _ = keras_file()
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"no mnist\.npz of the right checksum.*hash"):
        load_mnist()
    assert server.requests == 1
    assert not (tmp_path / "mnist.npz").exists()


def test_without_network_it_is_one_sentence_and_soon(cache):
    start = time.perf_counter()
    with pytest.raises(DataUnavailable, match=r"checksum in .*cache.*MINIGRAD_DATA") as caught:
        load_mnist()
    assert time.perf_counter() - start < 10
    assert "no network in this test" in str(caught.value)
    assert mnist.URL in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_network_that_swallows_everything_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    assert download.PATIENCE < 15
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        port = silent.getsockname()[1]
        monkeypatch.setattr(mnist, "URL", f"http://127.0.0.1:{port}/mnist.npz")
        start = time.perf_counter()
        with pytest.raises(DataUnavailable, match="timed out"):
            load_mnist()
        assert time.perf_counter() - start < 10  # pooch alone would wait for 30 seconds


def test_without_pooch_a_sentence_names_it(cache, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(DataUnavailable, match=r"ModuleNotFoundError: .*pooch"):
        load_mnist()


def test_load_falls_back_on_the_digits_and_says_so(cache):
    said = []
    data = load("mnist", say=said.append)
    assert data.name == "digits"
    assert (data.images == load_digits().images).all()
    assert len(said) == 1
    assert "the 8x8 digits inside scikit-learn" in said[0]
    assert "no network in this test" in said[0]
    assert "\n" not in said[0]
    with pytest.raises(DataUnavailable):
        load("mnist", fall_back=False, say=said.append)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x_train": np.zeros((6, 28, 28))}, r"images are float64 of shape \(6, 28, 28\)"),
        ({"x_test": np.zeros((4, 8, 8), np.uint8)}, r"uint8 of shape \(4, 8, 8\)"),
        ({"y_train": np.zeros(5, np.uint8)}, r"with labels of shape \(5,\)"),
        ({"y_test": np.array([None] * 4)}, "cannot be read as MNIST, .*allow_pickle=False"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, changes, sentence):
    path = tmp_path / "odd.npz"
    path.write_bytes(keras_file(**changes)[0])
    with pytest.raises(ValueError, match=r"odd\.npz " + ".*" + sentence):
        load_mnist(path)


def test_files_without_the_parts_and_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(ValueError, match=r"with x_train, y_train, .*load_images reads other files"):
        load_mnist(path)
    whole = keras_file()[0]
    for damaged in (b"", b"junk", whole[:60], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as MNIST") as caught:
            load_mnist(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataUnavailable, match=r"There is no file .*nothing\.npz"):
        load_mnist(tmp_path / "nothing.npz")
    with pytest.raises(ValueError, match="one of all, train, test, not 'valid'"):
        load_mnist(path, subset="valid")


def test_the_name_is_known():
    assert "load_mnist" in datasets.__all__
    with pytest.raises(ValueError, match="use one of olivetti, digits, faces, mnist, or the path"):
        load("mnits")


@needs_mnist
def test_the_real_file_has_the_published_digits():
    data = load_mnist()
    assert data.images.shape == (70000, 28, 28, 1)
    assert np.bincount(data.labels[:60000]).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949
    ]  # fmt: skip
    assert data.images[:60000].mean(dtype=np.float64) == pytest.approx(0.1307, abs=1e-4)
