"""One simulated recording: frames of the camera, events of the sensor, and what was shown when.

Reproducibility: all that moves in a take comes from one generator keyed by (seed, person, emotion, take), all that
lights and records it from one keyed by these and the lighting, and a person's traits from (seed, person). A take is
therefore the same whichever others are made, in whatever order and by however many processes; and under two lightings
it is the same performance.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnkd.datasets.checks import check_integers
from snnkd.datasets.eyesim.expression import Course, Track, express, strays
from snnkd.datasets.eyesim.lighting import draw_lighting, photograph
from snnkd.datasets.eyesim.motion import wander
from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.eyesim.renderer import Image, render
from snnkd.datasets.eyesim.settings import RANGES, VERSION, Settings
from snnkd.datasets.eyesim.state import ACTION_UNITS, State
from snnkd.datasets.labels import EMOTIONS, LIGHTINGS, emotion_index, lighting_name
from snnkd.errors import DatasetError
from snnkd.events import Events
from snnkd.recordings import Frames, simulate_events

_TAKE_KEY, _SESSION_KEY, _LIGHT_KEY = 0x7A4E, 0x5E55, 0x1167  # keep the streams apart


class Simulated(NamedTuple):
    """A simulated recording: events, frames, and metadata with ``segments`` of what was shown when."""

    events: Events
    frames: Frames
    metadata: dict[str, Any]


def simulate_sequence(
    seed: int,
    person: int,
    emotion: str,
    take: int,
    settings: Settings | None = None,
    *,
    lighting: str = "normal",
    **changes: Any,
) -> Simulated:
    """Simulate one take: person ``person`` of population ``seed`` shows ``emotion`` once, under ``lighting``.

    ``changes`` are fields of :class:`Settings` to change, e.g. ``size=(96, 96)``. The recording starts at 0
    µs with a frame and ends with one. Metadata: ``simulator``, ``version``, ``seed``, ``person``,
    ``emotion``, ``take``, ``lighting``, ``segments``, one dict of ``start_us``, ``end_us``, ``emotion``, and ``apex``,
    the greatest intensity of each action unit that the expression and stray movements reached. Raises
    :class:`DatasetError` for an unknown emotion or lighting, a setting out of range, or a ``seed``, ``person`` or
    ``take`` below 0.
    """
    settings = replace(settings or Settings(), **changes)
    check_integers(0, seed=seed, person=person, take=take)
    label, condition = emotion_index(emotion), lighting_name(lighting)
    rng = np.random.default_rng([seed, _TAKE_KEY, person, label, take])
    who = Person.draw(seed, person)
    times_us = settings.subframe_times(settings.duration_s)
    times: Track = times_us.astype(np.float64) * 1e-6
    course = Course.draw(0.0, float(times[-1]), rng)
    units = express(EMOTIONS[label], who, times, course, rng) + strays(times, rng)
    metadata = _metadata(seed, who, take, condition) | {
        "emotion": EMOTIONS[label],
        "segments": [_segment(course, float(times[-1]), EMOTIONS[label])],
        "apex": {name: round(float(v), 4) for name, v in zip(ACTION_UNITS, units.max(axis=0), strict=True)},
    }
    states = _states(units, wander(times, rng))
    recorder = np.random.default_rng([seed, _LIGHT_KEY, person, label, take, LIGHTINGS.index(condition)])
    return _film(who, states, times_us, settings, condition, metadata, recorder)


def simulate_session(
    seed: int,
    person: int,
    emotions: Sequence[str],
    take: int = 0,
    settings: Settings | None = None,
    *,
    seconds_each: float = 1.6,
    rest_s: float = 0.8,
    lighting: str = "normal",
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
    names, condition = [EMOTIONS[emotion_index(name)] for name in emotions], lighting_name(lighting)
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
    units = np.zeros((len(times), len(ACTION_UNITS)))
    shown = []
    for i, name in enumerate(names):
        start = rest_s + i * (seconds_each + rest_s)
        course = Course.draw(start, start + seconds_each, rng)
        units = np.maximum(units, express(name, who, times, course, rng))
        shown.append(_segment(course, float(times[-1]), name))
    metadata = _metadata(seed, who, take, condition) | {
        "emotions": names,
        "segments": _with_neutral(shown, int(times_us[-1])),
    }
    states = _states(units, wander(times, rng))
    recorder = np.random.default_rng([seed, _LIGHT_KEY, person, take, LIGHTINGS.index(condition)])
    return _film(who, states, times_us, settings, condition, metadata, recorder)


def _states(units: Track, unlabelled: Track) -> Track:
    """Rows of :class:`State` out of action units ``(N, 9)`` and what :func:`wander` gives, whose first is AU45."""
    return np.column_stack([np.clip(units[:, :-1], 0.0, 1.0), unlabelled])


def _film(
    who: Person,
    states: Track,
    times_us: NDArray[np.int64],
    settings: Settings,
    condition: str,
    metadata: dict[str, Any],
    rng: np.random.Generator,
) -> Simulated:
    """Render, sense and photograph a course of states ``(N, len(State._fields))`` under a lighting."""
    lighting = draw_lighting(condition, times_us.astype(np.float64) * 1e-6, rng)
    noise = settings.sensor.shot_noise_hz * lighting.noise
    sensor = replace(settings.sensor, seed=int(rng.integers(2**31)), shot_noise_hz=noise)
    blur = max(1, round(lighting.exposure * settings.substeps))
    recent: deque[Image] = deque(maxlen=blur)
    collected: list[Image] = []

    def images() -> Iterator[Image]:
        # One at a time: a long session at full sensor size would otherwise fill the memory.
        for i, (row, light) in enumerate(zip(states, lighting.lights, strict=True)):
            image = render(who, State(*map(float, row)), settings.size, light=light)
            recent.append(image)
            if i % settings.substeps == 0:
                collected.append(np.mean(recent, axis=0) if blur > 1 else image)
            yield image

    events = simulate_events(images(), times_us, sensor=sensor)
    frames = photograph(np.stack(collected), lighting, settings.frame_noise, rng)
    return Simulated(events, Frames(images=frames, timestamps_us=times_us[:: settings.substeps]), metadata)


def _metadata(seed: int, who: Person, take: int, lighting: str) -> dict[str, Any]:
    return {
        "simulator": "eyesim",
        "version": VERSION,
        "seed": seed,
        "person": who.name,
        "take": take,
        "lighting": lighting,
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
