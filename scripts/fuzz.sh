#!/usr/bin/env bash
# Hold the readers to more damaged files than the tests do: TIMES times two thousand for each, from another SEED.
# Usage: bash scripts/fuzz.sh [TIMES] [SEED]        (default 50 and the seconds since 1970)
set -euo pipefail
cd "$(dirname "$0")/.."
export SNNKD_FUZZ_TIMES=${1:-50} SNNKD_FUZZ_SEED=${2:-$(date +%s)}
echo "times $SNNKD_FUZZ_TIMES, seed $SNNKD_FUZZ_SEED" >&2
bash scripts/setup.sh
.venv/bin/python -m pytest tests/recordings -k "damage or test_our_hdf5 or test_evbeye or test_aedat4" -s --timeout 0
