"""Proves that pictures, caches and servers of strangers end in a sentence, and run nothing."""

import contextlib
import http.server
import io
import os
import pickle
import subprocess
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from autoencoder.datasets import (
    DataUnavailable,
    download,
    load,
    load_images,
    load_mnist,
    load_olivetti,
    loaders,
    mnist,
)


# ---------------------------------------------------------------------- pictures
def picture(mode="L", size=(4, 4), seed=0):
    channels = {"L": (), "LA": (2,), "RGBA": (4,), "RGB": (3,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, *channels))
    return Image.fromarray(pixels.astype(np.uint8), mode)


def grey(image):
    return np.asarray(image.convert("L"), np.float32)[..., None] / np.float32(255)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".gif", ".tif", ".webp", ".pgm"])
def test_the_common_formats_are_read(tmp_path, ending):
    picture().save(tmp_path / f"a{ending}")
    (images,) = load_images(tmp_path).images
    with Image.open(tmp_path / f"a{ending}") as expected:
        np.testing.assert_array_equal(images, grey(expected))


@pytest.mark.parametrize("format", ["EPS", "PDF", "ICNS", "TGA", "PCX"])
def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch, format):
    started = []
    monkeypatch.setattr(subprocess, "check_call", lambda *a, **_: started.append(a))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **_: started.append(a))
    picture("RGB", (16, 16)).save(tmp_path / "a.png", format)
    with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture: cannot identify"):
        load_images(tmp_path)
    assert not started


def test_of_animated_pictures_the_first_frame_is_read_and_said(tmp_path):
    frames = [picture(seed=seed) for seed in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[1].save(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=r"1 of 2 pictures in .* have several frames, of which"):
        images = load_images(tmp_path).images
    np.testing.assert_array_equal(images, [grey(frames[0]), grey(frames[1])])


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_ignored_and_said(tmp_path, mode):
    image = picture(mode)
    image.save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"1 of 1 pictures in .* have transparency, which is"):
        images = load_images(tmp_path).images
    opaque = np.asarray(image)[..., :-1]  # (H, W, 1 or 3)
    np.testing.assert_array_equal(images, [opaque / np.float32(255)])


@pytest.mark.parametrize("name", ["pipe.npz", "pipe.npy", "folder/pipe.png", "device.npy"])
def test_pipes_and_devices_are_refused_at_once(tmp_path, name):
    (tmp_path / "folder").mkdir()
    if name == "device.npy":
        (tmp_path / name).symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / name)
    path = tmp_path / "folder" if "/" in name else tmp_path / name
    with pytest.raises(ValueError, match="is no ordinary file"):
        load_images(path)


# ---------------------------------------------------------------------- caches
def spring(path):
    open(path, "w").close()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return spring, (self.path,)


FACES = np.random.default_rng(0).integers(0, 256, (400, 4096)).astype(np.uint8)


@pytest.fixture
def invented(monkeypatch):
    """Other pixels count as the Olivetti faces."""
    checksum = loaders.hashlib.sha256(FACES.tobytes()).hexdigest()
    monkeypatch.setattr(loaders, "FACES_SHA256", checksum)


def expected():
    order = np.random.RandomState(1000).permutation(400)
    return (FACES / np.float32(255)).reshape(400, 64, 64).transpose(0, 2, 1)[order, :, :, None]


def test_the_pickle_of_the_faces_is_not_opened_as_one(tmp_path, invented):
    cache, sprung = tmp_path / "olivetti_py3.pkz", tmp_path / "sprung"
    trap = pickle.dumps(Trap(str(sprung)))[:-1]
    cache.write_bytes(zlib.compress(trap + FACES.tobytes() + b"."))
    images = load_olivetti(data_home=tmp_path).images
    np.testing.assert_allclose(images, expected(), atol=1e-7)
    cache.write_bytes(zlib.compress(pickle.dumps(Trap(str(sprung)))))
    with pytest.raises(DataUnavailable, match="is not the file that scikit-learn writes: remove"):
        load_olivetti(data_home=tmp_path)
    assert not sprung.exists()


def test_other_pixels_bombs_and_pipes_are_refused(tmp_path, invented):
    cache, other = tmp_path / "olivetti_py3.pkz", FACES.copy()
    other[399, 4095] ^= 1
    for content in (other.tobytes() + b".", bytes(2**27), b"", b"short"):
        cache.write_bytes(zlib.compress(content, 1))
        with pytest.raises(DataUnavailable, match="is not the file that scikit-learn writes"):
            load_olivetti(data_home=tmp_path)
    cache.unlink()
    os.mkfifo(cache)
    with pytest.raises(DataUnavailable, match="is no ordinary file"):
        load_olivetti(data_home=tmp_path)


def test_a_pipe_in_the_place_of_mnist_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    os.mkfifo(tmp_path / "mnist.npz")
    with pytest.raises(DataUnavailable, match="is no ordinary file"):
        load_mnist()


# ---------------------------------------------------------------------- servers
@pytest.fixture
def server(monkeypatch):
    """A server whose ``body(write)`` is what it sends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # nobody listens any more
                self.server.body(self.wfile.write)

        def log_message(self, *args):
            pass

    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/file"
        monkeypatch.setattr(mnist, "URL", address)
        monkeypatch.setattr(loaders, "FACES_URL", address)
        yield server
        server.shutdown()
        thread.join()


def endless(write):
    for _ in range(10_000):
        write(bytes(2**16))


def dripping(write):
    for _ in range(1000):
        write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("load_it", [load_olivetti, load_mnist])
@pytest.mark.parametrize(
    ("body", "words"),
    [(endless, r"it has more than \d+ bytes"), (dripping, "timed out, after .* bytes in 0.3 sec")],
)
def test_endless_and_dripping_downloads_end(server, tmp_path, monkeypatch, load_it, body, words):
    server.body = body
    for variable in ("MINIGRAD_DATA", "SCIKIT_LEARN_DATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    if body is dripping:
        monkeypatch.setattr(download, "DEADLINE", 0.3)
    with pytest.raises(DataUnavailable, match=words) as caught:
        load_it()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_faces_are_downloaded_once_and_checked(server, tmp_path, monkeypatch, invented):
    from scipy.io import savemat

    file, asked = io.BytesIO(), []
    savemat(file, {"faces": FACES.T})
    server.body = lambda write: (asked.append(1), write(file.getvalue()))
    with pytest.raises(DataUnavailable, match="hash"):
        load_olivetti(data_home=tmp_path)
    checksum = loaders.hashlib.sha256(file.getvalue()).hexdigest()
    monkeypatch.setattr(loaders, "FACES_FILE_SHA256", checksum)
    for _ in range(2):
        images = load_olivetti(data_home=tmp_path).images
        np.testing.assert_allclose(images, expected(), atol=1e-7)
    assert len(asked) == 2
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    assert load("olivetti").name == "olivetti"
