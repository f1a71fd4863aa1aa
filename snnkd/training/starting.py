"""Weights to begin with."""

from typing import Any

from snnkd.errors import ConfigError
from snnkd.models import EyeNetwork, load_model


def begin_with(network: EyeNetwork, folder: str | None) -> dict[str, Any]:
    """Load a model folder's weights into ``network``; return what the folder says of its training data.

    Raises :class:`ConfigError` where the folder holds another network.
    """
    if folder is None:
        return {}
    given, config = load_model(folder)
    if type(given) is not type(network) or given.arguments != network.arguments:
        differing = sorted(key for key in network.arguments if given.arguments.get(key) != network.arguments[key])
        raise ConfigError(
            f"start_from: {folder} holds a {type(given).__name__} of other {', '.join(differing) or 'kind'} than the "
            f"{type(network).__name__} that is to be trained: give both the same settings"
        )
    network.load_state_dict(given.state_dict())
    return config.input
