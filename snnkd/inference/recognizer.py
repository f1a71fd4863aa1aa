"""The recognizer: a trained student that reads recordings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnkd.errors import ModelError, RecordingError
from snnkd.events import bin_events, centre_square, drop_pixels, hot_pixels
from snnkd.inference.smoothing import Smoothing
from snnkd.inference.timeline import Timeline
from snnkd.models import EyeNetwork, load_model
from snnkd.recordings import Recording, Window

WINDOWS_AT_ONCE = 64
"""Windows that share one call of the network; state is carried from call to call, so this changes speed only."""


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

    def recognize(
        self,
        recording: Recording,
        hardware: str | None = None,
        smoothing: Smoothing = Smoothing(),  # noqa: B008
    ) -> Timeline:
        """Run over all of a recording.

        A step begins every ``step_us`` and sees the events of its first ``window_us``, as in the training.
        The sensor's centred square is mapped onto the network's input by integer coordinates; hot pixels are left out.
        The recording's events are held in memory.

        Args:
            recording: what :func:`snnkd.open_recording` returns.
            hardware: estimate the energy of each window on it (:mod:`snnkd.energy`), which takes some more time.
            smoothing: how windows become segments.

        Raises:
            ModelError: a network that does not read events.
            ConfigError: hardware that is not known.
            RecordingError: a recording without events.
        """
        self.check()
        if recording.event_count == 0:
            raise RecordingError(f"{recording.path}: holds no events: there is nothing to recognise")
        crop = centre_square(recording.sensor_size)
        hot = hot_pixels(recording.events, recording.sensor_size)
        starts, counts, logits, joules = [], [], [], []
        state = None
        priced, counter = None, None
        if hardware is not None:
            from snnkd.energy import Counter, load_hardware, step_joules

            priced, counter = load_hardware(hardware), Counter(self.network, "events")
        self.network.eval()
        with torch.no_grad() if counter else torch.inference_mode():
            for windows in batched(recording.windows(self.step_us), WINDOWS_AT_ONCE):
                bins = np.concatenate(
                    [
                        bin_events(
                            drop_pixels(window.events, hot),
                            recording.sensor_size,
                            window.start_us,
                            self.window_us,
                            1,
                            size=self.network.input_size,
                            crop=crop,
                        )
                        for window in windows
                    ]
                )
                x = torch.from_numpy(bins.astype(np.float32)).unsqueeze(1)  # (T, 1, 2, H, W)
                output = self.network.run(x, state) if counter is None else counter.run(self.network.run, x, state)
                if counter is not None and priced is not None:
                    joules.append(step_joules(counter, priced)[:, 0])
                state = output.state
                starts += [window.start_us for window in windows]
                counts.append(bins.sum((1, 2, 3), dtype=np.int64))
                logits.append(output.logits[:, 0].float().numpy())
        return Timeline(
            self.emotions,
            self.step_us,
            np.array(starts, np.int64),
            np.concatenate(counts),
            np.concatenate(logits),
            self._recording_facts(recording, hot, crop),
            {
                "source": self.source,
                "window_us": self.window_us,
                "network": type(self.network).__name__,
                "input_size": list(self.network.input_size),
                "dataset": self.dataset,
                "caution": self.caution,
                "hardware": None if priced is None else priced.name,
            },
            joules=np.concatenate(joules) if joules else None,
            smoothing=smoothing,
        )

    def _recording_facts(
        self, recording: Recording, hot: NDArray[np.bool_], crop: tuple[int, int, int, int]
    ) -> dict[str, Any]:
        return {
            "path": str(recording.path),
            "format": recording.format,
            "sensor_size": list(recording.sensor_size),
            "start_us": recording.start_us,
            "duration_us": recording.duration_us,
            "events": recording.event_count,
            "crop": list(crop),
            "hot_pixels": int(hot.sum()),
            "hot_events": recording.event_count - len(drop_pixels(recording.events, hot)),
            "warnings": list(recording.warnings),
        }


def batched(windows: Iterator[Window], number: int) -> Iterator[list[Window]]:
    """Cut an iterator into lists of ``number``, the last one shorter."""
    while chunk := list(islice(windows, number)):
        yield chunk


def load(path: str | Path) -> Recognizer:
    """Load a model folder, or a Hub id, as a :class:`Recognizer`; ``.network`` is the ``nn.Module``.

    Raises :class:`~snnkd.errors.ModelError`, naming the file and what is wrong with it.
    """
    network, config = load_model(path)
    for key, default in (("window_us", None), ("stride", 1)):
        value = config.input.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 60_000_000:
            raise ModelError(
                f"{path}: config.json: input.{key} must be a whole number from 1 up to 60 s, got {value!r}"
            )
    return Recognizer(network, config.emotions, config.input["window_us"], str(path), config.input, config.training)
