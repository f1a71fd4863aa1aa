"""The teacher with a backbone of timm: against a stand-in that keeps timm's contract (timm itself is an extra)."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from snnkd.datasets import EMOTIONS
from snnkd.errors import ModelError
from snnkd.models import TimmTeacher, load_model, save_model


class Levels(nn.Module):
    """Two strided convolutions that give their maps, as timm's ``features_only`` backbones do."""

    def __init__(self, in_chans, last=False):
        super().__init__()
        self.a = nn.Conv2d(in_chans, 6, 3, 2, 1)
        self.b = nn.Conv2d(6, 10, 3, 2, 1)
        self.last = last
        self.feature_info = SimpleNamespace(channels=lambda: [6, 10])

    def forward(self, x):
        if x.shape[-1] > 64:
            raise AssertionError("Input width (96) doesn't match model (64).")
        levels = [torch.relu(self.a(x)), torch.relu(self.b(torch.relu(self.a(x))))]
        return [level.movedim(1, -1) for level in levels] if self.last else levels


@pytest.fixture
def asked(monkeypatch):
    """A stand-in for timm that knows two backbones; what it was asked for."""
    calls = []

    def create_model(name, **options):
        calls.append((name, options))
        if name not in ("levels", "last"):
            raise RuntimeError(f"Unknown model ({name})")
        assert options["features_only"]
        return Levels(options["in_chans"], name == "last")

    module = ModuleType("timm")
    module.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", module)
    return calls


def test_it_offers_its_levels_and_an_embedding(asked):
    teacher = TimmTeacher("levels", (48, 32))
    assert teacher.feature_shapes == {"stage1": (6, 16, 24), "stage2": (10, 8, 12), "embedding": (128,)}
    output = teacher.run(torch.rand(4, 3, 1, 32, 48))
    assert output.logits.shape == (4, 3, 7)
    for name, shape in teacher.feature_shapes.items():
        assert output.features[name].shape == (4, 3, *shape)


def test_it_sees_frame_and_difference_and_nothing_later(asked):
    teacher = TimmTeacher("levels").eval()
    frames = torch.rand(5, 2, 1, 64, 64)
    whole = teacher.run(frames)
    pair = torch.cat([frames[2] - 0.5, 4 * (frames[2] - frames[0])], 1)
    torch.testing.assert_close(whole.features["stage2"][2], teacher.backbone(pair)[1])
    torch.testing.assert_close(teacher.run(frames[:3]).logits, whole.logits[:3])


def test_a_round_trip_downloads_nothing(asked, tmp_path):
    teacher = TimmTeacher("levels", pretrained=True)
    assert asked[-1][1]["pretrained"] is True
    save_model(teacher, tmp_path / "m", emotions=tuple(EMOTIONS), input={"window_us": 1000})
    again, _ = load_model(tmp_path / "m")
    assert asked[-1][1]["pretrained"] is False
    x = torch.rand(2, 1, 1, 64, 64)
    torch.testing.assert_close(again(x), teacher.eval()(x))


def test_what_cannot_be_built_is_said(asked):
    with pytest.raises(ModelError, match="does not make a backbone of 'nope': Unknown model"):
        TimmTeacher("nope")
    with pytest.raises(ModelError, match="gives no maps"):
        TimmTeacher("last")
    with pytest.raises(ModelError, match="does not take frames of 96×96: Input width"):
        TimmTeacher("levels", (96, 96))
    with pytest.raises(ValueError, match="takes no state"):
        TimmTeacher("levels").run(torch.rand(2, 1, 1, 64, 64), (torch.zeros(1),))


def test_timm_is_imported_only_when_named(monkeypatch):
    code = "import sys, snnkd.models; sys.exit('timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'snnkd\[timm\]'"):
        TimmTeacher("resnet18")
