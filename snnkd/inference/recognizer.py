"""The recognizer: a trained student that reads recordings."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnkd.errors import ModelError, RecordingError
from snnkd.events.array import EVENT_DTYPE, Events
from snnkd.inference.engine import Together, make_engine
from snnkd.inference.scan import Scan, ahead
from snnkd.inference.session import Reading, Session, Windows, make_mode
from snnkd.inference.settings import Settings
from snnkd.inference.smoothing import Smoothing
from snnkd.inference.timeline import Timeline, probabilities_of
from snnkd.inference.windowing import BLOCK, QUALITIES, Block, Crop, WindowReader, place_region
from snnkd.models import EyeNetwork
from snnkd.recordings import Recording

if TYPE_CHECKING:
    from snnkd.energy import Hardware


@dataclass(frozen=True)
class Recognizer:
    """Reads emotions over time out of recordings, with the state carried from window to window.

    Make one with :func:`snnkd.load`.
    """

    network: EyeNetwork
    emotions: tuple[str, ...]
    window_us: int
    """Length of a window: that of the network's training"""
    source: str = ""
    """Where the model is from"""
    input: dict[str, Any] = field(default_factory=dict)
    """What ``config.json`` says of the training's data: windows, split, persons"""
    training: dict[str, Any] = field(default_factory=dict)
    """What it says of the training: epochs, scores on validation, the teacher's folder"""
    temperature: float = 1.0
    """Of the probabilities, which are the softmax of the logits over it; fitted on validation by the training"""
    together: Together | None = field(default=None, repr=False, compare=False)
    """An engine that other threads recognise with, too (:mod:`snnkd.inference.many`), instead of one of its own"""

    @property
    def dataset(self) -> str:
        """What it was trained on."""
        return str(self.input.get("dataset", ""))

    @property
    def step_us(self) -> int:
        """Time from one step of the network to the next: ``stride`` windows, of which it sees the first."""
        return self.window_us * int(self.input.get("stride", 1))

    @property
    def caution(self) -> str | None:
        """What a reader of its timelines must know; ``None`` where there is nothing to say."""
        if self.dataset == "EyeSim":
            return "trained on synthetic eyes: what it tells of real ones is not validated"
        return None

    def check(self) -> None:
        """Raise :class:`ModelError` for a network that does not read events."""
        if self.network.modality != "events":
            name = type(self.network).__name__
            raise ModelError(f"{self.source or name}: reads {self.network.modality}: recognising needs an event model")

    def ready(self) -> "Recognizer":
        """Load the compiled kernels, which the first window would else wait for (0.3 s); return the recognizer."""
        self.check()
        size = self.network.input_size
        live = self.live(size)
        event = np.zeros(1, EVENT_DTYPE)
        for _ in (*live.feed(event), *live.finish()):
            pass
        return self

    def recognize(
        self,
        recording: Recording,
        hardware: str | None = None,
        smoothing: Smoothing = Smoothing(),  # noqa: B008
        settings: Settings = Settings(),  # noqa: B008
    ) -> Timeline:
        """Run over all of a recording.

        A step begins every ``step_us`` and sees the events of its first ``window_us``, as in the training.
        The region's pixels are mapped onto the network's input by integer coordinates; pixels that are hot in the first
        four million events are left out.
        Memory does not grow with the recording, but for the results.

        Args:
            recording: what :func:`snnkd.open_recording` returns.
            hardware: estimate the energy of each window on it (:mod:`snnkd.energy`).
            smoothing: how windows become segments.
            settings: what of it is read, and how.

        Raises:
            ModelError: a network that does not read events.
            ConfigError: hardware that is not known, a region that is not on the sensor.
            RecordingError: a recording without events, or that cannot be read to its end.
        """
        self.check()
        seen, session = self._open(recording, hardware, settings, BLOCK)
        try:
            with nullcontext() if self.together is None else self.together.stream():
                blocks = ahead(_blocks(session.reader, ahead(seen.chunks())))
                windows = [*session.run(blocks), *session.finish()]
        except RecordingError as error:
            raise error if str(recording.path) in str(error) else RecordingError(f"{recording.path}: {error}") from None
        joules = [part.joules for part in windows if part.joules is not None]
        return Timeline(
            self.emotions,
            self.step_us,
            np.concatenate([part.start_us for part in windows]),
            np.concatenate([part.events for part in windows]),
            np.concatenate([part.logits for part in windows]),
            self._recording_facts(recording, seen, session.reader),
            self._model_facts(hardware, settings),
            joules=np.concatenate(joules) if joules else None,
            smoothing=smoothing,
            quality=np.concatenate([part.quality for part in windows]),
            temperature=self.temperature,
        )

    def stream(
        self,
        recording: Recording,
        hardware: str | None = None,
        settings: Settings = Settings(),  # noqa: B008
    ) -> Iterator[Reading]:
        """Yield what is told of each window, one after another; the arguments are those of :meth:`recognize`."""
        self.check()
        seen, session = self._open(recording, hardware, settings, 1)
        live = Live(self, session)
        for chunk in seen.chunks():
            yield from live.feed(chunk)
        yield from live.finish()

    def live(
        self,
        sensor_size: tuple[int, int],
        start_us: int = 0,
        hardware: str | None = None,
        settings: Settings = Settings(),  # noqa: B008
        hot: NDArray[np.bool_] | None = None,
    ) -> "Live":
        """Begin a stream whose events are still to come.

        Args:
            sensor_size: (W, H).
            start_us: where the first window begins, on the events' clock.
            hardware: as for :meth:`recognize`.
            settings: as for :meth:`recognize`; the region cannot be ``auto``, as no event is known yet.
            hot: mask (H, W) of pixels to leave out (:func:`snnkd.events.hot_pixels`).
        """
        self.check()
        crop = place_region(settings.region, sensor_size)
        return Live(self, self._session(sensor_size, crop, start_us, hot, hardware, settings, 1))

    def _open(self, recording: Recording, hardware: str | None, settings: Settings, block: int) -> tuple[Scan, Session]:
        seen, size = Scan(recording), recording.sensor_size
        crop = place_region(settings.region, size, seen.counts)
        return seen, self._session(size, crop, seen.start_us, seen.hot, hardware, settings, block)

    def _session(
        self,
        sensor_size: tuple[int, int],
        crop: Crop,
        start_us: int,
        hot: NDArray[np.bool_] | None,
        hardware: str | None,
        settings: Settings,
        block: int,
    ) -> Session:
        step_us = self.step_us
        reader = WindowReader(sensor_size, crop, self.network.input_size, start_us, step_us, self.window_us, hot, block)
        steps = self._clip_steps() if settings.mode == "clips" else 1
        silence = None if settings.reset_us is None else max(1, settings.reset_us // step_us)
        engine = self.together or make_engine(self.network, priced(hardware), settings.backend)
        mode = make_mode(engine, settings.mode, steps, settings.hop, silence)
        return Session(reader, mode, settings.validity)

    def _clip_steps(self) -> int:
        """Windows of a clip of the training."""
        steps = self.input.get("steps")
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            text = f"config.json: input.steps must be a whole number from 1 on for clips, got {steps!r}"
            raise ModelError(f"{self.source or type(self.network).__name__}: {text}")
        return steps

    def _model_facts(self, hardware: str | None, settings: Settings) -> dict[str, Any]:
        return {
            "source": self.source,
            "window_us": self.window_us,
            "network": type(self.network).__name__,
            "input_size": list(self.network.input_size),
            "dataset": self.dataset,
            "caution": self.caution,
            "hardware": hardware,
            "device": self.network.device.type,
            "temperature": self.temperature,
            "mode": settings.mode,
        }

    def _recording_facts(self, recording: Recording, seen: Scan, reader: WindowReader) -> dict[str, Any]:
        return {
            "path": str(recording.path),
            "format": recording.format,
            "sensor_size": list(recording.sensor_size),
            "start_us": seen.start_us,
            "duration_us": seen.end_us - seen.start_us,
            "events": seen.events,
            "crop": list(reader.region),
            "hot_pixels": int(seen.hot.sum()),
            "hot_events": reader.hot_events,
            "warnings": list(recording.warnings),
        }


class Live:
    """A stream in windows of which each is told as soon as it is over; made by :meth:`Recognizer.live`."""

    def __init__(self, recognizer: Recognizer, session: Session) -> None:
        self._recognizer, self._session = recognizer, session
        self._start_us = session.reader.start_us

    def feed(self, events: Events) -> Iterator[Reading]:
        """Take events (N,) that follow those before; yield what is told of each window that they end.

        Raises ``ValueError`` for events outside the sensor, or before those that were there.
        """
        return self._told(self._session.feed(events))

    def until(self, time_us: int) -> Iterator[Reading]:
        """Yield the windows that end at or before a time up to which all events have come: in silence too."""
        return self._told(self._session.until(time_us))

    def finish(self) -> Iterator[Reading]:
        """Yield what is left; nothing may follow."""
        return self._told(self._session.finish())

    def _told(self, windows: Iterator[Windows]) -> Iterator[Reading]:
        emotions, step_us = self._recognizer.emotions, self._recognizer.step_us
        for part in windows:
            probabilities = probabilities_of(part.logits, self._recognizer.temperature)
            for t, row in enumerate(probabilities.tolist()):
                begin = int(part.start_us[t])
                best = int(np.argmax(row))
                yield Reading(
                    begin,
                    begin + step_us,
                    (begin - self._start_us) / 1e6,
                    (begin + step_us - self._start_us) / 1e6,
                    int(part.events[t]),
                    QUALITIES[part.quality[t]],
                    emotions[best],
                    row[best],
                    dict(zip(emotions, row, strict=True)),
                    tuple(part.logits[t].tolist()),
                    None if part.joules is None else float(part.joules[t]),
                )


def priced(hardware: str | None) -> "Hardware | None":
    """Load a hardware profile, where one is named."""
    if hardware is None:
        return None
    from snnkd.energy import load_hardware

    return load_hardware(hardware)


def _blocks(reader: WindowReader, chunks: Iterator[Events]) -> Iterator[Block]:
    for chunk in chunks:
        yield from reader.feed(chunk)
