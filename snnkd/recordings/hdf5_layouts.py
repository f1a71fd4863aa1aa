"""HDF5 files of other makers: 3ET, v2e, DSEC, and Prophesee's as far as it can be read.

===========  ===================================================================================================
layout       what the file holds
===========  ===================================================================================================
3ET          ``events``: a compound data set (N,) with t, x, y, p (names as in :mod:`snnkd.recordings._columns`)
v2e          ``events``: numbers (N, 4), in the order ``t x y p``
DSEC         ``events/x``, ``y``, ``t``, ``p``, each (N,); ``t_offset``, a number that is added to ``t``; its index
             ``ms_to_idx`` is not needed
Prophesee    ``CD/events``: a compound data set (N,) with x, y, p, t, ``geometry`` as an attribute of the file
===========  ===================================================================================================

DSEC's data are compressed with Blosc, which the package ``hdf5plugin`` knows (snnkd works without it and says when it
is needed). Prophesee's own compression, ECF, is in no package that can be installed, so such files are refused.

None but Prophesee's says how large the sensor was; that and the unit of time are settled as
:mod:`snnkd.recordings._columns` says. Data that were never written read as zeros in HDF5: a data set with less in the
file than it promises is refused.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import ceil, prod
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import RecordingError
from snnkd.recordings._column_names import column_order, roles_of
from snnkd.recordings._columns import SAMPLE, ColumnRecording, Columns
from snnkd.recordings.hdf5 import SIGNATURE, _is_ours
from snnkd.recordings.recording import CHUNK
from snnkd.recordings.registry import register_format

ECF = 0x8ECF
"""Number of Prophesee's filter, from its documentation."""

LARGEST_CHUNK = 1 << 28
"""Bytes of a chunk that are taken; HDF5 holds one in memory, and its own default is 1 MiB."""


class Hdf5LayoutRecording(ColumnRecording):
    """Events in an HDF5 file of another maker; ``unit`` and ``sensor_size`` as :class:`ColumnRecording` has them."""

    format = "HDF5"

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        unit: str | None = None,
        sensor_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(path, sensor_size, unit)
        with self._opened() as file:
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
            if layout == "Prophesee" and self._said_size is None:
                self._said_size = self._geometry(file)
            rows = [dataset[:SAMPLE] for dataset in datasets]
            named = self._settle_columns(names, rows)
            self._settle_numbers(named, self._columns(rows)["t"])

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
        self._check_filters(dataset, name)
        self._check_extent(dataset, name)
        return dataset

    def _check_filters(self, dataset: Any, name: str) -> None:
        import h5py

        properties = dataset.id.get_create_plist()
        if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
            raise self._error(f"the data set {name} lies in other files; copy it into one")
        for i in range(properties.get_nfilters()):
            number, _, _, label = properties.get_filter(i)
            if number == ECF:
                raise self._error(
                    f"{name} is compressed with Prophesee's ECF, which no package that can be installed reads; "
                    "convert the file to RAW or DAT with Prophesee's own tools"
                )
            if not h5py.h5z.filter_avail(number):
                with suppress(ImportError):
                    importlib.import_module("hdf5plugin")  # which makes its filters known
            if not h5py.h5z.filter_avail(number):
                known_as = label.decode("ascii", "replace")[:40]
                raise self._error(
                    f"{name} is compressed with the filter {number} ({known_as}), which is not installed; "
                    "try: pip install hdf5plugin"
                )

    def _check_extent(self, dataset: Any, name: str) -> None:
        """Refuse what would be read as zeros, or would not fit into memory."""
        if not dataset.size:
            return
        if dataset.chunks is None:
            if dataset.id.get_storage_size() < dataset.size * dataset.dtype.itemsize:
                raise self._error(f"the data set {name} promises {dataset.shape} and holds less")
            return
        if prod(dataset.chunks) * dataset.dtype.itemsize > LARGEST_CHUNK:
            raise self._error(f"the data set {name} has chunks {dataset.chunks}, over {LARGEST_CHUNK} bytes each")
        promised = prod(ceil(n / chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True))
        if promised > self.path.stat().st_size or dataset.id.get_num_chunks() < promised:
            raise self._error(f"the data set {name} promises {dataset.shape}, but some of it was never written")

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

    def _read_columns(self) -> Iterator[Columns]:
        seen = 1
        for begin in range(0, self._count, self._step):
            with self._opened() as file:
                rows = [file[name][begin : begin + self._step] for name in self._names]
            x, y, t, p = self._convert(self._columns(rows), begin)
            seen = self._check_polarity(p, seen, begin)
            yield x, y, t + self._offset, p

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The open file; what HDF5 finds wrong with it becomes a RecordingError."""
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except RecordingError:
            raise
        except (OSError, LookupError, ValueError, RuntimeError, TypeError, MemoryError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise self._error(f"the HDF5 file is cut or damaged: {reason}") from error


register_format(
    "HDF5 (3ET, v2e, DSEC)",
    Hdf5LayoutRecording,
    recognises=lambda path, head: head.startswith(SIGNATURE) and not _is_ours(path),
    extensions=(".h5", ".hdf5"),
)
