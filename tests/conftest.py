"""Small datasets that several floors test on: a SEE tree in the published layout, and an EyeSim set."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest

from snnkd.datasets.eyesim import generate

# A busy machine is no failure: no test asserts a time, and hypothesis would after 200 ms.
hypothesis.settings.register_profile("snnkd", deadline=None)
hypothesis.settings.load_profile("snnkd")

FOLDERS = ("angry", "disgust", "fear", "happiness", "neutraL", "sadness", "surprise")
SIZE = (48, 36)  # W, H of the images


class SEETree:
    """Writes a tree, by default of four persons with one sequence of each emotion; ``names`` are theirs."""

    def __init__(self, root: Path, persons: int = 4, length: int = 20) -> None:
        self.root = root
        self.length = length
        self.database: dict[str, dict] = {}
        self.names: list[str] = []
        number = 0
        for person in range(1, persons + 1):
            for folder in FOLDERS:
                number += 1
                lighting = ("normal", "Overexposed", "Low", "HDR")[person % 4]
                name = f"{number}_{person:03d}_man_24_Master_{lighting}_{folder}_{length}_take{number % 3:03d}"
                self.add(name, folder, "testing" if person % 2 and folder == "fear" else "training")
        self.write()

    def add(self, name: str, folder: str, subset: str) -> None:
        for kind in ("event", "frame"):
            place = self.root / kind / folder / name
            place.mkdir(parents=True)
            for n in range(self.length):
                cv2.imwrite(str(place / f"{n:05d}.jpg"), self.picture(kind, n))
        self.names.append(name)
        note = {"label": folder, "segment": [0, self.length]}
        self.database[name] = {"subset": subset, "annotations": note}

    @staticmethod
    def picture(kind: str, n: int) -> np.ndarray:
        """Event image: ON block left, OFF block right; frame: its number as grey level."""
        image = np.full((SIZE[1], SIZE[0]), 128 if kind == "event" else 20 + 8 * n, np.uint8)
        if kind == "event":
            image[8:16, 8:16] = 200
            image[8:16, 32:40] = 60
        return image

    def write(self) -> None:
        content = {"labels": list(FOLDERS), "database": self.database}
        (self.root / "emotion.json").write_text(json.dumps(content))

    def path(self, kind: str, name: str) -> Path:
        return next((self.root / kind).glob(f"*/{name}"))


@pytest.fixture(scope="session")
def see_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole tree that no test changes."""
    return SEETree(tmp_path_factory.mktemp("see")).root


@pytest.fixture
def make_see(tmp_path: Path) -> Callable[..., SEETree]:
    """Maker of a tree that the test may break."""
    return lambda **kwargs: SEETree(tmp_path / "SEE", **kwargs)


@pytest.fixture(scope="session")
def eyesim_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five synthetic persons, each emotion once, half a second at 32x32."""
    root = tmp_path_factory.mktemp("eyesim") / "set"
    generate(root, persons=5, takes=1, seed=0, size=(32, 32), duration_s=0.5, workers=1)
    return root
