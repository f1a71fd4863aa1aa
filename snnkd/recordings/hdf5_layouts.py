"""HDF5 files of other makers: 3ET, v2e, DSEC, and Prophesee's as far as it can be read.

===========  ===================================================================================================
layout       what the file holds
===========  ===================================================================================================
3ET          ``events``: a compound data set (N,) with t, x, y, p (names as in :mod:`snnkd.recordings._columns`)
v2e          ``events``: numbers (N, 4), in the order ``t x y p``; where v2e kept its frames, ``frame`` (M, H, W) and
             ``frame_ts`` (M,) in µs, and ``frame_idx``, each frame's event, which is not needed
DSEC         ``events/x``, ``y``, ``t``, ``p``, each (N,); ``t_offset``, a number that is added to ``t``; its index
             ``ms_to_idx`` is not needed
Prophesee    ``CD/events``: a compound data set (N,) with x, y, p, t, ``geometry`` as an attribute of the file
===========  ===================================================================================================

DSEC's data are compressed with Blosc, which the package ``hdf5plugin`` knows (snnkd works without it and says when it
is needed). Prophesee's own compression, ECF, is in no package that can be installed, so such files are refused.

None but Prophesee's says how large the sensor was; that and the unit of time are settled as
:mod:`snnkd.recordings._columns` says. What cannot be read without inventing data is refused
(:mod:`snnkd.recordings._hdf5_checks`); data sets that are not in the table are left out with a warning.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.recordings._column_names import column_order, roles_of
from snnkd.recordings._columns import SAMPLE, ColumnRecording, Columns
from snnkd.recordings._hdf5_checks import check_data, check_frames, opened, read_images, read_times
from snnkd.recordings.hdf5 import SIGNATURE, _is_ours
from snnkd.recordings.recording import CHUNK, Frames
from snnkd.recordings.registry import register_format

FRAMES = ("frame", "frame_ts")
"""Where v2e keeps frames and their times."""


class Hdf5LayoutRecording(ColumnRecording):
    """Events in an HDF5 file of another maker; ``unit`` and ``sensor_size`` as :class:`ColumnRecording` has them."""

    format = "HDF5"

    def _settle(self) -> None:
        with opened(self) as file:
            self.metadata["layout"] = layout = self._layout(file)
            self.format = f"HDF5 ({layout})"  # type: ignore[misc]  # what a user knows it as
            names = {"DSEC": [f"events/{name}" for name in "txyp"], "Prophesee": ["CD/events"]}.get(layout, ["events"])
            self._names = names
            datasets = [self._dataset(file, name) for name in names]
            lengths = {name: len(dataset) for name, dataset in zip(names, datasets, strict=True)}
            if len(set(lengths.values())) > 1:
                raise self._error(f"the columns of events differ in length: {lengths}")
            self._count = len(datasets[0])
            # A chunk of the file is decompressed whole for each part of it that is asked for.
            self._step = max(CHUNK, *(dataset.chunks[0] if dataset.chunks else 1 for dataset in datasets))
            self._offset = self._read_offset(file)
            self._has_frames = layout == "v2e" and check_frames(self, file, *FRAMES)
            self._tell_others(file, layout)
            if layout == "Prophesee" and self._said_size is None:
                self._said_size = self._geometry(file)
            rows = [dataset[:SAMPLE] for dataset in datasets]
            named = self._settle_columns(names, rows)
            self._settle_numbers(named, self._columns(rows)["t"])

    def _tell_others(self, file: Any, layout: str) -> None:
        known = {name.partition("/")[0] for name in self._names} | {"DSEC": {"ms_to_idx", "t_offset"}}.get(
            layout, set()
        )
        if self._has_frames:
            known |= {*FRAMES, "frame_idx"}
        if others := sorted(set(file) - known):
            self._warn(f"what is no event was left out: {', '.join(name[:40] for name in others[:10])}")

    def _layout(self, file: Any) -> str:
        import h5py

        events = file.get("events")
        if isinstance(events, h5py.Dataset):
            return "3ET" if events.dtype.names else "v2e"
        if isinstance(events, h5py.Group) and all(name in events for name in "txyp"):
            return "DSEC"
        if isinstance(file.get("CD/events"), h5py.Dataset):
            return "Prophesee"
        raise self._error(
            "an HDF5 file, but no snnkd recording, nor of another known layout: 3ET or v2e (events), "
            "DSEC (events/x, y, t, p), Prophesee (CD/events)"
        )

    def _dataset(self, file: Any, name: str) -> Any:
        """A data set of events, if it is one and can be read."""
        import h5py

        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise self._error(f"{name} is no data set")
        kinds = [dataset.dtype[field].kind for field in dataset.dtype.names or ()] or [dataset.dtype.kind]
        table = len(self._names) == 1 and dataset.dtype.names is None
        if dataset.shape is None or dataset.ndim != 1 + table or (table and dataset.shape[1] != 4):
            raise self._error(f"the data set {name} is {dataset.dtype} {dataset.shape}, not as the layout has it")
        if not set(kinds) <= set("iufb"):
            raise self._error(f"the data set {name} holds {dataset.dtype}, expected numbers")
        check_data(self, file, dataset, name)
        return dataset

    def _read_offset(self, file: Any) -> int:
        offset = file.get("t_offset")
        if offset is None or self.metadata["layout"] != "DSEC":
            return 0
        value = np.asarray(offset[()]).reshape(-1) if offset.size == 1 else np.empty(0)
        if value.shape != (1,) or value.dtype.kind not in "iu" or abs(int(value[0])) >= 2**62:
            raise self._error("its t_offset is no whole number")
        self.metadata["t_offset_us"] = int(value[0])
        return int(value[0])

    def _geometry(self, file: Any) -> tuple[int, int] | None:
        text = file.attrs.get("geometry", "")
        words = (text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)).split("x")
        if len(words) != 2 or not all(word.isdigit() and 1 <= int(word[:9]) <= 32767 for word in words):
            return None
        self.metadata["sensor_size_from"] = "header"
        return int(words[0]), int(words[1])

    def _settle_columns(self, names: list[str], rows: list[NDArray[Any]]) -> str | None:
        """Settle which columns there are in which order; return the unit in their names."""
        if len(names) == 4:
            self._order = list("txyp")
            return None
        if rows[0].dtype.names is None:
            self._order = list(column_order([rows[0][:, i] for i in range(4)]))
            self.metadata["columns"] = " ".join(self._order)
            return None
        fields = rows[0].dtype.names
        try:
            places, unit, others = roles_of(fields)
        except ValueError as error:
            raise self._error(f"{names[0]}: {error}") from error
        if others:
            self._warn(f"fields were left out: {', '.join(others)}")
        self._order = [fields[places[role]] for role in "txyp"]
        return unit

    def _columns(self, rows: list[NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """The columns by their roles, of the rows of each data set."""
        if len(rows) == 4:
            return dict(zip("txyp", rows, strict=True))
        if rows[0].dtype.names is None:
            return {role: rows[0][:, i] for i, role in enumerate(self._order)}
        return {role: rows[0][field] for role, field in zip("txyp", self._order, strict=True)}

    @cached_property
    def frame_times_us(self) -> NDArray[np.int64]:
        """Times of the frames (M,) in µs."""
        return read_times(self, FRAMES[1]) if self._has_frames else np.empty(0, np.int64)

    def iter_frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each frame as its time in µs and its image (H, W), reading a few at a time."""
        if self._has_frames:
            yield from zip(self.frame_times_us.tolist(), read_images(self, FRAMES[0]), strict=True)

    def _read_frames(self) -> Frames | None:
        if not self._has_frames:
            return None
        with opened(self) as file:
            return Frames(file[FRAMES[0]][()], self.frame_times_us)

    def _read_columns(self) -> Iterator[Columns]:
        seen = 1
        for begin in range(0, self._count, self._step):
            with opened(self) as file:
                rows = [file[name][begin : begin + self._step] for name in self._names]
            x, y, t, p = self._convert(self._columns(rows), begin)
            seen = self._check_polarity(p, seen, begin)
            yield x, y, t + self._offset, p


register_format(
    "HDF5 (3ET, v2e, DSEC)",
    Hdf5LayoutRecording,
    recognises=lambda path, head: head.startswith(SIGNATURE) and not _is_ours(path),
    extensions=(".h5", ".hdf5"),
)
