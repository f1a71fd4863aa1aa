"""EyeSim written in SEE's layout is read by the reader of SEE, and shows what the recordings show."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from snnkd.datasets import SEE
from snnkd.datasets.eyesim import Settings, generate, simulate_sequence
from snnkd.datasets.eyesim.as_see import event_images
from snnkd.datasets.labels import EMOTIONS
from snnkd.errors import DatasetError
from snnkd.recordings.see_images import event_pixels

SETTINGS = Settings(size=(64, 48), duration_s=0.3, substeps=4)


def make(root: Path, **kwargs) -> Path:
    return generate(root, **({"persons": 2, "takes": 1, "settings": SETTINGS, "workers": 1, "layout": "see"} | kwargs))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("see") / "data")


def test_the_reader_of_see_finds_every_take(root):
    data = SEE(root, "official", subset="all", steps=3, stride=2, size=None)
    assert len(data) == 14
    assert {(s.person, s.emotion) for s in data.sequences} == {(p, e) for p in ("p000", "p001") for e in EMOTIONS}
    assert {s.length for s in data.sequences} == {9}
    assert {s.lighting for s in data.sequences} == {"normal", "overexposed"}
    assert data.population == "EyeSim seed 0"  # the people of its recordings
    assert (root / "event" / "neutraL").is_dir()
    testing, training = (
        {s.person for s in SEE(root, "official", subset=subset, steps=3, stride=2, val_share=0).sequences}
        for subset in ("test", "train")
    )
    assert len(testing) == len(training) == 1
    assert testing != training


def test_images_are_the_takes_events_and_frames(root):
    (sequence,) = [
        s for s in SEE(root, subset="all", steps=3, stride=2).sequences if (s.person, s.emotion) == ("p001", "fear")
    ]
    made = simulate_sequence(0, 1, "fear", 0, SETTINGS, lighting=sequence.lighting)
    for i in range(9):
        frame = cv2.imread(str(sequence.frames_at / f"{i:05d}.jpg"), cv2.IMREAD_GRAYSCALE)
        assert np.abs(frame.astype(int) - made.frames.images[i + 1]).mean() < 4
        period = made.events[(made.events["t"] > i * 33_333) & (made.events["t"] <= (i + 1) * 33_333)]
        truth = {(e["x"], e["y"]): e["p"] for e in period}  # the last of a pixel
        image = cv2.imread(str(sequence.events_at / f"{i:05d}.jpg"), cv2.IMREAD_GRAYSCALE)
        strong = event_pixels(image, margin=60)
        assert {(e["x"], e["y"]): e["p"] for e in strong} == truth


def test_events_on_a_frames_time_belong_to_the_period_before_it():
    made = simulate_sequence(0, 0, "surprise", 0, SETTINGS)
    events = made.events[:3].copy()
    events["t"] = [33_333, 33_334, 2 * 33_333]
    images = event_images(made._replace(events=events), SETTINGS)
    assert images.shape == (9, 48, 64)
    assert [(image != 128).any() for image in images[:3]] == [True, True, False]


def test_a_stopped_run_is_continued(tmp_path):
    root = tmp_path / "data"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(root, persons=1, progress=stop)
    assert not (root / "emotion.json").exists()
    whole = sorted(root.glob("frame/*/*"))
    assert len(whole) == 3
    stamp = [path.stat().st_mtime_ns for path in whole]
    half = root / "event" / "fear" / ".partial-7_001"
    half.mkdir()
    (half / "00000.jpg").write_bytes(b"half")
    whole[0].rename(tmp_path / "lost")  # its events are there, its frames are not
    make(root, persons=1)
    assert not half.exists()
    assert len(list(root.glob("frame/*/*"))) == 7
    assert [path.stat().st_mtime_ns for path in whole[1:]] == stamp[1:]
    before = (root / "emotion.json").stat().st_mtime_ns
    make(root, persons=1, progress=lambda done, total: pytest.fail("made anew") if done < total else None)
    assert (root / "emotion.json").stat().st_mtime_ns >= before
    (whole[1] / "00003.jpg").write_bytes(b"")  # what a power cut may leave
    (whole[2] / "00004.jpg").unlink()
    make(root, persons=1)
    assert SEE.check(root, images=True).ok
    assert SEE(root, subset="all", steps=3, stride=2)[6]["events"].shape == (3, 2, 90, 90)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed=0"),
        ({"lightings": ["HDR"]}, "lightings="),
        ({"persons": 1}, "holds 2 persons"),
        ({"frame_rate": 25.0}, "frame_rate is 25"),
        ({"layout": "tonic"}, "unknown layout 'tonic'"),
    ],
)
def test_what_is_there_is_not_mixed_with_another(root, change, words):
    with pytest.raises(DatasetError, match=words) as caught:
        make(root, **change)
    assert "\n" not in str(caught.value)


def test_a_data_set_of_others_is_left_alone(tmp_path):
    (tmp_path / "emotion.json").write_text(json.dumps({"database": {}}))
    with pytest.raises(DatasetError, match="of another kind"):
        make(tmp_path)
    with pytest.raises(DatasetError, match="SEE's layout"):
        make(tmp_path, layout="recordings")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["emotion.json"]
    recordings = make(tmp_path / "recordings", persons=1, layout="recordings")
    with pytest.raises(DatasetError, match="of another kind"):
        make(recordings)


def test_a_set_that_grows_says_that_it_is_whole_only_when_it_is(tmp_path):
    root = make(tmp_path / "data", persons=1)

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(root, progress=stop)
    assert not (root / "emotion.json").exists()
    assert len(SEE(make(root), subset="all", steps=3, stride=2)) == 14
