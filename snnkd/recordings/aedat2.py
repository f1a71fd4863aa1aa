r"""AEDAT 2.0: what jAER writes, of a DVS128 and of the DAVIS cameras.

Lines that begin with ``#`` and end with CR LF, the first ``#!AER-DAT2.0``; then records of 8 bytes, big-endian: an
address (uint32) and a time in µs (uint32). Newer files end their header with the line ``#End Of ASCII Header``. In
older ones it ends before the first line that is no text: an event may begin with the byte of ``#``, but the low byte
of a DAVIS event is 0, which no header line holds.

============  =======================  =====================================
bits          DAVIS (bit 31 clear)     DVS128 (bits 15..31 clear)
============  =======================  =====================================
row           22..30, from the bottom  8..14, from the bottom
column        12..21, from the right   1..7, from the right
polarity      11, set is ON            0, **clear** is ON
no pixel      10: external input       15, 31: external input
============  =======================  =====================================

With bit 31 set a DAVIS word is a sample of a frame (APS), or of the inertial sensor where bits 10 and 11 are both
set. What is no pixel is left out and counted in ``metadata``: ``aps_words``, ``imu_words``, ``external_events``.

Rows are turned to count from the top and columns from the left, so that images stand upright and unmirrored: jAER
displays ``W−1−column`` with row 0 at the bottom (its ``DavisBaseCamera`` and ``DVS128`` extractors, with
``DavisChip`` for the bits), and v2e turns both axes when it writes such files. For the polarity of the DVS128 too this
follows jAER and libcaer (a raw 0 is ON), although iniVation's page on the format says the reverse.

The camera is named by the header's ``AEChip`` or ``HardwareInterface``. Where neither is there (v2e, jAER before 2014)
the addresses tell it, with a warning: DVS128 when none uses more than 16 bits, else the smallest DAVIS that all
pixels fit into. Times wrap after 2^32 µs: a fall of nearly that much counts as a wrap.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events
from snnkd.recordings._file_parts import read_array
from snnkd.recordings.recording import CHUNK, Recording
from snnkd.recordings.registry import register_format

MAGIC = b"#!AER-DAT"
END = b"#End Of ASCII Header"
LONGEST_LINE = 1 << 20
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
NO_PIXEL, IMU = 0x8000_0400, 0x8000_0C00
RECORD = np.dtype([("address", ">u4"), ("t", ">u4")])
CAMERAS = {"DVS128": (128, 128), "DAVIS240": (240, 180), "DAVIS346": (346, 260), "DAVIS640": (640, 480)}
"""The cameras whose addresses are known, and the sizes of their sensors (W, H)."""

CHIPS = {
    "DVS128": re.compile(r"DVS128|TMPDIFF128"),
    "DAVIS240": re.compile(r"DAVIS240[ABC]?|DVS240"),
    "DAVIS346": re.compile(r"DAVIS346\w*"),
    "DAVIS640": re.compile(r"DAVIS640(COLOR)?"),
}
"""How jAER's chips and interfaces are called, in capitals."""

WRAP = (1 << 32) - (1 << 28)
"""A fall of time by more than this is a wrap: no 268 s pass there without an event."""


class Aedat2Recording(Recording):
    """An AEDAT 2.0 recording.

    Args:
        path: the file.
        camera: one of :data:`CAMERAS`; as the header or the addresses tell it when left out.

    Raises ``ValueError`` for another camera, :class:`RecordingError` for the file.
    """

    format = "AEDAT2"

    def __init__(self, path: str | PathLike[str], *, camera: str | None = None) -> None:
        super().__init__(path)
        if camera is not None and camera not in CAMERAS:
            raise ValueError(f"camera must be one of {', '.join(CAMERAS)}, got {camera!r}")
        self._read_header()
        self._count, rest = divmod(self.path.stat().st_size - self._start, RECORD.itemsize)
        self.camera = camera or self._named_camera() or self._guess_camera()
        self.metadata |= {"camera": self.camera, **self._survey[1]}
        self._warn_of_rest(rest, "a cut record")

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H)."""
        return CAMERAS[self.camera]

    def _read_header(self) -> None:
        """Find the first record, and put what the header says of the camera into the metadata."""
        with self.path.open("rb") as file:
            first = file.readline(64)
            if not first.startswith(MAGIC + b"2.0"):
                version = first.removeprefix(MAGIC).strip()[:8].decode("ascii", "backslashreplace")
                what = (
                    f"AEDAT of version {version}" if first.startswith(MAGIC) else "no AEDAT: its first line is another"
                )
                raise self._error(f"is {what}; only 2.0 and 4.0 can be read, which jAER and DV export")
            if not first.endswith(b"\n"):
                raise self._error("the header is cut in its first line")
            while True:
                self._start = file.tell()
                line = file.readline(LONGEST_LINE)
                if not line.startswith(b"#") or CONTROL.search(line.rstrip(b"\r\n")):
                    return
                if not line.endswith(b"\n"):
                    raise self._error(f"the header is cut in the line at byte {self._start}")
                if line.startswith(END):
                    self._start = file.tell()
                    return
                key, _, value = line[1:].decode("utf-8", "replace").partition(":")
                if key.strip() in ("AEChip", "HardwareInterface"):
                    self.metadata.setdefault(key.strip(), value.strip()[:200])

    def _named_camera(self) -> str | None:
        chip = self.metadata.get("AEChip")
        interface = self.metadata.get("HardwareInterface", "")
        for name in ((chip or "").rpartition(".")[2], re.split("[ -]", interface)[0]):
            for camera, names in CHIPS.items():
                if names.fullmatch(name.upper()):
                    return camera
        if chip:
            raise self._error(
                f"was recorded by a {chip!r}, whose addresses are not known; if they are those of one of "
                f"{', '.join(CAMERAS)}, say so (the argument camera of Aedat2Recording)"
            )
        return None

    def _guess_camera(self) -> str:
        largest, width, height = 0, 0, 0
        for begin in range(0, self._count, CHUNK):
            address = self._records(begin)["address"].astype(np.uint32)
            largest = max(largest, int(address.max()))
            pixels = address[(address & NO_PIXEL) == 0]
            width = max(width, int((pixels >> 12 & 0x3FF).max(initial=0)) + 1)
            height = max(height, int((pixels >> 22 & 0x1FF).max(initial=0)) + 1)
        fitting = (
            name for name in ("DAVIS240", "DAVIS346") if width <= CAMERAS[name][0] and height <= CAMERAS[name][1]
        )
        camera = "DVS128" if largest < 1 << 16 else next(fitting, "DAVIS640")
        if self._count:
            self._warn(f"the header names no camera; by its addresses it was taken for a {camera}")
        return camera

    def _records(self, begin: int) -> NDArray[np.void]:
        """The chunk of records that begins with number ``begin``."""
        return read_array(self, self.path, RECORD, self._byte(begin), min(CHUNK, self._count - begin))

    def _split(
        self, records: NDArray[np.void], begin: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_], dict[str, int]]:
        """The addresses of a chunk of records, which of them are pixels, and how many are what else."""
        address = records["address"].astype(np.uint32)
        if self.camera == "DVS128":
            pixel = (address & 0x8000_8000) == 0
            wrong = pixel & (address > 0x7FFF)
            if wrong.any():
                i = int(wrong.argmax())
                raise self._error(
                    f"the record at byte {self._byte(begin + i)} has the address {address[i]:#010x}, which a DVS128 "
                    "does not send"
                )
            return address, pixel, {"external_events": len(address) - int(pixel.sum())}
        pixel = (address & NO_PIXEL) == 0
        frame_or_inertial = address >> 31 == 1
        inertial = int((address & IMU == IMU).sum())
        return (
            address,
            pixel,
            {
                "aps_words": int(frame_or_inertial.sum()) - inertial,
                "imu_words": inertial,
                "external_events": len(address) - int(pixel.sum()) - int(frame_or_inertial.sum()),
            },
        )

    @cached_property
    def _survey(self) -> tuple[tuple[int, int, int], dict[str, int]]:
        """One pass: number of events, first and last time; and how many words are no events."""
        count, first, last = 0, 0, 0
        words: dict[str, int] = {}
        clock = Clock()
        for begin in range(0, self._count, CHUNK):
            records = self._records(begin)
            _, pixel, others = self._split(records, begin)
            words = {name: words.get(name, 0) + n for name, n in others.items()}
            times = clock.unwrap(records["t"][pixel])
            if len(times):
                first = first if count else int(times[0])
                count, last = count + len(times), int(times[-1])
        return (count, first, last), words

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        return self._survey[0]

    def _read_chunks(self) -> Iterator[Events]:
        width, height = self.sensor_size
        index = 0
        clock = Clock()
        for begin in range(0, self._count, CHUNK):
            records = self._records(begin)
            address, pixel, _ = self._split(records, begin)
            address = address[pixel]
            if self.camera == "DVS128":
                x, y, p = address >> 1 & 0x7F, address >> 8 & 0x7F, ~address & 1
            else:
                x, y, p = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
            t = clock.unwrap(records["t"][pixel])
            columns = (width - 1 - x.astype(np.int64), height - 1 - y.astype(np.int64), t, p.astype(np.int64))
            yield self._pack(*columns, index)
            index += len(t)

    def _byte(self, record: int) -> int:
        return self._start + record * RECORD.itemsize

    def _place(self, index: int) -> str:
        left = index
        for begin in range(0, self._count, CHUNK):
            pixels = np.flatnonzero(self._split(self._records(begin), begin)[1])
            if left < len(pixels):
                return f"event {index} (byte {self._byte(begin + int(pixels[left]))})"
            left -= len(pixels)
        return f"event {index}"


class Clock:
    """Makes times that never wrap of the file's 32 bits, chunk by chunk."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._wraps = 0

    def unwrap(self, raw: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The times of the next records (N,)."""
        times = raw.astype(np.int64)
        if not len(times):
            return times
        first = times[0] if self._last is None else self._last
        falls = np.diff(times, prepend=first) < -WRAP
        self._last = int(times[-1])
        wraps = self._wraps + np.cumsum(falls)
        self._wraps = int(wraps[-1])
        return times + (wraps << 32)


register_format(
    "AEDAT2",
    Aedat2Recording,
    recognises=lambda path, head: head.startswith(MAGIC) and not head.startswith(MAGIC + b"4"),
    extensions=(".aedat", ".aedat2"),
)
