"""One simulated recording: frames of the camera, events of the sensor, and what was shown when.

Reproducibility: every random number of a take comes from one generator keyed by (seed, person, emotion,
take), and a person's traits from (seed, person). A take is therefore the same whichever others are made, in
whatever order and by however many processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.checks import check_integers
from snnkd.datasets.eyesim.expression import Course, Track, express
from snnkd.datasets.eyesim.geometry import Light
from snnkd.datasets.eyesim.motion import wander
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.renderer import Image, render_many
from snnkd.datasets.labels import EMOTIONS, emotion_index
from snnkd.errors import DatasetError
from snnkd.events import Events
from snnkd.recordings import Frames, SensorModel, simulate_events

VERSION = 2
"""Version of the simulator: a change that alters recordings raises it, so that old and new are not mixed."""

_TAKE_KEY, _SESSION_KEY = 0x7A4E, 0x5E55  # keep the streams of takes, sessions and persons apart

SIDES = (16, 4096)
RANGES: dict[str, tuple[float, float]] = {
    "duration_s": (0.1, 3600.0),
    "frame_rate": (1.0, 10_000.0),
    "substeps": (1, 1000),
    "frame_noise": (0.0, 255.0),
}
"""Least and most that a setting may be, both allowed."""


@dataclass(frozen=True)
class Settings:
    """How recordings are made.

    Attributes:
        size: image and sensor size (W, H) in pixels, each in 16..4096.
        duration_s: length of a recording in seconds, at most 3600.
        frame_rate: frames per second, at most 10,000; the period is rounded to whole µs, 33,333 µs at 30.
        substeps: images rendered per frame for the sensor model, 1..1000.
        sensor: the sensor model; its seed is replaced by one of the take's own.
        frame_noise: standard deviation of the camera's read noise in DN; photon noise of ``0.2·sqrt(DN)``
            joins it.

    Raises :class:`DatasetError` naming the setting that is out of range.
    """

    size: tuple[int, int] = (64, 64)
    duration_s: float = 1.0
    frame_rate: float = 30.0
    substeps: int = 4
    sensor: SensorModel = field(default_factory=SensorModel.davis346)
    frame_noise: float = 1.5

    def __post_init__(self) -> None:
        pair = isinstance(self.size, tuple | list) and len(self.size) == 2
        if not pair or not all(_is_within(side, SIDES, Integral) for side in self.size):
            raise DatasetError(f"size is {self.size!r}; it must be (W, H) of {SIDES[0]} to {SIDES[1]} pixels each")
        for name, limits in RANGES.items():
            if not _is_within(getattr(self, name), limits, Integral if name == "substeps" else Real):
                least, most = limits
                raise DatasetError(f"{name} is {getattr(self, name)!r}; it must be at least {least} and at most {most}")

    @property
    def frame_period_us(self) -> int:
        """Time between two frames in µs."""
        return round(1e6 / self.frame_rate)

    @property
    def length_us(self) -> int:
        """Time from the first frame of a recording to its last in µs."""
        return self._frames(self.duration_s) * self.frame_period_us

    def subframe_times(self, duration_s: float) -> NDArray[np.int64]:
        """Times in µs of all images to render, ``(n·substeps + 1,)``; every ``substeps``-th is a frame."""
        step = np.arange(self._frames(duration_s) * self.substeps + 1, dtype=np.int64)
        return step * self.frame_period_us // self.substeps

    def _frames(self, duration_s: float) -> int:
        return max(round(duration_s * self.frame_rate), 1)


def _is_within(value: Any, limits: tuple[float, float], kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and limits[0] <= value <= limits[1]


class Simulated(NamedTuple):
    """A simulated recording: events, frames, and metadata with ``segments`` of what was shown when."""

    events: Events
    frames: Frames
    metadata: dict[str, Any]


def simulate_sequence(
    seed: int, person: int, emotion: str, take: int, settings: Settings | None = None, **changes: Any
) -> Simulated:
    """Simulate one take: person ``person`` of population ``seed`` shows ``emotion`` once.

    ``changes`` are fields of :class:`Settings` to change, e.g. ``size=(96, 96)``. The recording starts at 0
    µs with a frame and ends with one. Metadata: ``simulator``, ``version``, ``seed``, ``person``,
    ``emotion``, ``take``, ``lighting``, and ``segments``, one dict of ``start_us``, ``end_us``, ``emotion``. Raises
    :class:`DatasetError` for an unknown emotion, a setting out of range, or a ``seed``, ``person`` or ``take`` below 0.
    """
    settings = replace(settings or Settings(), **changes)
    check_integers(0, seed=seed, person=person, take=take)
    label = emotion_index(emotion)
    rng = np.random.default_rng([seed, _TAKE_KEY, person, label, take])
    who = Person.draw(seed, person)
    times_us = settings.subframe_times(settings.duration_s)
    times: Track = times_us.astype(np.float64) * 1e-6
    course = Course.draw(0.0, float(times[-1]), rng)
    units = express(EMOTIONS[label], who, times, course, rng)
    metadata = _metadata(seed, who, take) | {
        "emotion": EMOTIONS[label],
        "segments": [_segment(course, float(times[-1]), EMOTIONS[label])],
    }
    return _film(who, units, times_us, settings, metadata, rng)


def simulate_session(
    seed: int,
    person: int,
    emotions: Sequence[str],
    take: int = 0,
    settings: Settings | None = None,
    *,
    seconds_each: float = 1.6,
    rest_s: float = 0.8,
    **changes: Any,
) -> Simulated:
    """Simulate one longer recording in which the ``emotions`` follow each other with a neutral face between.

    ``seconds_each`` is given to an expression and ``rest_s`` to the neutral face before the first, between
    two and after the last; ``settings.duration_s`` is not used. Metadata are those of
    :func:`simulate_sequence` with
    ``emotions`` in place of ``emotion``, and ``segments`` cover the whole recording, the neutral stretches
    too. Raises :class:`DatasetError` for no or an unknown emotion, a non-positive length, or a setting out of
    range.
    """
    settings = replace(settings or Settings(), **changes)
    check_integers(0, seed=seed, person=person, take=take)
    names = [EMOTIONS[emotion_index(name)] for name in emotions]
    longest = RANGES["duration_s"][1]
    length = len(names) * seconds_each + (len(names) + 1) * rest_s
    if not names or not seconds_each >= 0.5 or not rest_s >= 0 or length > longest:
        raise DatasetError(
            "a session needs at least one emotion, seconds_each of at least 0.5, rest_s of at least 0, and may last "
            f"{longest:g} s; asked for {len(names)} emotions, seconds_each={seconds_each} and rest_s={rest_s}"
        )
    rng = np.random.default_rng([seed, _SESSION_KEY, person, take])
    who = Person.draw(seed, person)
    times_us = settings.subframe_times(length)
    times: Track = times_us.astype(np.float64) * 1e-6
    units = np.zeros((len(times), 7))
    shown = []
    for i, name in enumerate(names):
        start = rest_s + i * (seconds_each + rest_s)
        course = Course.draw(start, start + seconds_each, rng)
        units = np.maximum(units, express(name, who, times, course, rng))
        shown.append(_segment(course, float(times[-1]), name))
    metadata = _metadata(seed, who, take) | {
        "emotions": names,
        "segments": _with_neutral(shown, int(times_us[-1])),
    }
    return _film(who, units, times_us, settings, metadata, rng)


def _film(
    who: Person,
    units: Track,
    times_us: NDArray[np.int64],
    settings: Settings,
    metadata: dict[str, Any],
    rng: np.random.Generator,
) -> Simulated:
    """Render, sense and photograph a course of action units ``(N, 7)`` with unlabelled movement added."""
    times: Track = times_us.astype(np.float64) * 1e-6
    states = np.column_stack([units, wander(times, rng)])
    light = Light(rng.uniform(0.85, 1.15), *rng.uniform(-0.08, 0.08, 2))
    sensor = replace(settings.sensor, seed=int(rng.integers(2**31)))
    kept: list[Image] = []

    def images() -> Iterator[Image]:
        # One at a time: a long session at full sensor size would otherwise fill the memory.
        for i, row in enumerate(states):
            image = render_many(who, row[None], settings.size, light=light)[0]
            if i % settings.substeps == 0:
                kept.append(image)
            yield image

    events = simulate_events(images(), times_us, sensor=sensor)
    exact = np.stack(kept)
    noise = rng.standard_normal(exact.shape, dtype=np.float32)
    noisy = exact + noise * np.sqrt(settings.frame_noise**2 + 0.04 * exact)
    frames = Frames(
        images=np.clip(np.rint(noisy), 0, 255).astype(np.uint8), timestamps_us=times_us[:: settings.substeps]
    )
    return Simulated(events, frames, metadata)


def _metadata(seed: int, who: Person, take: int) -> dict[str, Any]:
    return {
        "simulator": "eyesim",
        "version": VERSION,
        "seed": seed,
        "person": who.name,
        "take": take,
        "lighting": "normal",
    }


def _segment(course: Course, end: float, emotion: str) -> dict[str, Any]:
    """Interval in which an emotion shows, from onset to the end of its fall."""
    until = min(course.release + course.fall, end)
    return {"start_us": round(course.onset * 1e6), "end_us": round(until * 1e6), "emotion": emotion}


def _with_neutral(shown: list[dict[str, Any]], end_us: int) -> list[dict[str, Any]]:
    """Fill the gaps between the segments from 0 to ``end_us`` with neutral ones, and cut overlaps."""
    segments: list[dict[str, Any]] = []
    at = 0
    for i, segment in enumerate(shown):
        if segment["start_us"] > at:
            segments.append({"start_us": at, "end_us": segment["start_us"], "emotion": "neutral"})
        following = shown[i + 1]["start_us"] if i + 1 < len(shown) else end_us
        segments.append(segment | {"end_us": min(segment["end_us"], following)})
        at = segments[-1]["end_us"]
    if at < end_us:
        segments.append({"start_us": at, "end_us": end_us, "emotion": "neutral"})
    return segments
