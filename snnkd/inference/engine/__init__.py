"""Engines: what runs a network over windows."""

from snnkd.energy import Hardware
from snnkd.errors import ConfigError
from snnkd.inference.engine.dense import Dense
from snnkd.inference.engine.event_driven import EventDriven
from snnkd.inference.engine.steps import Engine, Steps
from snnkd.models import EyeNetwork

BACKENDS = ("auto", "event-driven", "dense")


def make_engine(network: EyeNetwork, hardware: Hardware | None = None, kind: str = "auto") -> Engine:
    """Return an engine for ``network``: ``event-driven`` where it can run it, else ``dense``, unless one is named.

    Raises:
        ConfigError: a name that is none.
        ModelError: ``event-driven`` for a network that it cannot run.
    """
    if kind not in BACKENDS:
        raise ConfigError(f"backend: must be one of {', '.join(BACKENDS)}, got {kind!r}")
    on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
    if kind == "event-driven" or (kind == "auto" and on_cpu and EventDriven.runs(network, hardware)):
        return EventDriven(network, hardware)
    return Dense(network, hardware)


__all__ = ["BACKENDS", "Dense", "Engine", "EventDriven", "Steps", "make_engine"]
