"""How a recording is read: what of it, in which mode, and when a window is held valid."""

from dataclasses import dataclass, field
from typing import Literal

from snnkd.errors import ConfigError
from snnkd.inference.engine import BACKENDS
from snnkd.inference.windowing import Region, Validity

Mode = Literal["stream", "clips"]


@dataclass(frozen=True)
class Settings:
    """Settings of :meth:`snnkd.inference.Recognizer.recognize`.

    Args:
        mode: ``stream``, the state carried from window to window, or ``clips``, as in the training
            (:mod:`snnkd.inference.engine.modes`).
        hop: windows from one clip to the next; a third of a clip when left out.
        reset_us: in ``stream`` mode, a silence of this length puts the network to rest; never when left out.
        region: of the sensor that the network sees (:func:`snnkd.inference.windowing.place_region`).
        validity: when a window is held valid.
        backend: ``event-driven``, ``dense``, or ``auto`` for the first of them that can run the network.
    """

    mode: Mode = "stream"
    hop: int | None = None
    reset_us: int | None = None
    region: Region = "centre"
    validity: Validity = field(default_factory=Validity)
    backend: str = "auto"

    def __post_init__(self) -> None:
        if self.mode not in ("stream", "clips"):
            raise ConfigError(f"mode: must be stream or clips, got {self.mode!r}")
        if self.hop is not None and (self.hop < 1 or self.mode != "clips"):
            raise ConfigError(f"hop: a number of windows, 1 or more, in mode clips, got {self.hop} in {self.mode}")
        if self.reset_us is not None and (self.reset_us < 1 or self.mode != "stream"):
            raise ConfigError(f"reset: a time above zero, in mode stream, got {self.reset_us} µs in {self.mode}")
        if self.backend not in BACKENDS:
            raise ConfigError(f"backend: must be one of {', '.join(BACKENDS)}, got {self.backend!r}")
