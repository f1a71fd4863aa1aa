"""Recordings worked off by a Ray cluster: one Parquet data set out.

Each recording is a task of Ray Data, which runs it anew where a worker dies; the recordings and the output must lie
where every node sees them under the same path. A row of the data set is a window (:func:`~snnkd.inference.parquet.
table_columns`) with the recording's name and path before it.
"""

import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnkd.errors import ConfigError, SnnkdError
from snnkd.inference.files import known_hashes, make_folder, output_names
from snnkd.inference.one import reason, recognised
from snnkd.inference.parquet import need_pyarrow, table_columns
from snnkd.inference.request import Request
from snnkd.inference.timeline import write_whole

if TYPE_CHECKING:
    from snnkd.inference.recognizer import Recognizer

DATASET = "timelines.parquet"
"""Folder of the data set's parts"""
RETRIES = 3
"""Of a recording whose worker died; left to itself, Ray begins it anew for ever"""
ABOUT = "timelines.json"
"""The model, the settings, and which recordings failed"""


def infer_on_cluster(
    recognizer: "Recognizer",
    recordings: list[Path],
    output: Path,
    request: Request = Request(),  # noqa: B008
    address: str | None = None,
) -> bool:
    """Write ``timelines.parquet`` (a folder of parts) and ``timelines.json`` into ``output``.

    The data set takes its name when it is whole; one that was there is replaced. Recordings that fail are named on
    standard error and in the JSON, with the reason, and the others go on. Returns whether all could.

    Args:
        recognizer: the model; it is sent to the workers.
        recordings: see :func:`snnkd.inference.sources.find_recordings`.
        output: a folder that all nodes see.
        request: hardware, smoothing, settings and whether to simulate; its files are not written.
        address: of the cluster, as ``ray.init`` takes it; that of ``RAY_ADDRESS``, else a new one on this machine.

    Raises:
        ConfigError: Ray or pyarrow is not installed, no cluster is at the address, or the folder cannot be made.
        ModelError: a network that does not read events.
    """
    recognizer.check()
    ray, pyarrow = _need_ray(), need_pyarrow()
    make_folder(output)
    _connect(ray, address)
    names = output_names(recordings)
    jobs = [{"name": n, "path": str(p.absolute())} for n, p in zip(names, recordings, strict=True)]
    cores = int(ray.cluster_resources().get("CPU", 0))
    print(f"recognising {len(jobs)} recordings on {len(ray.nodes())} nodes with {cores} CPUs …", file=sys.stderr)
    model = ray.put(recognizer)
    schema = _schema(recognizer, request, pyarrow)

    def told(batch: Any) -> Any:
        """One recording's windows as a table; a row without any where it failed."""
        job = {key: batch[key][0].as_py() for key in ("name", "path")}
        columns = _told(ray.get(model), job, request)
        nothing = [None] * len(columns["recording"])
        return pyarrow.table({field.name: columns.get(field.name, nothing) for field in schema}, schema=schema)

    retries = RETRIES
    rows = ray.data.from_items(jobs, override_num_blocks=len(jobs)).map_batches(
        told,
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=1,
        ray_remote_args_fn=lambda: {"max_retries": retries},
    )
    rows = rows.materialize()  # held by the cluster, so that nothing is computed twice
    failures, seen = [], set()
    for batch in rows.select_columns(["recording", "failure"]).iter_batches(batch_format="pyarrow"):
        seen |= set(batch["recording"].unique().to_pylist())
        failed = batch.filter(pyarrow.compute.is_valid(batch["failure"])).to_pylist()
        failures += [(row["recording"], row["failure"]) for row in failed]
    lost = "its task did not end, however often it was begun: out of memory, perhaps; the cluster's logs say more"
    failures += [(job["name"], f"{job['path']}: {lost}") for job in jobs if job["name"] not in seen]
    beside = Path(tempfile.mkdtemp(prefix=f".{DATASET}-", dir=output))
    try:
        rows.map_batches(_without_failures, batch_format="pyarrow").write_parquet(str(beside))
        target, old = output / DATASET, beside.with_name(f"{beside.name}-old")
        os.chmod(beside, 0o755)
        if target.is_dir():
            os.replace(target, old)  # gone only once the new one has its place
        os.replace(beside, target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    about = {
        "format": "snnkd-timelines",
        "version": 1,
        "of": known_hashes(recognizer, request),
        "settings": request.facts(),
        "emotions": list(recognizer.emotions),
        "recordings": len(recordings),
        "failed": [{"recording": name, "reason": why} for name, why in failures],
    }
    write_whole(output / ABOUT, (json.dumps(about, indent=1) + "\n").encode())
    done = len(recordings) - len(failures)
    print(f"wrote the windows of {done} recordings into {output / DATASET}")
    for _, why in failures:
        print(f"snnkd: error: {why}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {len(recordings)} recordings failed.", file=sys.stderr)
    return not failures


def _told(recognizer: "Recognizer", job: dict[str, str], request: Request) -> dict[str, list[Any]]:
    path = Path(job["path"])
    try:
        with recognised(recognizer, path, request, None) as (timeline, _):
            columns = table_columns(timeline)
            number = len(timeline)
            return {"recording": [job["name"]] * number, "path": [job["path"]] * number, **columns}
    except (SnnkdError, OSError) as error:
        return {"recording": [job["name"]], "path": [job["path"]], "failure": [reason(error, path)]}


def _schema(recognizer: "Recognizer", request: Request, pyarrow: Any) -> Any:
    """Of every table, failed recordings' too: what a timeline of one window has."""
    import numpy as np

    from snnkd.inference.timeline import Timeline

    number = len(recognizer.emotions)
    joules = None if request.hardware is None else np.zeros(1)
    one = np.zeros(1, np.int64)
    example = Timeline(recognizer.emotions, 1, one, one, np.zeros((1, number), np.float32), joules=joules)
    columns = {"recording": ["x"], "path": ["x"], **table_columns(example), "failure": ["x"]}
    return pyarrow.table(columns).schema


def _without_failures(batch: Any) -> Any:
    import pyarrow.compute

    return batch.filter(pyarrow.compute.is_null(batch["failure"])).drop_columns(["failure"])


def _need_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise ConfigError("--engine ray needs Ray: pip install 'snnkd[ray]'") from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # else it logs its progress every few seconds
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_errored_blocks = -1  # a recording whose worker dies again and again does not stop the others
    if ray.is_initialized():
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(f"no Ray cluster at {address or 'this machine'}: {str(error).splitlines()[0]}") from None
