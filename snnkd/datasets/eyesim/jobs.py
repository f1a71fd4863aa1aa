"""The takes of a synthetic data set, and what a layout on disk must be able to do with them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from snnkd.datasets.eyesim.person import Person
from snnkd.datasets.labels import EMOTIONS


class Job(NamedTuple):
    """One take to be made."""

    seed: int
    person: int
    emotion: str
    take: int
    lighting: str

    @property
    def file(self) -> str:
        """Path of its recording in the data set."""
        return f"{Person(index=self.person).name}/{self.emotion}_{self.take:03d}_{self.lighting}.h5"


class Layout(Protocol):
    """How takes lie on disk."""

    def check(self, persons: int, takes: int) -> None:
        """Raise :class:`DatasetError` where what is there is of other settings, or more than is asked for."""

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Make the folders."""

    def is_whole(self, job: Job) -> bool:
        """Tell whether a take is there, complete and of these settings."""

    def make(self, job: Job) -> None:
        """Simulate a take and write it."""

    def finish(self, persons: int, takes: int, jobs: Sequence[Job]) -> None:
        """Write the file that says that all is there."""


def plan(persons: int, takes: int, seed: int, lightings: Sequence[str]) -> list[Job]:
    """All takes of a data set; the lighting moves on by one with the person and by one with the take.

    A person shows every emotion under the same lightings, equally often: neither a person's lighting nor how many takes
    another lighting leaves of an emotion tells which emotion it is.
    """
    return [
        Job(seed, person, emotion, take, lightings[(person + take) % len(lightings)])
        for person in range(persons)
        for emotion in EMOTIONS
        for take in range(takes)
    ]
