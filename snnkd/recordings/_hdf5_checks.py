"""What is looked at before an HDF5 file's data are read, for HDF5 itself trusts the file.

Data that were never written read as zeros, so a data set with less in the file than it promises is refused; so is one
whose data lie in another file, whose filter is not there, or whose chunks, each of which HDF5 holds in memory whole,
are much larger than the file.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings.recording import Recording

ECF = 0x8ECF
"""Number of Prophesee's filter, from its documentation."""

LARGEST_CHUNK, USUAL_CHUNK, SHARE = 1 << 28, 1 << 24, 64
"""Bytes of a chunk that are taken: at most the first, and what is above the second must be below SHARE files."""

FRAME_BYTES = 1 << 22
"""Bytes of frames that are read at once, if one is not larger."""


@contextmanager
def opened(recording: Recording) -> Iterator[Any]:
    """A recording's open HDF5 file; what HDF5 finds wrong with it becomes a RecordingError."""
    import h5py

    try:
        with h5py.File(recording.path, "r") as file:
            yield file
    except BlockingIOError as error:
        raise recording._error("is locked: another program has it open to write; read it when that is done") from error
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, MemoryError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise recording._error(f"the HDF5 file is cut or damaged: {reason}") from error


def check_data(recording: Recording, file: Any, dataset: Any, name: str) -> None:
    """Refuse a data set that cannot be read, or not without inventing data; the reasons are in the docstring above."""
    _check_place(recording, file, dataset, name)
    _check_filters(recording, dataset, name)
    _check_extent(recording, dataset, name)


def _check_place(recording: Recording, file: Any, dataset: Any, name: str) -> None:
    import h5py

    properties = dataset.id.get_create_plist()
    elsewhere = properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count()
    if elsewhere or dataset.file.filename != file.filename:
        raise recording._error(f"the data set {name} lies in other files; copy it into one")


def _check_filters(recording: Recording, dataset: Any, name: str) -> None:
    import h5py

    properties = dataset.id.get_create_plist()
    for i in range(properties.get_nfilters()):
        number, _, _, label = properties.get_filter(i)
        if number == ECF:
            raise recording._error(
                f"{name} is compressed with Prophesee's ECF, which no package that can be installed reads; "
                "convert the file to RAW or DAT with Prophesee's own tools"
            )
        remedy = "nor does hdf5plugin bring it; write the file anew with gzip, where the filter is"
        if not h5py.h5z.filter_avail(number):
            try:
                importlib.import_module("hdf5plugin")  # which makes its filters known
            except ImportError:
                remedy = "try: pip install hdf5plugin"
        if not h5py.h5z.filter_avail(number):
            known_as = label.decode("ascii", "replace")[:40]
            raise recording._error(
                f"{name} is compressed with the filter {number} ({known_as}), which is not installed; {remedy}"
            )


def _check_extent(recording: Recording, dataset: Any, name: str) -> None:
    if not dataset.size:
        return
    if dataset.chunks is None:
        if dataset.id.get_storage_size() < dataset.size * dataset.dtype.itemsize:
            raise recording._error(f"the data set {name} promises {dataset.shape} and holds less")
        return
    held = recording.path.stat().st_size
    largest = min(LARGEST_CHUNK, max(USUAL_CHUNK, SHARE * held))
    if prod(dataset.chunks) * dataset.dtype.itemsize > largest:
        raise recording._error(f"the data set {name} has chunks {dataset.chunks}, over {largest} bytes each")
    promised = prod(ceil(n / chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    if promised > held or dataset.id.get_num_chunks() < promised:
        raise recording._error(f"the data set {name} promises {dataset.shape}, but some of it was never written")


def check_frames(recording: Recording, file: Any, images: str, times: str) -> bool:
    """Whether there are frames; refuses such as the layouts do not have: uint8 (M, H, W) and as many times."""
    import h5py

    found = [file.get(name) for name in (images, times)]
    if not all(isinstance(dataset, h5py.Dataset) for dataset in found):
        return False
    shapes: list[tuple[int, ...]] = [dataset.shape or () for dataset in found]
    if len(shapes[0]) != 3 or found[0].dtype != np.uint8 or len(shapes[1]) != 1 or found[1].dtype.kind not in "iu":
        kinds = " and ".join(f"{dataset.dtype} {dataset.shape}" for dataset in found)
        raise recording._error(f"its frames ({images} and {times}) are {kinds}, not as the layout has it")
    if shapes[0][0] != shapes[1][0]:
        raise recording._error(f"there are {shapes[0][0]} frames and {shapes[1][0]} timestamps")
    for dataset, name in zip(found, (images, times), strict=True):
        check_data(recording, file, dataset, name)
    return True


def read_times(recording: Recording, name: str) -> NDArray[np.int64]:
    """The times of frames, which never decrease."""
    with opened(recording) as file:
        times = file[name][()]
    if len(times) and times.dtype.kind == "u" and times.max() > np.uint64(2**62):
        raise recording._error(f"its {name} reach {times.max()} µs, which is no time")
    return recording._ordered_times(times.astype(np.int64))


def read_images(recording: Recording, name: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the images one by one; a few MB are read at once, and whole chunks of the file."""
    with opened(recording) as file:
        count, height, width = file[name].shape
        together = (file[name].chunks or (1,))[0]
    step = max(1, FRAME_BYTES // max(height * width * together, 1)) * together
    for begin in range(0, count, step):
        with opened(recording) as file:
            part = file[name][begin : begin + step]
        yield from part
