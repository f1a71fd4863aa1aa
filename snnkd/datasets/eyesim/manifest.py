"""``eyesim.json``: what a synthetic data set holds and how it was made, and everything that can be wrong with it."""

import json
import os
from pathlib import Path, PurePath
from reprlib import repr as short
from typing import Any

from snnkd.datasets.checks import check_integers, read_json
from snnkd.datasets.eyesim.settings import VERSION, Settings
from snnkd.datasets.labels import emotion_index, lighting_name
from snnkd.errors import DatasetError

MANIFEST = "eyesim.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Content of the manifest, with all that is read of it checked.

    Raises :class:`DatasetError` when it is missing or of another version, and naming the key that is wrong.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DatasetError(
            f"{folder}: no {MANIFEST}, so not a (whole) EyeSim data set; make it with `snnkd data synth`"
        )
    remedy = "mend it, or delete it and generate again"
    manifest = read_json(path, remedy)
    try:
        _check_content(manifest)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}; {remedy}") from None
    if manifest["settings"]["version"] != VERSION:
        raise DatasetError(f"{path}: made by another version of EyeSim; generate again under another root")
    return manifest


def _check_content(manifest: Any) -> None:
    if _entry(manifest, "format", str) != "eyesim":
        raise DatasetError(f"format is {short(manifest['format'])}, not 'eyesim'")
    settings = _entry(manifest, "settings", dict)
    check_integers(0, **{f"{key} of settings": settings.get(key) for key in ("version", "seed")})
    Settings(**{key: settings.get(key) for key in ("size", "duration_s", "frame_rate")})
    check_integers(1, persons=manifest.get("persons"), takes=manifest.get("takes"))
    for i, sequence in enumerate(_entry(manifest, "sequences", list)):
        where = f" of sequences[{i}]"
        file = PurePath(_entry(sequence, "file", str, where))
        if file.is_absolute() or ".." in file.parts:
            raise DatasetError(f"file{where} is {str(file)!r}, which is outside of the data set")
        _entry(sequence, "person", str, where)
        try:
            emotion_index(sequence.get("emotion"))
            lighting_name(sequence.get("lighting"))
        except DatasetError as error:
            raise DatasetError(f"sequences[{i}]: {error}") from None


def _entry(holder: Any, key: str, kind: type, where: str = "") -> Any:
    """Value of ``key`` in a JSON object; an error unless it is of ``kind`` and not empty."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind) or not value:
        raise DatasetError(f"{key}{where} is missing or not a {kind.__name__} with content: {short(value)}")
    return value


def check_recipe(path: Path, made: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Raise :class:`DatasetError` naming the first setting that ``path`` was made with and that is now another."""
    for key, value in recipe.items():
        if made.get(key) != value:
            raise DatasetError(
                f"{path}: made with {key}={made.get(key)!r}, asked for {value!r}; use the same settings or choose "
                "another folder"
            )


def check_size(path: Path, manifest: dict[str, Any], persons: int, takes: int) -> None:
    """Raise :class:`DatasetError` where a data set holds more persons or takes than are asked for now."""
    if manifest["persons"] > persons or manifest["takes"] > takes:
        raise DatasetError(
            f"{path}: holds {manifest['persons']} persons and {manifest['takes']} takes, more than the {persons} and "
            f"{takes} asked for; ask for at least as many or choose another folder"
        )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that appears when it is whole."""
    passing = path.with_name(f".{path.name}.partial")
    passing.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(passing, path)
