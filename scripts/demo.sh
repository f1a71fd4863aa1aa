#!/usr/bin/env bash
# Set up and run the demo. Arguments go to `snnkd demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
bash scripts/setup.sh "$venv"
exec "$venv/bin/snnkd" demo "$@"
