"""Datasets of one eye: SEE (published, JPG folders), DSEE, EVBEYE, recordings of one's own, and EyeSim (synthetic).

All are divided so that no person is on two sides, unless the published split is asked for.

What is exported here is loaded on first use, so that ``snnkd.datasets.labels`` comes without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnkd.datasets.cache import ClipCache
    from snnkd.datasets.dsee import DSEE
    from snnkd.datasets.evbeye import EVBEYE
    from snnkd.datasets.eyesim.dataset import EyeSim
    from snnkd.datasets.labels import EMOTIONS, LIGHTINGS, emotion_index, lighting_name
    from snnkd.datasets.opening import check_dataset, open_dataset
    from snnkd.datasets.own_recordings import Recordings
    from snnkd.datasets.report import Problem, Report
    from snnkd.datasets.sample import Batch, EyeDataset, Sample, Sequence, collate
    from snnkd.datasets.see import SEE

_HOME = {
    "ClipCache": "cache",
    "DSEE": "dsee",
    "EMOTIONS": "labels",
    "EVBEYE": "evbeye",
    "LIGHTINGS": "labels",
    "SEE": "see",
    "Batch": "sample",
    "EyeDataset": "sample",
    "EyeSim": "eyesim.dataset",
    "Problem": "report",
    "Recordings": "own_recordings",
    "Report": "report",
    "Sample": "sample",
    "Sequence": "sample",
    "check_dataset": "opening",
    "collate": "sample",
    "emotion_index": "labels",
    "lighting_name": "labels",
    "open_dataset": "opening",
}

__all__ = [
    "DSEE",
    "EMOTIONS",
    "EVBEYE",
    "LIGHTINGS",
    "SEE",
    "Batch",
    "ClipCache",
    "EyeDataset",
    "EyeSim",
    "Problem",
    "Recordings",
    "Report",
    "Sample",
    "Sequence",
    "check_dataset",
    "collate",
    "emotion_index",
    "lighting_name",
    "open_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
