"""Keys whose value is an empty mapping, which jsonargparse passes over when nothing has that name."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from snnkd.errors import ConfigError


def refuse_unknown(arguments: Sequence[str], parsed: dict[str, Any]) -> None:
    """Raise :class:`~snnkd.errors.ConfigError` for an empty option that is not in what was parsed.

    ``curriculum: {}`` asks for a curriculum with its defaults; ``curriculm: {}`` would ask for nothing, in silence.
    """
    for path in _empty(arguments):
        within: Any = parsed
        for place, key in enumerate(path):
            if not isinstance(within, dict):
                break
            if key not in within and isinstance(within.get("init_args"), dict):
                within = within["init_args"]  # `--model.curriculum` is short for `--model.init_args.curriculum`
            if key not in within:
                where = ".".join(key for key in path[:place] if key != "init_args") or "configuration"
                raise ConfigError(
                    f"{where}: option {key!r} is not accepted: see `snnkd train --help` and the files in configs/"
                )
            within = within[key]


def _empty(arguments: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Paths of options that are ``{}``, in the configuration files and on the command line."""
    words = [part for argument in arguments for part in argument.split("=", 1)]
    for option, value in zip(words, [*words[1:], ""], strict=True):
        if option in ("--config", "-c"):
            # Which may be the YAML itself, too.
            text = Path(value).read_text() if Path(value).is_file() else value
            yield from _walk(yaml.safe_load(text), ())
        elif option.startswith("--") and value.strip() == "{}":
            yield tuple(option[2:].split("."))


def _walk(content: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if content == {}:
        yield path
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _walk(value, (*path, str(key)))
