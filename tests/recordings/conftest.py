import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


@pytest.fixture(scope="session")
def sample():
    """Path and manifest entry (None for what has none) of a real recording; skips where the samples are not at hand."""

    def find(name):
        if not (SAMPLES / name).exists():
            pytest.skip(f"the sample recording {name} is not beside this checkout, in shared/samples")
        return SAMPLES / name, json.loads((SAMPLES / "manifest.json").read_text()).get(name)

    return find


@pytest.fixture(scope="session")
def digest():
    """SHA-256 of events in the manifest's packing."""

    def compute(events):
        packed = np.empty(len(events), [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
        for name in packed.dtype.names:
            packed[name] = events[name]
        return hashlib.sha256(packed.tobytes()).hexdigest()

    return compute
