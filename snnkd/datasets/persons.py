"""Names of persons: telling that two spellings are one name.

Splits are by persons, so one person who is spelt two ways would be two, and could be in training and in the test set.
Names are one where they are equal after Unicode's NFKC, case folding, and dropping the zeros that whole numbers begin
with: ``P2``, ``p2`` and ``p02`` are one, ``p2`` and ``p20`` are two.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from snnkd.datasets.report import Problem

_NUMBER = re.compile("[0-9]+")


class Named(NamedTuple):
    """Where a person is named: the name, the sequence (or line) that it is of, and the place that a message names."""

    person: str
    sequence: str
    place: str


def person_key(name: str) -> str:
    """What all spellings of a name have in common."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return _NUMBER.sub(lambda number: number[0].lstrip("0") or "0", folded)


def spelling_problems(named: Iterable[Named]) -> list[Problem]:
    """A problem for each place whose person is spelt another way in most other places; both spellings are named."""
    places = list(named)
    spelt: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for place in places:
        spelt[person_key(place.person)][place.person] += 1
    usual = {key: max((times, name) for name, times in found.items())[1] for key, found in spelt.items()}
    return [
        Problem(
            "person in two spellings",
            place.sequence,
            f"{place.place}: person {place.person} is elsewhere spelt {right}, and would be two; rename it (two people "
            "need names that differ by more than case and leading zeros)",
        )
        for place in places
        if (right := usual[person_key(place.person)]) != place.person
    ]
