"""AEDAT4: what iniVation's DV writes (events, frames, inertial measurements and triggers in one file).

The package ``aedat`` decodes the packets. Times are µs since 1970 on most cameras. Of several event
streams, or several frame streams, the first is read. A packet that cannot be decoded is left out with a
warning, and what comes after a cut with it; a file whose header is damaged is refused. One packet is held at a
time; events that come to more than 16 MB and 255 times the file are refused, for none are compressed like that.

Frames become greyscale in uint8: colour by OpenCV's weights, 16 bits by their upper 8, or from the upper 8
of 10 when no frame of the recording reaches 1024, as jAER writes a DAVIS's 10-bit frames.
"""

import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import EVENT_DTYPE, Events
from snnkd.recordings._aedat4_file import LARGEST_PACKET, MAGIC, RATIO, Aedat4Error, read_structure
from snnkd.recordings.recording import Frames, Recording
from snnkd.recordings.registry import register_format


class Aedat4Recording(Recording):
    """An AEDAT4 recording."""

    format = "AEDAT4"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._structure = read_structure(self.path)
        except Aedat4Error as error:
            raise self._error(str(error)) from error
        if self._structure.damage and not self._structure.packets:
            raise self._error(f"holds no whole packet: {self._structure.damage}")
        streams = self._decoder().id_to_stream()
        by_type: dict[str, list[int]] = {"events": [], "frame": []}
        for number in sorted(streams):
            by_type.setdefault(streams[number]["type"], []).append(number)
        if not (by_type["events"] or by_type["frame"]):
            kinds = sorted(kind for kind, numbers in by_type.items() if numbers)
            raise self._error(f"has neither events nor frames: its streams are {', '.join(kinds) or 'none'}")
        self._events_stream = by_type["events"][0] if by_type["events"] else None
        self._frame_stream = by_type["frame"][0] if by_type["frame"] else None
        size = streams[(by_type["events"] or by_type["frame"])[0]]
        self._sensor_size = (int(size["width"]), int(size["height"]))
        if self._structure.camera:
            self.metadata["camera"] = self._structure.camera
        self.metadata["compression"] = self._structure.compression
        self.metadata["streams"] = {kind: len(numbers) for kind, numbers in by_type.items() if numbers}
        for kind in ("events", "frame"):
            if len(by_type[kind]) > 1:
                rest = ", ".join(str(number) for number in by_type[kind][1:])
                self._warn(f"of several {kind} streams the first was read; left out: {rest}")
        if self._structure.damage:
            self._warn(self._structure.damage)

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H)."""
        return self._sensor_size

    def _read_chunks(self) -> Iterator[Events]:
        if self._events_stream is None:
            return
        index, most = 0, LARGEST_PACKET + RATIO * self.path.stat().st_size
        for packet in self._packets():
            if packet["stream_id"] == self._events_stream:
                events = packet["events"]
                yield self._pack(events["x"], events["y"], events["t"], events["on"], index)
                index += len(events)
                if index * EVENT_DTYPE.itemsize > most:
                    raise self._error(f"is damaged: its first {index} events are more than a file of its size can hold")

    @cached_property
    def frame_times_us(self) -> NDArray[np.int64]:
        """Times of the frames (M,) in µs; the packets are decoded once."""
        times = np.array([frame["t"] for frame in self._decoded_frames()], np.int64)
        return self._ordered_times(times)

    def iter_frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame as its time in µs and its image (H, W), decoding one at a time."""
        last = None
        for index, frame in enumerate(self._decoded_frames()):
            time = int(frame["t"])
            if last is not None and time < last:
                raise self._error(f"time runs backwards: frame {index} is at {time} µs after {last} µs")
            last = time
            yield time, self._grey(frame["pixels"])

    def _read_frames(self) -> Frames | None:
        first = next(self._decoded_frames(), None)
        return None if first is None else self._stacked(first["pixels"].shape[:2])

    def _decoded_frames(self) -> Iterator[dict[str, Any]]:
        """The frames of the size of the first."""
        if self._frame_stream is None:
            return
        shape, others = None, 0
        for packet in self._packets():
            if packet["stream_id"] == self._frame_stream:
                frame = packet["frame"]
                shape = frame["pixels"].shape[:2] if shape is None else shape
                if frame["pixels"].shape[:2] == shape:
                    yield frame
                else:
                    others += 1
        if others:
            self._warn(f"{others} frames of another size than the first were left out")

    @cached_property
    def _ten_bits(self) -> bool:
        """Whether no frame reaches 1024; asked where frames have 16 bits, and looks on to the first that does."""
        return all(_gray(frame["pixels"]).max(initial=0) < 1024 for frame in self._decoded_frames())

    def _grey(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        image = _gray(pixels)
        if image.dtype == np.uint8:
            return image
        return (image >> (2 if self._ten_bits else 8)).astype(np.uint8)

    def _decoder(self) -> Any:
        import aedat

        try:
            return aedat.Decoder(self.path)
        except Exception as error:
            raise self._error(f"its header is damaged: {error}") from error

    def _packets(self) -> Iterator[dict[str, Any]]:
        """Yield the whole packets that can be decoded."""
        decoder = self._decoder()
        index, damaged = 0, []
        while index < len(self._structure.packets):
            position, stream = self._structure.packets[index]
            try:
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    packet = next(decoder)
            except StopIteration:
                if told:
                    self._warn(f"the decoder left frames out: {told[0].message}")
                else:  # a damaged header may tell it that the table of packets is here
                    rest = len(self._structure.packets) - index
                    self._warn(f"the decoder ended at byte {position}: the last {rest} packets were left out")
                break
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic in the package's Rust is not an Exception
                damaged.append(f"the first is at byte {position}: {error}")
                index += 1
                continue
            if told:
                self._warn(f"the decoder left frames out: {told[0].message}")
            # The decoder passes over frames it does not know: catch up with it.
            while stream != packet["stream_id"] and index + 1 < len(self._structure.packets):
                index += 1
                stream = self._structure.packets[index][1]
            index += 1
            yield packet
        if damaged:
            what = "1 damaged packet was" if len(damaged) == 1 else f"{len(damaged)} damaged packets were"
            self._warn(f"{what} left out; {damaged[0]}")


def _gray(pixels: NDArray[Any]) -> NDArray[Any]:
    """Greyscale of (H, W) or (H, W, 3 or 4), in the type it comes in."""
    import cv2

    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_RGB2GRAY if pixels.shape[2] == 3 else cv2.COLOR_RGBA2GRAY
    return np.asarray(cv2.cvtColor(pixels, code))


register_format(
    "AEDAT4",
    Aedat4Recording,
    recognises=lambda path, head: head.startswith(MAGIC),
    extensions=(".aedat4",),
)
