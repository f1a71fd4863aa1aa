"""The evaluation protocol: what a network, or a prediction file, is worth on persons it does not know.

:func:`run` shows a network the clips of every sequence, :func:`read_predictions` reads the files of SEE's authors, and
:func:`score` makes scores with 95% intervals over persons of either. :func:`evaluate` is the light form: one clip a
sequence, WAR, UAR and confusion. Nothing here needs Lightning.
"""

from snnkd.training.evaluation.bootstrap import Estimate
from snnkd.training.evaluation.clips import PROTOCOLS, clip_starts
from snnkd.training.evaluation.confusion import Evaluation
from snnkd.training.evaluation.files import predictions_json, read_predictions
from snnkd.training.evaluation.persons import known_persons, refuse_known_persons
from snnkd.training.evaluation.predictions import Predictions, Truth
from snnkd.training.evaluation.running import evaluate, run
from snnkd.training.evaluation.scores import Scores, score

__all__ = [
    "PROTOCOLS",
    "Estimate",
    "Evaluation",
    "Predictions",
    "Scores",
    "Truth",
    "clip_starts",
    "evaluate",
    "known_persons",
    "predictions_json",
    "read_predictions",
    "refuse_known_persons",
    "run",
    "score",
]
