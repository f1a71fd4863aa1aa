#!/usr/bin/env bash
# Write requirements.lock anew: the newest versions that pyproject.toml admits, in a fresh environment.
# torch stays where it is pinned below: a newer one pulls several GB of CUDA packages.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --disable-pip-version-check)
"${pip[@]}" install --quiet torch==2.13.0
"${pip[@]}" install --quiet --editable '.[test]' 'setuptools>=77'
{
  echo "# Written by scripts/lock.sh. Exact versions of everything that scripts/setup.sh installs."
  # Without the package itself, pip, and the local part of torch's version, which names a build and not a release.
  "${pip[@]}" freeze --all --exclude-editable | grep -viE '^(pip|snnkd)==' | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'
} > requirements.lock
