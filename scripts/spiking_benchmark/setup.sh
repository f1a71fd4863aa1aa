#!/usr/bin/env bash
# Make the environment in which the spiking core and its peers are timed: bash setup.sh FOLDER
# The peers come without their dependencies, which would bring another torch; what they import when used here follows.
set -euo pipefail
folder=$1
[ ! -e "$folder" ] || [ -e "$folder/pyvenv.cfg" ] || { echo "$folder is there and no environment" >&2; exit 2; }
"${PYTHON:-python3}" -m venv --clear "$folder"
pip=("$folder/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install "torch==${TORCH:-2.13.0}" numpy numba loguru tqdm packaging h5py matplotlib safetensors huggingface_hub
"${pip[@]}" install --no-deps snntorch==1.0.0 spikingjelly==2.0.0 norse==1.1.0 nir==1.0.8 nirtorch==2.6
