"""Engines: what runs a network over windows."""

from snnkd.energy import Hardware
from snnkd.errors import ConfigError
from snnkd.inference.engine.dense import Dense
from snnkd.inference.engine.event_driven import EventDriven
from snnkd.inference.engine.graphed import Graphed
from snnkd.inference.engine.steps import Engine, Steps
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
    devices = {parameter.device.type for parameter in network.parameters()}
    if kind == "event-driven" or (kind == "auto" and devices == {"cpu"} and EventDriven.runs(network, hardware)):
        return EventDriven(network, hardware)
    if kind == "auto" and devices == {"cuda"} and type(network) is EventStudent and hardware is None:
        return Graphed(network)
    return Dense(network, hardware)


__all__ = ["BACKENDS", "Dense", "Engine", "EventDriven", "Graphed", "Steps", "make_engine"]
