"""One image of a file as grey levels, read without trusting the file.

OpenCV fills up an image that was cut, which would pass for a grey one, and takes memory for whatever size a header
claims. So a JPG or PNG has to have its end, and to claim no more than its bytes can tell: in a JPG each block of 64
pixels takes at least one bit, which makes 512 pixels a byte; PNG's deflate makes at most 1032 bytes of one. JPG has no
checksum: damage that decodes to a whole image cannot be told.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

JPG, PNG = b"\xff\xd8", b"\x89P"
END_OF_JPG, END_OF_PNG = b"\xff\xd9", b"IEND"
PIXELS_PER_BYTE, DEFLATED = 512, 1032

_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a JPG before its size; those three are tables
_SCAN = 0xDA
_CHANNELS = {2: 3, 4: 2, 6: 4}  # of a PNG's kinds of colour; the others have one


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W): colour by OpenCV's weights, 16 bits as their upper 8.

    Raises ``ValueError`` with what is wrong with the file, to follow upon its name.
    """
    return decode_grey(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Content of a file; ``ValueError`` as :func:`read_grey` raises it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error


def decode_grey(data: bytes) -> NDArray[np.uint8]:
    """Decode what :func:`read_grey` reads, and raise as it does."""
    import cv2

    if data.startswith(JPG):
        _check_jpg(data)
    elif data.startswith(PNG):
        _check_png(data)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    except cv2.error:  # what calls itself larger than OpenCV takes
        image = None
    if image is None:
        raise ValueError("is damaged: OpenCV cannot read it")
    return np.asarray(image, np.uint8)


def _check_jpg(data: bytes) -> None:
    """Walk over the segments, each a marker and its length, to the first scan: its end must follow, ``FF D9``."""
    position, pixels, marker = 2, 0, 0
    while marker != _SCAN and position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a byte that fills up
            position += 1
            continue
        if marker in _SIZES:
            size = data[position + 5 : position + 9]
            pixels = max(pixels, int.from_bytes(size[:2], "big") * int.from_bytes(size[2:], "big"))
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    if data.rfind(END_OF_JPG) < position:  # one before it ends a preview
        raise ValueError("is cut")
    if marker != _SCAN or not pixels:
        raise ValueError(f"is damaged: no segment of a JPG begins at byte {position}")
    if pixels > PIXELS_PER_BYTE * len(data):
        raise ValueError(f"is damaged: it claims {pixels} pixels in {len(data)} bytes")


def _check_png(data: bytes) -> None:
    """The header, 13 bytes at 16: width, height, bits of a channel, kind of colour. The last chunk is ``IEND``."""
    if END_OF_PNG not in data[-4096:]:
        raise ValueError("is cut")
    width, height = (int.from_bytes(data[begin : begin + 4], "big") for begin in (16, 20))
    depth, kind = [*data[24:26], 0, 0][:2]
    if width * height * depth * _CHANNELS.get(kind, 1) > 8 * DEFLATED * len(data):
        raise ValueError(f"is damaged: it claims {width * height} pixels in {len(data)} bytes")
