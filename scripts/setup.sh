#!/usr/bin/env bash
# Make a virtual environment with the pinned versions of requirements.lock and this checkout, editable.
# Usage: bash scripts/setup.sh [FOLDER]        (default .venv; PYTHON names the interpreter, default python3)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  { echo "snnkd needs Python 3.11 or newer; name one with PYTHON=/path/to/python3" >&2; exit 2; }

# Installed once per lock: the stamp holds the lock that the environment was made from.
stamp=$venv/installed.lock
if ! cmp -s requirements.lock "$stamp"; then
  echo "Installing into $venv (once; a few minutes on a slow line)" >&2
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.lock
  # compat: a plain path entry. The default hook loses to a folder named snnkd beside a user's script, such as the clone.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --config-settings editable_mode=compat --editable .
  cp requirements.lock "$stamp"
fi
