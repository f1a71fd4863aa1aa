"""Engines: what runs a network over windows."""

from snnkd.energy import Hardware
from snnkd.errors import ConfigError
from snnkd.inference.engine.dense import Dense
from snnkd.inference.engine.event_driven import EventDriven
from snnkd.inference.engine.graphed import Graphed
from snnkd.inference.engine.steps import Engine, Steps
from snnkd.inference.engine.together import Together
from snnkd.models import EventStudent, EyeNetwork

BACKENDS = ("auto", "event-driven", "dense")


def make_engine(network: EyeNetwork, hardware: Hardware | None = None, kind: str = "auto") -> Engine:
    """Return an engine for ``network``: ``event-driven`` where it can run it, else ``dense``, unless one is named.

    A student on a GPU whose energy is not asked for is replayed as a graph (:mod:`~snnkd.inference.engine.graphed`).

    Raises:
        ConfigError: a name that is none.
        ModelError: ``event-driven`` for a network that it cannot run.
    """
    if kind not in BACKENDS:
        raise ConfigError(f"backend: must be one of {', '.join(BACKENDS)}, got {kind!r}")
    if kind == "event-driven" or (kind == "auto" and _by_events(network, hardware)):
        return EventDriven(network, hardware)
    if kind == "auto" and network.device.type == "cuda" and type(network) is EventStudent and hardware is None:
        return Graphed(network)
    return Dense(network, hardware)


def make_batch_engine(network: EyeNetwork, hardware: Hardware | None = None, kind: str = "auto") -> Together:
    """Return an engine that several recordings share.

    Raises :class:`ConfigError` where the network would be run event by event, which no batch makes quicker.
    """
    if kind == "event-driven" or (kind == "auto" and _by_events(network, hardware)):
        raise ConfigError("batch: on a CPU each recording is run event by event: share them among workers instead")
    return Together(Dense(network, hardware))


def _by_events(network: EyeNetwork, hardware: Hardware | None) -> bool:
    return network.device.type == "cpu" and EventDriven.runs(network, hardware)


__all__ = [
    "BACKENDS",
    "Dense",
    "Engine",
    "EventDriven",
    "Graphed",
    "Steps",
    "Together",
    "make_batch_engine",
    "make_engine",
]
