"""Prediction files in the form of SEE's authors, read and written.

::

    {"results": {"1_001_man_24_Master_normal_angry_45_take000": [{"label": "angry", "score": 0.99}, ...], ...}}

A file is one run over the sequences; the authors publish 20 of each of their networks, with the first answer alone.
Labels are those of SEE's folders or ours (``angry`` and ``anger``, any case); a score is a probability, 0..1.

- **The answer** is the label with the highest score. Of equal ones it is the one listed first, and the tie is counted.
  The authors' own script takes what is listed first, whatever its score: where that is another answer, the file is
  refused.
- **Missing sequences**: what is not in a file but in the data, or without data in another of the files, is refused, or
  counted as wrong where that is allowed. A sequence that the data do not have is refused.
- A sequence or a label that stands in a file twice is refused, and not merged into one.

Errors are :class:`~snnkd.errors.DatasetError` and name file and sequence.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snnkd.datasets import EMOTIONS, emotion_index
from snnkd.errors import DatasetError, warn
from snnkd.training.evaluation.predictions import MISSING, Predictions, Truth

Answers = dict[str, list[tuple[int, float]]]
"""Of each sequence its emotions and their scores, as listed"""

SPELLING = {"anger": "angry"}
"""Emotions that SEE's folders and files name otherwise"""

WHOLE = 1e-3
"""How far seven scores may be from a sum of 1 and still be probabilities of all"""


def read_predictions(paths: Sequence[Path], truth: Truth | None = None, *, allow_missing: bool = False) -> Predictions:
    """Read files, each a run, in the order given.

    ``truth`` says which sequences there are; where left out it is told by the names of all sequences in the files.
    """
    _refuse_repeated(paths)
    files = [read_answers(path) for path in paths]
    if truth is None:
        names = dict.fromkeys(name for answers in files for name in answers)
        try:
            truth = Truth.from_names(names)
        except DatasetError as error:
            raise DatasetError(f"{_first_with(paths, files, error)}: {error}; or give the data with --data") from None
        source = "the other files"
    else:
        source = "the data"
    place = {name: n for n, name in enumerate(truth.names)}
    told = np.full((len(files), len(truth)), MISSING, np.int64)
    probabilities = np.full((len(files), len(truth), len(EMOTIONS)), np.nan)
    ties = 0
    for run, (path, answers) in enumerate(zip(paths, files, strict=True)):
        extra = [name for name in answers if name not in place]
        if extra:
            raise DatasetError(
                f"{path}: {len(extra)} of {len(answers)} sequences are not in this subset of the data "
                f"({extra[0]}, …): choose another --subset, --split or --fold, or take them out"
            )
        absent = [name for name in truth.names if name not in answers]
        if absent and not allow_missing:
            raise DatasetError(
                f"{path}: {len(absent)} of {len(truth)} sequences of {source} are missing ({absent[0]}, …): add them, "
                "or give --allow-missing to count them as wrong"
            )
        for name, listed in answers.items():
            n = place[name]
            best = max(score for _, score in listed)
            told[run, n] = listed[0][0]  # the highest, or the first of the highest: others were refused
            ties += sum(score == best for _, score in listed) > 1
            for label, score in listed:
                probabilities[run, n, label] = score
    _forget_parts(probabilities, told)
    return Predictions(truth, told, probabilities, ties)


def read_answers(path: Path) -> Answers:
    """Read one file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DatasetError(f"{path}: cannot be read as JSON ({reason}); write it again") from None
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, dict):
        raise DatasetError(f'{path}: not a prediction file: it must be {{"results": {{sequence: [...]}}}}')
    if not results:
        raise DatasetError(f"{path}: holds no prediction; write it again")
    return {name: _answer(path, name, listed) for name, listed in results.items()}


def predictions_json(predictions: Predictions, run: int = 0) -> bytes:
    """Return the file of one run: all seven emotions, the highest score first, of equal ones in our order."""
    results = {}
    for n, name in enumerate(predictions.truth.names):
        if predictions.told[run, n] == MISSING:
            continue
        scores = predictions.probabilities[run, n]
        known = [k for k in range(len(EMOTIONS)) if not np.isnan(scores[k])]
        order = sorted(known, key=lambda k: (-scores[k], k != predictions.told[run, n], k))
        results[name] = [{"label": SPELLING.get(EMOTIONS[k], EMOTIONS[k]), "score": float(scores[k])} for k in order]
    return (json.dumps({"results": results}) + "\n").encode()


def _answer(path: Path, name: str, listed: Any) -> list[tuple[int, float]]:
    where = f"{path}: sequence {name!r}"
    if not isinstance(listed, list) or not listed:
        raise DatasetError(f"{where}: must hold a list of labels with scores, got {_short(listed)}; write it again")
    found: dict[int, float] = {}
    for entry in listed:
        match entry:
            case {"label": str(text), "score": int() | float() as score} if not isinstance(score, bool):
                pass
            case {"segment": _, "result": _}:
                raise DatasetError(f"{where}: holds results per segment; write them averaged over the sequence")
            case _:
                raise DatasetError(f"{where}: {_short(entry)} is no label with a score; write it again")
        try:
            label = emotion_index(text)
        except DatasetError as error:
            raise DatasetError(f"{where}: {error}") from None
        if label in found:
            raise DatasetError(f"{where}: label {text!r} stands there twice; which score is meant?")
        if not 0 <= score <= 1 + 1e-6:
            raise DatasetError(f"{where}: score {score} of {text!r} is no probability, 0..1; write softmax scores")
        found[label] = min(float(score), 1.0)
    answer = list(found.items())
    if answer[0][1] < max(found.values()):
        raise DatasetError(
            f"{where}: the label listed first has not the highest score, so that SEE's script and this one would read "
            "another answer; list them by falling score"
        )
    return answer


def _forget_parts(probabilities: np.ndarray, told: np.ndarray) -> None:
    """Leave of a list that is no distribution over all seven its answer alone: it has no likelihood."""
    whole = np.abs(probabilities.sum(-1) - 1) <= WHOLE
    part = ~whole & (told != MISSING)
    kept = np.take_along_axis(probabilities, np.maximum(told, 0)[..., None], -1)
    one = np.full_like(probabilities, np.nan)
    np.put_along_axis(one, np.maximum(told, 0)[..., None], kept, -1)
    probabilities[part] = one[part]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DatasetError(f"{key!r} stands there twice: which one is meant? Remove one")
            seen.add(key)
    return found


def _refuse_constant(text: str) -> Any:
    raise DatasetError(f"a score is {text}: the network diverged, or the file was written wrongly")


def _refuse_repeated(paths: Sequence[Path]) -> None:
    contents: dict[bytes, Path] = {}
    places: set[Path] = set()
    if not paths:
        raise DatasetError("no prediction file was given: name one or more")
    for path in paths:
        if path.resolve() in places:
            raise DatasetError(f"{path}: is given twice, and would count as two runs; give it once")
        places.add(path.resolve())
        if path.is_dir():
            raise DatasetError(f"{path}: is a folder; name its prediction files")
        if not path.is_file():
            raise DatasetError(f"{path}: no such file; name prediction files")
        content = path.read_bytes()
        if content in contents:
            warn(f"{path} holds the same as {contents[content]}: they count as two runs")
        contents.setdefault(content, path)


def _first_with(paths: Sequence[Path], files: list[Answers], error: DatasetError) -> Path:
    """The file that holds the sequence which an error names."""
    for path, answers in zip(paths, files, strict=True):
        if any(repr(name) in str(error) for name in answers):
            return path
    return paths[0]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
