"""Who may be scored: nobody whom the network was trained on, unless the split itself shares persons."""

from typing import Any

from snnkd.datasets import EyeDataset
from snnkd.datasets.own_recordings import POPULATION
from snnkd.datasets.persons import person_key
from snnkd.errors import DatasetError

SHARING = ("official", "leave-one-lighting-out")
"""Splits whose test persons may also have training sequences, by their definition."""


def known_persons(trained: dict[str, Any], dataset: EyeDataset) -> list[str]:
    """Persons of ``dataset`` that trained a network, sorted; ``trained`` is the ``input`` of its ``config.json``.

    Empty for a network trained on another population: equal names are other people there. All recordings of one's own
    are one population: equal names are taken for one person, however they are spelt
    (:func:`snnkd.datasets.persons.person_key`).
    """
    if trained.get("population") != dataset.population:
        return []
    known = {person_key(person) for person in trained.get("training_persons", ())}
    return [person for person in dataset.persons if person_key(person) in known]


def refuse_known_persons(trained: dict[str, Any], dataset: EyeDataset, said: str, remedy: str) -> None:
    """Raise :class:`~snnkd.errors.DatasetError` where a network would be scored on persons that trained it.

    ``trained`` is the ``input`` of a model's ``config.json``. Nothing is known, and nothing refused, of a model trained
    on another population. A split of :data:`SHARING` shares persons by design: there the split itself must be the same,
    as another one may have trained on the very sequences that are to be scored. Where such a split keeps persons apart
    (``parts_persons``) known ones come from elsewhere, and are refused.
    """
    known = known_persons(trained, dataset)
    if not known:
        return
    split = dataset.split_config.get("split")
    if split in SHARING and not getattr(dataset, "parts_persons", False):
        if trained.get("split") == dataset.split_config:
            return
        raise DatasetError(f"{said} another split than this {split} one and may know its test set: choose {remedy}")
    if dataset.population == POPULATION:
        remedy += "; if they are other people of the same name, give them another name in the list"
    raise DatasetError(f"{said} {len(known)} of the persons in this subset ({known[0]}, …): choose {remedy}")
