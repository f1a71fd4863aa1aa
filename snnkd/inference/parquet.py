"""Timelines as Parquet."""

import io
import json
from typing import TYPE_CHECKING, Any

from snnkd.errors import ConfigError

if TYPE_CHECKING:
    from snnkd.inference.timeline import Timeline


def need_pyarrow() -> Any:
    """Return ``pyarrow``; :class:`ConfigError` with the remedy where it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("Parquet needs pyarrow: pip install 'snnkd[parquet]'") from None
    return pyarrow


def table_columns(timeline: "Timeline") -> dict[str, list[Any]]:
    """Return the columns of a timeline's table: those of its CSV, and a logit per emotion."""
    logits = {f"z_{name}": timeline.logits[:, k].tolist() for k, name in enumerate(timeline.emotions)}
    return timeline.columns() | logits


def parquet_bytes(timeline: "Timeline") -> bytes:
    """Return a Parquet file of a timeline, a row per window."""
    pyarrow = need_pyarrow()
    about = {"snnkd": json.dumps(timeline.about())}
    table = pyarrow.table(table_columns(timeline)).replace_schema_metadata(about)
    memory = io.BytesIO()
    pyarrow.parquet.write_table(table, memory, compression="zstd")
    return memory.getvalue()
