"""What recordings share whose file is plain columns of numbers: text, NumPy arrays and foreign HDF5 files.

None of these files says for sure which column is which, in what unit its time is, or how large the sensor was.

**Columns** are told by their names. Without names the order is ``t x y p``, unless the first rows cannot be that
(time falls, a coordinate is no whole number in 0..4095, polarity is not 0/1 or −1/1) and exactly one of ``x y t p``
and ``x y p t`` fits them, with times that are hardly coordinates: most of them above 4095, some with a fraction, or
16 of them and more that never fall.

**The unit of time** is what the caller says, else what the column's name says (``t_us``, ``time (s)``), else it
follows from the numbers. Whole numbers are µs, with a warning where a thousand events and more would then come at
less than 1000 or more than 200 million a second, as no sensor sends them. Numbers with a fraction are seconds, always
with a warning, but refused where milliseconds are as likely, that is when no time has more than three decimals, or a
thousand events come at less than 1000 a second. Whole numbers above 10^17 are refused too, for as µs they would lie
beyond the year 5000.

**Times of 32 or 16 bits with a fraction** (``float32``) hold 24 or 11 binary digits: from 2^24 or 2^11 on they are
refused, as even whole numbers are lost there, and where their steps are more than 1 µs a warning says so.

**The sensor's size**, where neither the file nor the caller says it, is one more than the largest coordinates;
``metadata["sensor_size_from"]`` says so.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.events.array import Events, make_events
from snnkd.recordings._column_names import LARGEST, UNITS, doubt, infer_unit
from snnkd.recordings.recording import Recording

Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""x, y, t in µs and p, int64 and equally long; p is ON where it is above 0."""

UNIT_REMEDY = "unit='ms' in Python, --unit ms on the command line"
COLUMNS_REMEDY = "columns='xypt' in Python, --columns xypt on the command line, - for what is left out"
SIZE_REMEDY = "sensor_size=(W, H) in Python, --sensor-size WxH on the command line"

SAMPLE = 10_000
"""Rows that columns and units are told by."""


@dataclass
class _Extent:
    """What a pass over all events finds: their number, first and last time, and the size they ask for."""

    count: int = 0
    first: int = 0
    last: int = 0
    width: int = 1
    height: int = 1

    def add(self, x: NDArray[np.int64], y: NDArray[np.int64], t: NDArray[np.int64]) -> None:
        if len(t):
            self.first = self.first if self.count else int(t[0])
            self.count, self.last = self.count + len(t), int(t[-1])
            self.width, self.height = max(self.width, int(x.max()) + 1), max(self.height, int(y.max()) + 1)


class ColumnRecording(Recording):
    """A recording in columns. A subclass gives ``_read_columns``, and ``_settle``, which calls ``_settle_time``.

    Args:
        path: the file.
        unit: the unit of time, ``s``, ``ms``, ``us`` or ``ns``, where the caller knows it.
        sensor_size: (W, H), where the caller knows it.

    Raises ``ValueError`` for a unit or a size that is none, :class:`RecordingError` for the file.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        unit: str | None = None,
        sensor_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(path)
        if unit is not None and unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
        if sensor_size is not None and not all(1 <= n <= 32767 for n in sensor_size):
            raise ValueError(f"sensor_size must be (W, H) with both in 1..32767, got {sensor_size}")
        self._coarse = False  # whether times of coarse steps have been told of
        self._said_unit = unit
        self._said_size = sensor_size
        if sensor_size is not None:
            self.metadata["sensor_size_from"] = "argument"
        else:
            self.metadata["sensor_size_from"] = "largest coordinates"
        self._settle()

    @abstractmethod
    def _settle(self) -> None:
        """Look at the file when the recording is made, and decide which columns it has in which unit."""

    @abstractmethod
    def _read_columns(self) -> Iterator[Columns]:
        """Yield the columns of all events, some rows at a time."""

    def _read_chunks(self) -> Iterator[Events]:
        if self._said_size is not None or "_survey" in self.__dict__:
            index = 0
            for x, y, t, p in self._read_columns():
                yield self._pack(x, y, t, p, index)
                index += len(x)
        else:
            # The size is not known yet, and is when all is read: that spares a pass to whoever asks for it later.
            found = _Extent()
            for x, y, t, p in self._read_columns():
                self._check_coordinates(x, y, found.count)
                found.add(x, y, t)
                yield make_events(x, y, t, p)
            self.__dict__["_survey"] = found

    @property
    def sensor_size(self) -> tuple[int, int]:
        """Size of the sensor, (W, H); where nothing tells it, the file is read through once."""
        if self._said_size is None and not self._survey.count:
            raise self._error(f"the size of its sensor is unknown: it holds no events; say the size ({SIZE_REMEDY})")
        return self._said_size or (self._survey.width, self._survey.height)

    def _size_at_hand(self) -> tuple[int, int] | None:
        return self.sensor_size if self._said_size or "_survey" in self.__dict__ else None

    @cached_property
    def _extent(self) -> tuple[int, int, int]:
        return self._survey.count, self._survey.first, self._survey.last

    @cached_property
    def _survey(self) -> "_Extent":
        found = _Extent()
        for x, y, t, _ in self._read_columns():
            if self._said_size is None:
                self._check_coordinates(x, y, found.count)
            found.add(x, y, t)
        return found

    def _check_coordinates(self, x: NDArray[np.int64], y: NDArray[np.int64], index: int) -> None:
        wrong = (x < 0) | (y < 0) | (x > LARGEST) | (y > LARGEST)
        if wrong.any():
            i = int(wrong.argmax())
            raise self._error(
                f"{self._place(index + i)} lies at (x, y) = ({x[i]}, {y[i]}), outside 0..{LARGEST}; "
                f"say the size of the sensor if it is that large ({SIZE_REMEDY})"
            )

    def _settle_time(self, named: str | None, whole: bool, decimals: int, times: NDArray[np.float64]) -> None:
        """Decide the unit of time once, by the caller's word, the name's, or the first rows'."""
        source = "argument" if self._said_unit else "column name" if named else "whole numbers" if whole else "decimals"
        try:
            unit = self._said_unit or named or infer_unit(whole, decimals, times)
        except ValueError as error:
            raise self._error(f"{error} ({UNIT_REMEDY})") from error
        inferred = source in ("whole numbers", "decimals")
        if inferred and (against := doubt(unit, whole, times)):
            self._warn(f"{against}; say the unit if it is another ({UNIT_REMEDY})")
        self._shift = UNITS[unit]
        self._exact = source == "whole numbers"
        self.metadata |= {"time_unit": unit, "time_unit_from": source}

    def _settle_numbers(self, named: str | None, times: NDArray[Any]) -> None:
        """:meth:`_settle_time` by the first ``times`` of a column."""
        times = np.asarray(times, np.float64)
        finite = times[np.isfinite(times)]  # the others are refused where they are read
        whole = bool((finite == np.floor(finite)).all())
        thousands = finite * 1e3
        fine = bool((np.abs(thousands - np.rint(thousands)) > 1e-3).any())
        self._settle_time(named, whole, 6 if fine else 3, finite)

    def _convert(self, columns: Mapping[str, NDArray[Any]], index: int) -> Columns:
        """Make :data:`Columns` of the file's own, the first row of which is event number ``index``."""
        x, y, p = (self._whole(name, columns[name], index) for name in "xyp")
        return x, y, self._times(columns["t"], index), p

    def _whole(self, name: str, values: NDArray[Any], index: int) -> NDArray[np.int64]:
        if values.dtype.kind in "iub":
            wrong = values > np.uint64(2**62) if values.dtype.kind == "u" else np.zeros(0, bool)
        else:
            values = np.asarray(values, np.float64)
            wrong = ~(np.abs(values) < 2**53) | (values != np.floor(values))
        if wrong.any():
            i = int(wrong.argmax())
            raise self._error(f"{self._place(index + i)} has {name} = {values[i]}, expected a whole number")
        return np.ascontiguousarray(values, np.int64)

    def _times(self, values: NDArray[Any], index: int) -> NDArray[np.int64]:
        if values.dtype.kind in "iu":
            times = self._whole("t", values, index)
            if self._shift < 0:
                return np.floor_divide(times + 500, 1000)
            limit = 2**62 // 10**self._shift
            wrong = (times > limit) | (times < -limit)
            scaled = times * 10**self._shift
        else:
            self._check_precision(values, index)
            real = np.asarray(values, np.float64) * 10.0**self._shift
            wrong = ~(np.abs(real) < 2**53)
            if self._exact:
                wrong |= real != np.floor(real)
            scaled = np.rint(np.where(wrong, 0, real)).astype(np.int64)
        if wrong.any():
            i = int(wrong.argmax())
            what = "expected whole µs like the first; say the unit of time" if self._exact else "which is no time"
            raise self._error(f"{self._place(index + i)} has t = {values[i]}, {what}")
        return scaled

    def _check_precision(self, values: NDArray[Any], index: int) -> None:
        """Refuse times of fewer than 64 bits that are beyond the whole numbers they can hold; tell of coarse steps."""
        if values.dtype.itemsize >= 8 or not len(values):
            return
        sizes = np.abs(values)
        i = int(np.nanargmax(sizes)) if not np.isnan(sizes).all() else 0
        largest = float(sizes[i])
        if not np.isfinite(largest):
            return  # refused as no time at all
        kind, bits = values.dtype.name, np.finfo(values.dtype).nmant + 1
        step = float(np.spacing(sizes[i]))
        if largest >= 2**bits:
            raise self._error(
                f"{self._place(index + i)} has t = {values[i]} as {kind}, which has steps of {step:g} there: "
                "the times are lost; write them as int64 or float64"
            )
        if step * 10.0**self._shift > 1 and not self._coarse:
            self._coarse = True
            self._warn(f"its times are {kind}, which near {largest:g} has steps of {step * 10.0**self._shift:.2g} µs")

    def _check_polarity(self, p: NDArray[np.int64], seen: int, index: int) -> int:
        """Refuse polarity that is neither 0/1 nor −1/1; ``seen`` is the smallest so far, and is returned anew."""
        low = min(seen, int(p.min(initial=1)))
        wrong = (p > 1) | (p < -1)
        if low < 0 <= seen:  # the first −1, and a 0 before it or behind
            wrong |= (p < 0) & (np.minimum.accumulate(np.abs(p)) == 0 if seen else True)
        if low < 0:
            wrong |= (p == 0) & (np.minimum.accumulate(p) < 0 if seen >= 0 else True)
        if wrong.any():
            i = int(wrong.argmax())
            raise self._error(f"{self._place(index + i)} has polarity {p[i]}; expected 0 and 1, or −1 and 1")
        return low
