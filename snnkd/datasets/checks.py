"""Checks that the datasets share: whole numbers from a caller, and JSON files from anywhere."""

import json
from numbers import Integral
from pathlib import Path
from typing import Any

from snnkd.errors import DatasetError


def check_integers(low: int, **values: Any) -> None:
    """Raise :class:`DatasetError` naming the first of ``values`` that is no integer of at least ``low``."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
            raise DatasetError(f"{name} is {value!r}; it must be an integer of at least {low}")


def read_json(path: Path, remedy: str) -> Any:
    """Content of a JSON file; :class:`DatasetError` naming it, ending in ``remedy``, when it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # text in another encoding is a ValueError too
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DatasetError(f"{path}: cannot be read as JSON ({reason}); {remedy}") from error
