"""How hard EyeSim's standard set is: probes, networks on people they do not know, and two ceilings.

Measured on the standard set, 60 persons x 7 emotions x 2 takes at 128 x 128 (``snnkd data synth -o FOLDER``), in five
person-disjoint folds, so that every take is a test take once; all intervals are over persons:

- linear probes (multinomial logistic regression): on the mean frame, on event counts, and on the true intensities of
  the action units, which is one ceiling. The regularisation is chosen among several by a fifth of the training persons.
- whether appearance misleads and change helps: the same probe on the frame at the apex, and on its difference to the
  first one.
- what an event camera keeps of that change: the probe on the difference in whole steps of the sensor's threshold, cut
  towards zero, and on the events up to the apex, ON less OFF, which add up to it.
- networks at 64 x 64 and 15 windows of three frames: the nano student and the teacher, on labels alone, trained on the
  48 other persons as ``configs/eyesim`` does, for a fixed number of epochs. Nothing is selected, so nobody validates.
- the other ceiling: the same student trained on ten times the persons, 480 of another population with one take
  each (``--more``), tested on the whole standard set.

EyeSim's own parameters were set by hand while looking at another population (seed 100) and at an earlier version of
this one.

Usage: python scripts/calibrate_eyesim.py DATA [--more DATA] [--parts probes student teacher more] [-o FILE]
DATA are made where they are not. A part that is left out keeps what the file says of it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from make_assets import machine
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from snnkd.datasets import EMOTIONS, LIGHTINGS, EyeDataset, EyeSim
from snnkd.datasets.eyesim import generate
from snnkd.datasets.eyesim.generation import make_recipe
from snnkd.datasets.eyesim.manifest import MANIFEST, check_recipe, read_manifest
from snnkd.datasets.eyesim.settings import VERSION, Settings
from snnkd.datasets.eyesim.state import ACTION_UNITS
from snnkd.models import EventStudent, EyeNetwork, FrameTeacher, parameter_count
from snnkd.recordings import open_recording
from snnkd.terminal import bar, counting
from snnkd.training import Classification, EyeSimData, TrainingProgress
from snnkd.training.callbacks import EpochSeed
from snnkd.training.data import Subset
from snnkd.training.evaluation import Predictions, Scores, Truth, run, score
from snnkd.training.precision import chosen_precision
from snnkd.training.run import quiet

RESULTS = Path(__file__).parents[1] / "assets" / "results" / "eyesim.json"
STANDARD: dict[str, Any] = {"persons": 60, "takes": 2, "seed": 0, "size": (128, 128)}
MORE: dict[str, Any] = {"persons": 480, "takes": 1, "seed": 1, "size": (128, 128)}
CLIP: dict[str, Any] = {"steps": 15, "window_us": 99_999}
SIZE = (64, 64)
STUDENT = "nano"
MOVED: dict[str, Any] = {
    "affine": {"degrees": 8.0, "shift": 0.08, "scale": (0.9, 1.1)},
    **dict.fromkeys(("drop", "noise", "hot_pixels")),
}
"""Augmentation: that of configs/eyesim"""
FOLDS = 5
STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2)
PARTS = ("probes", "student", "teacher", "more")

Vectors = NDArray[np.float32]


class Other(EyeSimData):
    """Training on all of one data set; nothing is validated or tested here."""

    def make(self, subset: Subset, size: tuple[int, int]) -> EyeDataset:
        """Open all."""
        return EyeSim(self.root, "all", size=size, start="random", **CLIP)


def whole(root: Path) -> EyeSim:
    """Every take of a data set, in the networks' input."""
    return EyeSim(root, "all", size=SIZE, **CLIP)


def folds(root: Path) -> Iterator[tuple[set[str], EyeSim]]:
    """Names of the test takes and the test set of each fold."""
    for fold in range(FOLDS):
        test = EyeSim(root, "test", size=SIZE, fold=fold, folds=FOLDS, **CLIP)
        yield {s.name for s in test.sequences}, test


def fit_linear(x: Vectors, labels: NDArray[np.int64], strength: float) -> Callable[[Vectors], NDArray[np.float32]]:
    """Logistic regression: the minimum of cross-entropy + ``strength·‖W‖²`` on standardised features by L-BFGS."""
    mean, spread = x.mean(0), (x.std(0) + 1e-3) * np.float32(np.sqrt(x.shape[1]))
    features, target = torch.from_numpy((x - mean) / spread), torch.from_numpy(labels)
    weight = torch.zeros(x.shape[1], len(EMOTIONS), requires_grad=True)
    bias = torch.zeros(len(EMOTIONS), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(features @ weight + bias, target) + strength * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return lambda new: (torch.from_numpy((new - mean) / spread) @ weight + bias).detach().numpy()


def probe(root: Path, x: Vectors) -> Scores:
    """Score of a linear probe on features ``(N, D)`` of all takes."""
    data = whole(root)
    labels, persons = np.array(data.labels), np.array([s.person for s in data.sequences])
    logits, strengths = np.zeros((len(data), len(EMOTIONS)), np.float32), []
    for number, (names, _) in enumerate(folds(root)):
        test = np.array([s.name in names for s in data.sequences])
        judges = np.isin(persons, sorted(set(persons[~test]))[number::FOLDS]) & ~test
        right = {}
        for strength in STRENGTHS:
            fit = ~test & ~judges
            told = fit_linear(x[fit], labels[fit], strength)(x[judges]).argmax(1)
            right[strength] = float((told == labels[judges]).mean())
        strengths.append(max(STRENGTHS, key=right.__getitem__))
        logits[test] = fit_linear(x[~test], labels[~test], strengths[-1])(x[test])
    return score(Predictions.from_steps(Truth.of(data), logits[None, None]), {"strengths": strengths})


def probes(root: Path, cache: str) -> dict[str, Any]:
    """Linear probes on what a picture, a count, or the face itself tells."""
    data = whole(root).use_cache(cache)
    means, counts, apexes, changes, stepped, summed = [], [], [], [], [], []
    facts = [open_recording(root / s.name).metadata for s in data.sequences]
    for i, (sequence, fact) in enumerate(zip(data.sequences, facts, strict=True)):
        windows = data.cache.read(i, np.arange(sequence.length))  # type: ignore[union-attr]
        frames = windows.frames.astype(np.float32)
        (segment,) = fact["segments"]
        apex = min((segment["start_us"] + segment["end_us"]) // 2 // data.window_us, sequence.length - 1)
        means.append(_halved(frames.mean(0)))
        counts.append(_halved(np.sqrt(windows.events.sum(0, dtype=np.float32))))
        apexes.append(_halved(np.log1p(frames[apex])))
        change = np.log1p(frames[apex]) - np.log1p(frames[0])
        changes.append(_halved(change))
        sensor = fact["settings"]["sensor"]
        threshold = np.where(change > 0, sensor["threshold_on"], sensor["threshold_off"]).astype(np.float32)
        stepped.append(_halved(np.trunc(change / threshold)))
        off, on = windows.events[: apex + 1].sum(0, dtype=np.float32)
        summed.append(_halved(on - off))
    units = np.array([list(fact["apex"].values()) for fact in facts], np.float32)

    def flat(images: list[Vectors]) -> Vectors:
        return np.stack(images).reshape(len(data), -1)

    return {
        "mean frame": _said(probe(root, flat(means))),
        "event counts": _said(probe(root, flat(counts))),
        "apex frame": _said(probe(root, flat(apexes))),
        "apex frame less the first": _said(probe(root, flat(changes))),
        "apex frame less the first, in steps of the threshold": _said(probe(root, flat(stepped))),
        "events up to the apex, ON less OFF": _said(probe(root, flat(summed))),
        "action units": _said(probe(root, units)) | {"units": list(ACTION_UNITS)},
    }


def _halved(image: Vectors) -> Vectors:
    """Means of 2 x 2 pixels of ``(..., H, W)``."""
    *rest, height, width = image.shape
    return image.reshape(*rest, height // 2, 2, width // 2, 2).mean((-3, -1))


def train(network: EyeNetwork, data: EyeSimData, epochs: int, seed: int, label: str) -> EyeNetwork:
    """Train on labels, as configs/eyesim does."""
    with bar() as progress:
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=epochs, gradient_clip_val=1.0, logger=False, enable_checkpointing=False,
            precision=chosen_precision("auto") or "32-true",
            callbacks=[EpochSeed(seed), TrainingProgress(progress, label)], enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(Classification(network, weight_decay=0.02), data)
    return network


def crossed(root: Path, make: Callable[[], EyeNetwork], epochs: int, cache: str, label: str) -> dict[str, Any]:
    """A network trained and tested in each fold, scored over all."""
    parts: list[Predictions] = []
    for fold, (_, test) in enumerate(folds(root)):
        pl.seed_everything(fold, verbose=False)
        data = EyeSimData(str(root), **CLIP, fold=fold, folds=FOLDS, val_share=0.0, cache=cache, augmentation=MOVED)
        network = train(make(), data, epochs, fold, f"{label}, fold {fold + 1} of {FOLDS}")
        parts.append(run(network, test.use_cache(cache), "centre"))
    truths = [part.truth for part in parts]
    truth = Truth(
        tuple(name for t in truths for name in t.names),
        tuple(person for t in truths for person in t.persons),
        np.concatenate([t.labels for t in truths]),
        tuple(lighting for t in truths for lighting in t.lightings),
    )
    steps = np.concatenate([part.steps for part in parts if part.steps is not None], axis=2)
    return _said(score(Predictions.from_steps(truth, steps))) | {
        "epochs": epochs,
        "parameters": parameter_count(make()),
    }


def more(root: Path, others: Path, epochs: int, cache: str) -> dict[str, Any]:
    """The student on ten times the persons."""
    pl.seed_everything(0, verbose=False)
    data = Other(str(others), **CLIP, val_share=0.0, cache=cache, augmentation=MOVED)
    network = train(EventStudent(SIZE, size=STUDENT), data, epochs, 0, "student, ten times the persons")
    scores = score(run(network, whole(root).use_cache(cache), "centre"))
    return _said(scores) | {"epochs": epochs, "training_persons": len(whole(others).persons)}


def _said(scores: Scores) -> dict[str, Any]:
    """What is kept of scores."""
    return {
        **{name: scores.headline[name]._asdict() for name in ("war", "uar")},
        "recalls": {name: value.value for name, value in scores.recalls.items()},
        "lightings": {name: value.value for name, value in scores.lightings.items()},
        "confusion": scores.confusion.tolist(),
    } | scores.facts


def ensure(root: Path, recipe: dict[str, Any]) -> None:
    """Make a data set where it is not, and refuse another one."""
    if not (root / MANIFEST).exists():
        with counting(f"making {root.name}") as progress:
            generate(root, **recipe, progress=progress)
    manifest = read_manifest(root)
    settings = Settings(size=recipe["size"])
    check_recipe(root / MANIFEST, manifest["settings"], make_recipe(recipe["seed"], list(LIGHTINGS), settings))
    for key in ("persons", "takes"):
        if manifest[key] != recipe[key]:
            raise SystemExit(f"{root}: holds {manifest[key]} {key}, not {recipe[key]}: choose another folder")


def main() -> None:
    """Measure what was asked for and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--more", type=Path, metavar="DATA", help="the population of ten times the persons")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--epochs", type=int, default=60, help="of the student (default: 60)")
    parser.add_argument("--teacher-epochs", type=int, default=40, help="of the teacher (default: 40)")
    parser.add_argument("--more-epochs", type=int, default=12, help="on ten times the persons (default: 12)")
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    quiet()
    ensure(options.data, STANDARD)
    result = json.loads(options.output.read_text()) if options.output.exists() else {}
    facts = {"version": VERSION, "standard": STANDARD, "more": MORE, "clip": CLIP, "input_size": SIZE}
    if json.loads(json.dumps(facts)) != {key: result.get(key) for key in facts}:
        result = {**facts, "parts": {}}  # nothing of another version is kept beside this one's
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "probes": lambda: probes(options.data, options.cache),
        "student": lambda: crossed(
            options.data, lambda: EventStudent(SIZE, size=STUDENT), options.epochs, options.cache, "student"
        ),
        "teacher": lambda: crossed(
            options.data, lambda: FrameTeacher(SIZE), options.teacher_epochs, options.cache, "teacher"
        ),
        "more": lambda: more(options.data, options.more, options.more_epochs, options.cache),
    }
    for part in PARTS:
        if part not in options.parts:
            continue
        if part == "more":
            if options.more is None:
                continue
            ensure(options.more, MORE)
        result["parts"][part] = measures[part]() | {"machine": machine()}
        options.output.write_text(json.dumps(result, indent=1) + "\n")
        print(part, json.dumps(result["parts"][part])[:300])


if __name__ == "__main__":
    main()
