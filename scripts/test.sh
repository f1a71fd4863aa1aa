#!/usr/bin/env bash
# Set up and run the tests, in two processes of one thread each. Arguments go to pytest; with any it is one process.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
bash scripts/setup.sh "$venv"
if [ $# -eq 0 ]; then
  set -- -n 2 --dist worksteal
  export OMP_NUM_THREADS=1  # two processes that each start two threads wait for each other
fi
exec "$venv/bin/python" -m pytest "$@"
