#!/usr/bin/env bash
# Set up and run the tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
bash scripts/setup.sh "$venv"
exec "$venv/bin/python" -m pytest "$@"
