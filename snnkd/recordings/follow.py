"""Following a file that is still being written: its events as they come.

Of AEDAT4 every packet is read once it is whole, of RAW and DAT every word. What is not whole yet is waited for; the
stream ends when the file has not grown for a while.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events.array import Events
from snnkd.recordings._aedat4_file import read_structure, table_position, unfinished_header
from snnkd.recordings._prophesee_stream import PropheseeRecording
from snnkd.recordings.aedat4 import Aedat4Recording
from snnkd.recordings.recording import Recording
from snnkd.recordings.registry import open_recording

BLOCK = 1 << 21
"""Bytes that are read at once"""


class Following:
    """A file that grows; made by :func:`follow`.

    Attributes:
        recording: the file as it was when its head was there.
    """

    def __init__(self, recording: Recording, grown: Callable[[int], int]) -> None:
        self.recording = recording
        self._grown = grown

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H)."""
        return self.recording.sensor_size

    def chunks(self) -> Iterator[Events]:
        """Yield arrays of at least one event, in the order of time, until the file has not grown for a while.

        Raises :class:`RecordingError` where time runs backwards or the file is damaged.
        """
        last = None
        made = self._packets() if isinstance(self.recording, Aedat4Recording) else self._words()
        for events in made:
            if not len(events):
                continue
            times = events["t"]
            if (last is not None and int(times[0]) < last) or (times[1:] < times[:-1]).any():
                raise RecordingError(f"{self.recording.path}: time runs backwards; repair or cut the recording there")
            last = int(times[-1])
            yield events

    def _words(self) -> Iterator[Events]:
        assert isinstance(self.recording, PropheseeRecording)
        return self.recording.decode_growing(self._blocks(self.recording._begin, self.recording.word))

    def _blocks(self, begin: int, word: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        with self.recording.path.open("rb", buffering=0) as file:
            while (size := self._grown(begin + word - 1)) >= begin + word:
                file.seek(begin)
                data = file.read(min(size - begin, BLOCK) // word * word)
                whole = len(data) // word * word
                yield begin, np.frombuffer(data[:whole], np.uint8)
                begin += whole

    def _packets(self) -> Iterator[Events]:
        """The events of whole packets; each batch of them is read as a small file of its own."""
        path = self.recording.path
        head = unfinished_header(path)
        done, size = len(head), 0
        with tempfile.TemporaryDirectory(prefix="snnkd-") as folder:
            part = Path(folder) / "part.aedat4"
            while (now := self._grown(size)) > size:
                size = now
                with path.open("rb") as file:
                    file.seek(done)
                    part.write_bytes(head + file.read(size - done))
                packets = read_structure(part).packets
                if (table := table_position(path)) is not None:
                    packets = tuple(packet for packet in packets if packet[0] - len(head) + done < table)
                if not packets:
                    continue
                with part.open("r+b") as file:
                    file.seek(packets[-1][0] + 4)
                    end = packets[-1][0] + 8 + int.from_bytes(file.read(4), "little")
                    file.truncate(end)
                yield from Aedat4Recording(part)._read_chunks()
                done += end - len(head)


def follow(
    path: str | PathLike[str],
    *,
    idle_s: float = 10.0,
    poll_s: float = 0.02,
    sensor_size: tuple[int, int] | None = None,
) -> Following:
    """Follow an AEDAT4, RAW (EVT2, EVT2.1, EVT3) or DAT file while it grows.

    Args:
        path: the file; it is waited for while it is not there, or while its head is not whole.
        idle_s: the stream is over when the file has not grown for this long.
        poll_s: time between two looks at it.
        sensor_size: (W, H) of a RAW or DAT file whose header does not tell it.

    Raises :class:`RecordingError` for a file of another format, and where no head has come in time.
    """
    path = Path(path)

    def grown(size: int) -> int:
        """The file's size once it is above ``size``, or when the time is over."""
        until = time.monotonic() + idle_s
        while True:
            try:
                now = path.stat().st_size
            except FileNotFoundError:
                now = 0
            if now > size or time.monotonic() > until:
                return now
            time.sleep(poll_s)

    size, why = 0, f"{path}: did not appear within {idle_s:g} s"
    while (now := grown(size)) > size:
        size = now
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SnnkdWarning)  # its last word or packet is not whole yet
                options = {} if sensor_size is None else {"sensor_size": sensor_size}
                recording = open_recording(path, **options)
        except RecordingError as error:
            why = str(error)
            continue
        if not isinstance(recording, Aedat4Recording | PropheseeRecording):
            raise RecordingError(f"{path}: is {recording.format}: only AEDAT4, RAW and DAT files can be followed")
        return Following(recording, grown)
    raise RecordingError(why)
