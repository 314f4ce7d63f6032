"""Proves that pictures as people have them are read as they look, of any depth, turn, kind and
size, and that what cannot be read is named in a sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from autoencoder.datasets import load_images

RNG = np.random.default_rng(0)


def save(path, pixels, mode=None, **how):
    Image.fromarray(pixels, mode).save(path, **how)


def png(width, height, depth, kind, raw=b""):
    """A PNG file as bytes; `raw` are its lines, each with a 0 before it."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# ---------------------------------------------------------------------- depth
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_grey_pictures_of_16_bits_keep_their_depth(tmp_path, name):
    pixels = RNG.integers(0, 65536, (5, 4)).astype(np.uint16)
    save(tmp_path / name, pixels)
    save(tmp_path / "b.png", (pixels >> 8).astype(np.uint8))  # beside one of 8 bits
    images = load_images(tmp_path).images[..., 0]
    np.testing.assert_array_equal(images[0], pixels.astype(np.float32) / np.float32(65535))
    np.testing.assert_array_equal(images[1], (pixels >> 8).astype(np.float32) / np.float32(255))


def test_arrays_of_16_bits_keep_their_depth(tmp_path):
    pixels = RNG.integers(256, 65536, (2, 5, 4)).astype(np.uint16)
    np.save(tmp_path / "a.npy", pixels)
    images = load_images(tmp_path / "a.npy").images[..., 0]
    np.testing.assert_array_equal(images, pixels.astype(np.float32) / np.float32(65535))
    np.save(tmp_path / "a.npy", pixels >> 8)  # 8 bits in 16
    assert load_images(tmp_path / "a.npy").images.max() > 0.9


def test_of_colours_of_16_bits_8_are_read_and_said(tmp_path):
    pixels = RNG.integers(0, 65536, (5, 4, 3)).astype(">u2")
    raw = b"".join(b"\0" + line.tobytes() for line in pixels)
    (tmp_path / "a.png").write_bytes(png(4, 5, 16, 2, raw))
    with pytest.warns(UserWarning, match="1 of 1 pictures .* 16 bits a colour, of which 8 are"):
        images = load_images(tmp_path).images
    np.testing.assert_allclose(images[0], pixels / 65535, atol=1 / 255)


def test_floats_are_read_as_they_are_and_32_bits_refused(tmp_path):
    pixels = RNG.random((5, 4), dtype=np.float32)
    save(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(load_images(tmp_path).images[0, ..., 0], pixels)
    save(tmp_path / "a.tif", 300 * pixels)
    with pytest.raises(ValueError, match=r"a\.tif .* its numbers run from .* and 0 to 1 is needed"):
        load_images(tmp_path)
    save(tmp_path / "a.tif", (70_000 * pixels).astype(np.int32))
    with pytest.raises(ValueError, match=r"a\.tif .* 32 bits a pixel.* save it with 16"):
        load_images(tmp_path)


def tiff(pixels, bits, white_is_zero=False, floats=False):
    """A TIFF file of grey `pixels` (H, W) as bytes, without compression."""
    (height, width), raw = pixels.shape, pixels.tobytes()
    if bits == 12:  # two numbers in three bytes
        a, b = pixels.reshape(-1, 2).T.astype(int)
        raw = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], axis=1).astype("u1").tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 0 if white_is_zero else 1, 273: 8}
    tags |= {277: 1, 278: height, 279: len(raw), 339: 3 if floats else 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(raw)) + raw + directory


def test_tiff_of_12_bits_is_as_bright_as_others(tmp_path):
    pixels = RNG.integers(0, 4096, (5, 4)).astype(np.uint16)
    pixels[0, :2] = 0, 4095
    (tmp_path / "a.tif").write_bytes(tiff(pixels, 12))
    images = load_images(tmp_path).images[0, ..., 0]
    np.testing.assert_array_equal(images, pixels.astype(np.float32) / np.float32(4095))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_tiff_in_which_0_is_white_is_read_as_it_looks(tmp_path, kind):
    floats = kind is np.float32
    largest = 1 if floats else np.iinfo(kind).max
    pixels = (RNG.random((5, 4)) * largest).astype(kind)
    bits = 8 * pixels.itemsize
    (tmp_path / "a.tif").write_bytes(tiff(pixels, bits, floats=floats))
    (tmp_path / "b.tif").write_bytes(tiff(pixels, bits, white_is_zero=True, floats=floats))
    black, white = load_images(tmp_path).images
    np.testing.assert_array_equal(black[..., 0], pixels / np.float32(largest))
    np.testing.assert_allclose(white, 1 - black, atol=1e-6)


# ---------------------------------------------------------------------- kinds
def test_pictures_are_turned_as_their_tag_says(tmp_path):
    pixels = RNG.integers(0, 256, (6, 4)).astype(np.uint8)
    tag = Image.Exif()
    tag[0x0112] = 6  # to be turned by a quarter
    save(tmp_path / "a.png", pixels, exif=tag)
    save(tmp_path / "b.png", np.rot90(pixels, -1))
    images = load_images(tmp_path).images
    assert images.shape == (2, 4, 6, 1)
    np.testing.assert_array_equal(images[0], images[1])


def test_all_kinds_of_pictures_are_read_as_they_look(tmp_path):
    red = np.zeros((6, 6, 3), np.uint8)
    red[...] = (255, 0, 0)
    picture = Image.fromarray(red)
    picture.save(tmp_path / "rgb.png")
    picture.convert("P").save(tmp_path / "palette.png")
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    picture.save(tmp_path / "plain.ppm")
    bits = Image.fromarray(np.arange(36).reshape(6, 6) % 2 == 0)
    bits.save(tmp_path / "bits.png")
    data = load_images(tmp_path)
    images = dict(zip(data.names, data.images, strict=True))
    black_and_white = images.pop("bits.png")
    assert set(np.unique(black_and_white)) == {0, 1} and black_and_white[0, 0, 0] == 1
    assert set(images) == {"rgb.png", "palette.png", "cmyk.tif", "plain.ppm"}
    for name, image in images.items():
        np.testing.assert_array_equal(image, np.broadcast_to([1, 0, 0], (6, 6, 3)), name)


def test_a_palette_with_transparency_is_read_without_it_and_said(tmp_path):
    picture = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6), "P")
    picture.putpalette([value for k in range(256) for value in (k, 0, 255 - k)])
    picture.save(tmp_path / "a.png", transparency=bytes(range(256)))
    with pytest.warns(UserWarning, match="1 of 1 pictures in .* have transparency, which is"):
        images = load_images(tmp_path).images
    np.testing.assert_array_equal(images[0, 0, 2], np.float32([2, 0, 253]) / np.float32(255))


# ---------------------------------------------------------------------- one size
def test_pictures_of_mixed_sizes_need_a_size(tmp_path):
    save(tmp_path / "a.png", RNG.integers(0, 256, (6, 4)).astype(np.uint8))
    save(tmp_path / "b.png", RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8))
    with pytest.raises(ValueError, match=r"a\.png is 4x6 and .*b\.png is 40x30 pixels.*--size"):
        load_images(tmp_path)
    for fit in ("crop", "pad", "stretch"):
        images = load_images(tmp_path, size=(5, 8), fit=fit).images
        assert images.shape == (2, 5, 8, 3) and images.min() >= 0 and images.max() <= 1
    assert load_images(tmp_path, size=7).images.shape == (2, 7, 7, 3)


def test_crop_cuts_pad_adds_and_stretch_distorts(tmp_path):
    wide = np.zeros((20, 40), np.uint8)
    wide[:, 10:30] = 255  # the middle is white
    save(tmp_path / "a.png", wide)
    crop, pad, stretch = (
        load_images(tmp_path, size=20, fit=fit).images[0, ..., 0]
        for fit in ("crop", "pad", "stretch")
    )
    assert (crop == 1).all()  # the sides are cut off
    assert (pad[[0, 4, 15, 19]] == 0).all() and (pad[6:14, 7:13] == 1).all()
    assert (stretch[:, :4] == 0).all() and (stretch[:, 7:13] == 1).all()
    tall = load_images(tmp_path, size=(20, 10)).images[0, ..., 0]
    np.testing.assert_array_equal(tall, wide[:, 15:25] / 255)


def test_many_pixels_become_their_average_and_nothing_overshoots(tmp_path):
    noise = RNG.integers(0, 2, (400, 400)).astype(np.uint8) * 255
    save(tmp_path / "a.png", noise)
    small = load_images(tmp_path, size=8).images
    np.testing.assert_allclose(small, 0.5, atol=0.05)  # every 50th pixel would be 0 or 1
    large = load_images(tmp_path, size=900).images
    assert large.min() == 0 and large.max() == 1


def test_16_bits_stay_when_the_size_changes_and_arrays_are_fitted_too(tmp_path):
    pixels = np.full((8, 8), 301, np.uint16)  # 1.17 levels of 8 bits
    save(tmp_path / "a.png", pixels)
    np.testing.assert_allclose(load_images(tmp_path, size=4).images, 301 / 65535, rtol=1e-5)
    np.save(tmp_path / "a.npy", np.stack([pixels, pixels]).astype(np.uint8))
    assert load_images(tmp_path / "a.npy", size=(2, 4)).images.shape == (2, 2, 4, 1)


@pytest.mark.parametrize("how", [{"size": 0}, {"size": (3, 4, 5)}, {"size": 2.5}, {"fit": "cut"}])
def test_impossible_sizes_are_refused(tmp_path, how):
    save(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=f"^{next(iter(how))} must be"):
        load_images(tmp_path, **how)


# ---------------------------------------------------------------------- what cannot be read
def test_every_unreadable_picture_is_named_at_once(tmp_path):
    good = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40)).astype(np.uint8)).save(good, "PNG")
    for k in range(9):
        (tmp_path / f"{k}.png").write_bytes(good.getvalue())
    (tmp_path / "3.png").write_bytes(good.getvalue()[:200])  # cut short
    with pytest.raises(ValueError, match=r"3\.png cannot be read as a picture: .*mend or remove"):
        load_images(tmp_path)
    for k in (1, 5, 7, 8):
        (tmp_path / f"{k}.png").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"1\.png .* 4 others of the 9 there \(3\.png, 5\.png, 7"):
        load_images(tmp_path)


def test_huge_declared_sizes_are_refused_before_they_are_read(tmp_path):
    for side in (10_000, 100_000):  # where Pillow warns, and where it refuses
        (tmp_path / "a.png").write_bytes(png(side, side, 8, 0))
        with pytest.raises(ValueError, match=r"a\.png cannot be read .*decompression bomb"):
            load_images(tmp_path)


def test_loops_of_links_end(tmp_path):
    save(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "folder.png").mkdir()
    assert load_images(tmp_path).names == ("a.png",)
    (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png is no ordinary file"):
        load_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        load_images(tmp_path / "b.png")


def test_pictures_of_kinds_that_are_not_read_are_told_of(tmp_path):
    save(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    (tmp_path / "b.HEIC").write_bytes(b"a phone's")
    with pytest.warns(UserWarning, match=r"1 files in .* are left out, such as b\.HEIC"):
        assert len(load_images(tmp_path).images) == 1
