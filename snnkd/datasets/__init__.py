"""Datasets of one eye: SEE (published, JPG folders) and EyeSim (synthetic), with person-disjoint splits.

What is exported here is loaded on first use, so that ``snnkd.datasets.labels`` comes without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnkd.datasets.eyesim.dataset import EyeSim
    from snnkd.datasets.labels import EMOTIONS, LIGHTINGS, emotion_index, lighting_name
    from snnkd.datasets.opening import open_dataset
    from snnkd.datasets.sample import Batch, EyeDataset, Sample, Sequence, collate
    from snnkd.datasets.see import SEE

_HOME = {
    "EMOTIONS": "labels",
    "LIGHTINGS": "labels",
    "SEE": "see",
    "Batch": "sample",
    "EyeDataset": "sample",
    "EyeSim": "eyesim.dataset",
    "Sample": "sample",
    "Sequence": "sample",
    "collate": "sample",
    "emotion_index": "labels",
    "lighting_name": "labels",
    "open_dataset": "opening",
}

__all__ = [
    "EMOTIONS",
    "LIGHTINGS",
    "SEE",
    "Batch",
    "EyeDataset",
    "EyeSim",
    "Sample",
    "Sequence",
    "collate",
    "emotion_index",
    "lighting_name",
    "open_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
