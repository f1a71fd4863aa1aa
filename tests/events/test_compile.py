"""Kernels where Numba can keep nothing on disk, as in a read-only installation without a home folder."""

import subprocess
import sys

import numpy as np

CODE = """
import sys
import numba.core.caching as caching
caching.CompileResultCacheImpl._locator_classes = []
try:
    import numba
    numba.njit(cache=True)(lambda x: x)
except RuntimeError as error:
    assert "cannot cache" in str(error)
else:
    raise AssertionError("Numba would have cached after all, so that this shows nothing")
from snnkd.cli import main
from snnkd.events import bin_by_span
from snnkd.recordings import open_recording
status = main(["info", sys.argv[1]])
print(bin_by_span(open_recording(sys.argv[1]).events, (8, 6), n_bins=2).sum())
sys.exit(status)
"""


def test_what_cannot_be_kept_is_compiled_anew(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[5, 1, 2, 1], [9, 7, 5, 0], [9, 7, 5, 1]]))
    command = [sys.executable, "-c", CODE, str(tmp_path / "x.npy")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "66.7% ON, 33.3% OFF" in result.stdout
    assert result.stdout.endswith("\n3\n")
