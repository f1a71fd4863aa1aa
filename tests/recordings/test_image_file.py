"""One image of a file: what is whole is read, however small it is, and what is cut or claims too much is refused."""

import struct
import tracemalloc

import cv2
import numpy as np
import pytest

from snnkd.recordings._image_file import read_grey


def jpg(image, *parameters):
    whole, data = cv2.imencode(".jpg", image, parameters)
    assert whole
    return data.tobytes()


def with_preview(data, preview):
    """A JPG with another JPG in its first segment, as cameras put it there."""
    segment = b"Exif\0\0" + preview
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment + data[2:]


NOISE = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("color", [False, True])
def test_the_smallest_of_large_jpgs_is_no_damage(tmp_path, progressive, color):
    """One grey, with codes made for it alone: no JPG has more pixels a byte."""
    image = np.full((3000, 3000, 3) if color else (3000, 3000), 128, np.uint8)
    options = (cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_QUALITY, 1)
    path = tmp_path / "x.jpg"
    path.write_bytes(jpg(image, *options))
    assert (read_grey(path) == 128).all()


@pytest.mark.parametrize("claimed", [(9000, 9000), (30_000, 30_000), (65_000, 65_000)])
def test_a_size_beyond_the_bytes_is_refused_without_the_memory_for_it(tmp_path, claimed):
    data = jpg(NOISE)
    at = data.index(b"\xff\xc0") + 5
    path = tmp_path / "x.jpg"
    path.write_bytes(data[:at] + struct.pack(">HH", *claimed) + data[at + 4 :])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"claims {claimed[0] * claimed[1]} pixels in {len(data)} bytes"):
            read_grey(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["grey", "colour", "bits"])
def test_the_smallest_of_large_pngs_is_no_damage(tmp_path, kind):
    image = np.zeros((6000, 6000, 3) if kind == "colour" else (6000, 6000), np.uint8)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_BILEVEL, int(kind == "bits")]
    path = tmp_path / "x.png"
    assert cv2.imwrite(str(path), image, options)
    assert not read_grey(path).any()


def test_a_png_beyond_its_bytes_is_refused(tmp_path):
    whole, data = cv2.imencode(".png", NOISE)
    assert whole
    data = data.tobytes()
    path = tmp_path / "x.png"
    path.write_bytes(data[:16] + struct.pack(">II", 20_000, 20_000) + data[24:])
    with pytest.raises(ValueError, match=rf"claims 400000000 pixels in {len(data)} bytes"):
        read_grey(path)
    for length in (2, 20, 25, len(data) // 2, len(data) - 9):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"^is cut$"):
            read_grey(path)


def test_the_end_of_a_preview_is_not_the_end(tmp_path):
    path = tmp_path / "x.jpg"
    whole = with_preview(jpg(NOISE), jpg(NOISE[::2, ::2].copy()))
    path.write_bytes(whole)
    assert read_grey(path).shape == NOISE.shape
    np.testing.assert_array_equal(read_grey(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    for length in range(2, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"^is cut$"):
            read_grey(path)


def test_bytes_behind_the_end_do_no_harm(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(jpg(NOISE) + bytes(5000))
    assert read_grey(path).shape == NOISE.shape


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(ValueError, match=r"^cannot be read: No such file or directory$"):
        read_grey(tmp_path / "x.jpg")
