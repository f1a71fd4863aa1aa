"""Windows of sequences that are kept as images: event images and frames, one of each a window.

An event image's pixels count as ON and OFF by the rule of :mod:`snnkd.recordings.see_images`; each marked pixel is one
event, mapped as :func:`snnkd.events.bin_events` maps the events of recordings: the value is the number of event
pixels of the image that fall into the output pixel. Frames are means over areas, as :func:`~snnkd.datasets.sample.
fit_frame` gives them, to a grey level (a half may be rounded the other way).

A window may be several images long: then their counts are summed, up to 255, and the frame is that of the last.

Images are decoded in full. JPEG's cost is in its bits, not its pixels: decoding at half size saves a tenth of the
time, moves frames by a quarter grey level on average, and would blur event images.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.sample import Windows, fit_frame, import_cv2
from snnkd.errors import DatasetError
from snnkd.events import centre_square
from snnkd.recordings._image_file import decode_grey, read_bytes
from snnkd.recordings.see_images import BACKGROUND, LARGEST, margin_of

VERSION = 2
"""Of the decoding, for caches: another number whenever the same files give other windows."""


def images_each(window_us: int, image_us: int, where: object) -> int:
    """Number of images of ``image_us`` in a window; :class:`DatasetError` naming ``where`` if it is not whole."""
    each, rest = divmod(window_us, image_us)
    if rest or not each:
        raise DatasetError(
            f"{where}: its event images cover {image_us} µs each, so a window can have {image_us}, {2 * image_us}, "
            f"{3 * image_us} µs and so on, not window_us {window_us}; set one of these, or take a model that was "
            "trained with one"
        )
    return each


def read_images(
    events: Sequence[Path], frames: Sequence[Path], size: tuple[int, int], margin: int, each: int = 1
) -> Windows:
    """Windows ``(N,)`` of ``each`` consecutive event images, one frame a window, at ``size`` (W, H); no frames where
    none are named.

    Raises :class:`DatasetError` naming the image that is missing, damaged or too large.
    """
    import_cv2()
    number = len(events) // each
    counts = np.empty((number, 2, size[1], size[0]), np.uint8)
    one = np.empty_like(counts[0]) if number else counts
    for i, path in enumerate(events):
        image, data = read_image(path)
        n, later = divmod(i, each)
        count_events(image, margin_of(data, image, margin), one if later else counts[n])
        if later:
            counts[n] += np.minimum(one, 255 - counts[n])
    pictures = np.zeros((number, size[1], size[0]), np.uint8)
    for i, path in enumerate(frames):
        pictures[i] = shrink(read_image(path)[0], size)
    return Windows(counts, pictures)


def count_events(image: NDArray[np.uint8], margin: int, out: NDArray[np.uint8]) -> None:
    """Write the event pixels of the centred square of one accumulated image (h, w) to ``out`` (2, H, W)."""
    from snnkd.datasets._image_kernel import count_marked

    left, top, side, _ = centre_square((image.shape[1], image.shape[0]))
    count_marked(image, BACKGROUND, margin, left, top, side, out)


def shrink(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Map the centred square of a frame (h, w) onto ``size`` (W, H)."""
    left, top, side, _ = centre_square((image.shape[1], image.shape[0]))
    if max(size) > side or size == (side, side):
        return fit_frame(image, size)
    from snnkd.datasets._image_kernel import area_mean

    out = np.empty(size[::-1], np.uint8)
    area_mean(image, left, top, side, *_shares(side, size[1]), *_shares(side, size[0]), out)
    return out


@lru_cache(maxsize=16)
def _shares(side: int, parts: int) -> Any:
    from snnkd.datasets._image_kernel import shares

    return shares(side, parts)


def read_image(path: Path) -> tuple[NDArray[np.uint8], bytes]:
    """Grey image ``(h, w)`` of a file, and the file's content."""
    try:
        data = read_bytes(path)
        image = decode_grey(data)
    except ValueError as error:
        kind = "JPG" if path.suffix.lower() in (".jpg", ".jpeg") else path.suffix[1:].upper()
        raise DatasetError(f"{path}: not a whole {kind} image: it {error}; fetch the sequence again") from error
    if max(image.shape) > LARGEST:
        raise DatasetError(f"{path}: is larger than {LARGEST} pixels a side; fetch the sequence again")
    return image, data


def image_reading(size: tuple[int, int], margin: int) -> dict[str, Any]:
    """What these windows depend on besides the files."""
    return {"images": VERSION, "size": list(size), "margin": margin}
