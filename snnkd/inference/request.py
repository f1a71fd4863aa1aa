"""What is asked of a run over recordings, whoever works it off: this process, several, or a cluster."""

from dataclasses import asdict, dataclass, field
from typing import Any

from snnkd.inference.settings import Settings
from snnkd.inference.smoothing import Smoothing

HARDWARE = "45nm-fp32"
INDEX = "index.html"
"""The page over all recordings"""


@dataclass(frozen=True)
class Request:
    """What to make of each recording.

    Args:
        hardware: energy is estimated for it; None leaves it out.
        smoothing: how windows become segments.
        settings: what of a recording is read, and how.
        plot: write ``NAME.png``.
        parquet: write ``NAME.parquet``.
        page: write ``NAME.html``, and ``index.html`` over all.
        video: write ``NAME.mp4``.
        simulate: make events of the frames where a recording has none.
    """

    hardware: str | None = HARDWARE
    smoothing: Smoothing = field(default_factory=Smoothing)
    settings: Settings = field(default_factory=Settings)
    plot: bool = True
    parquet: bool = False
    page: bool = False
    video: bool = False
    simulate: bool = False

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files of a recording, in the order of writing: the JSON comes last and says that all are whole."""
        wanted = {"png": self.plot, "parquet": self.parquet, "html": self.page, "mp4": self.video}
        return ("csv", *(ending for ending, asked in wanted.items() if asked), "json")

    def facts(self) -> dict[str, Any]:
        """What of this changes what is told, and not only which files tell it."""
        return {
            "hardware": self.hardware,
            "smoothing": asdict(self.smoothing),
            "settings": asdict(self.settings),
            "simulate": self.simulate,
        }
