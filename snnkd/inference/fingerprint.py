"""Hashes that say whether a result is that of a recording, a model and settings as they are now."""

import hashlib
import json
from pathlib import Path
from typing import Any

from snnkd.models import EyeNetwork

CHUNK = 1 << 22


def content_hash(path: Path) -> str:
    """Hash a file, or a folder's files with their names: 32 hexadecimal digits (BLAKE2b)."""
    state = hashlib.blake2b(digest_size=16)
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    for each in files:
        if each != path:
            state.update(each.relative_to(path).as_posix().encode() + b"\0")
        with open(each, "rb") as file:
            while chunk := file.read(CHUNK):
                state.update(chunk)
    return state.hexdigest()


def model_hash(network: EyeNetwork) -> str:
    """Hash architecture, arguments and weights."""
    state = hashlib.blake2b(json.dumps([type(network).__name__, network.arguments]).encode(), digest_size=16)
    for name, tensor in sorted(network.state_dict().items()):
        state.update(name.encode())
        state.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def settings_hash(settings: dict[str, Any]) -> str:
    """Hash plain data."""
    return hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16).hexdigest()
