import subprocess
import sys

import pytest

from snnkd.datasets.labels import EMOTIONS, LIGHTINGS, emotion_index, lighting_name
from snnkd.errors import DatasetError


def test_the_order_of_emotions_is_fixed():
    assert EMOTIONS == ("happiness", "sadness", "anger", "disgust", "surprise", "fear", "neutral")
    assert LIGHTINGS == ("normal", "overexposed", "low-light", "HDR")


@pytest.mark.parametrize(
    ("spelling", "emotion"),
    [
        ("angry", "anger"),
        ("neutraL", "neutral"),
        ("Happiness", "happiness"),
        ("FEAR", "fear"),
        ("anger", "anger"),
    ]
    + [(name, name) for name in EMOTIONS],
)
def test_spellings_of_emotions(spelling, emotion):
    assert EMOTIONS[emotion_index(spelling)] == emotion


@pytest.mark.parametrize(
    ("spelling", "lighting"),
    [
        ("normal", "normal"),
        ("Overexposed", "overexposed"),
        ("Low", "low-light"),
        ("HDR", "HDR"),
        ("hdr", "HDR"),
    ],
)
def test_spellings_of_lighting(spelling, lighting):
    assert lighting_name(spelling) == lighting


@pytest.mark.parametrize("label", ["contempt", "", None, 3])
def test_an_unknown_emotion_names_itself_and_the_seven(label):
    with pytest.raises(DatasetError) as caught:
        emotion_index(label)
    message = str(caught.value)
    assert repr(label) in message
    assert all(name in message for name in EMOTIONS)
    assert "\n" not in message


def test_an_unknown_lighting_names_the_four():
    with pytest.raises(DatasetError, match=r"'dusk'.*normal, overexposed, low-light, HDR"):
        lighting_name("dusk")


@pytest.mark.parametrize("module", ["snnkd.datasets.labels", "snnkd.datasets", "snnkd.datasets.eyesim"])
def test_import_does_not_load_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
