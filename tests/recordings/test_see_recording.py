"""Sequences of SEE as recordings: frames, events made of images, the other folder, what may be wrong with a copy."""

import json
import os
import shutil
import struct

import cv2
import numpy as np
import pytest

from snnkd.cli import main
from snnkd.datasets import SEE
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.events import bin_events, centre_square
from snnkd.recordings import SeeRecording, convert, open_recording

WINDOW = 33_333
SIZE = (48, 36)
NAME = "1_001_man_24_Master_Overexposed_angry_20_take001"


@pytest.fixture
def copy(see_root, tmp_path):
    """The event folder and the frame folder of one sequence, alone in a tree of their own that a test may break."""
    for kind in ("event", "frame"):
        shutil.copytree(see_root / kind / "angry" / NAME, tmp_path / kind / "angry" / NAME)
    return tmp_path / "event" / "angry" / NAME, tmp_path / "frame" / "angry" / NAME


def by_hand(folder, margin=12):
    """The events of a folder's images, pixel by pixel."""
    found = []
    for path in sorted(folder.glob("*.jpg")):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for y, row in enumerate(image.tolist()):
            found += [(x, y, int(path.stem) * WINDOW, v > 128) for x, v in enumerate(row) if abs(v - 128) > margin]
    return found


@pytest.mark.parametrize("kind", ["event", "frame"])
def test_a_sequence_opens_by_either_of_its_folders(see_root, kind):
    folder = see_root / kind / "angry" / NAME
    recording = open_recording(folder)
    assert (recording.format, recording.sensor_size, recording.warnings) == ("SEE sequence", SIZE, [])
    events = by_hand(see_root / "event" / "angry" / NAME)
    assert recording.events.tolist() == events
    assert len(events) > 20 * 100  # both blocks of the picture, in each image
    frames = recording.frames
    assert frames.timestamps_us.tolist() == [n * WINDOW for n in range(20)]
    for n, image in enumerate(frames.images):
        assert abs(float(image.mean()) - (20 + 8 * n)) < 1.5
    assert (recording.start_us, recording.duration_us) == (0, 19 * WINDOW)


def test_the_metadata_say_that_events_are_made_of_images(see_root):
    metadata = open_recording(see_root / "event" / "angry" / NAME).metadata
    assert metadata["events_from"] == "event images"
    assert metadata["event_time"] == "begin of the image's 33333 µs"
    assert "more than 12 grey levels from mid-grey" in metadata["event_rule"]
    told = {key: metadata[key] for key in ("dataset", "sequence", "person", "lighting", "emotion", "frame_rate")}
    assert told == {
        "dataset": "SEE",
        "sequence": NAME,
        "person": "001",
        "lighting": "Overexposed",
        "emotion": "angry",
        "frame_rate": 30.0,
    }


def test_windows_from_0_are_the_images_as_the_dataset_reads_them(see_root):
    data = SEE(see_root, subset="all", steps=20, stride=1, size=(16, 16), start="first")
    index = [s.name for s in data.sequences].index(NAME)
    recording = open_recording(see_root / "event" / "angry" / NAME)
    windows = list(recording.windows(start_us=0))
    assert len(windows) == 20
    for window, expected in zip(windows, data[index]["events"].numpy(), strict=True):
        assert {int(t) for t in window.events["t"]} == {window.index * WINDOW}
        bins = bin_events(window.events, SIZE, window.start_us, WINDOW, 1, size=(16, 16), crop=centre_square(SIZE))
        np.testing.assert_array_equal(bins[0], expected)


def test_the_margin_decides(copy):
    assert SeeRecording(copy[0], margin=70).events.tolist() == by_hand(copy[0], 70)
    assert SeeRecording(copy[0], margin=100).event_count == 0
    for margin in (-1, 127):
        with pytest.raises(ValueError, match=r"margin must be in 0\.\.126"):
            SeeRecording(copy[0], margin=margin)


def test_one_image_is_read_at_a_time(copy, monkeypatch):
    """What follows is not looked at before its turn, and chunks are images."""
    (copy[0] / "00003.jpg").write_bytes(b"no image")
    (copy[1] / "00002.jpg").write_bytes(b"no image")
    recording = open_recording(copy[0])
    chunks, frames = recording.chunks(), recording.iter_frames()
    assert [int(next(chunks)["t"][0]) for _ in range(3)] == [0, WINDOW, 2 * WINDOW]
    assert [next(frames)[0] for _ in range(2)] == [0, WINDOW]
    with pytest.raises(RecordingError, match=rf"event/angry/{NAME}/00003.jpg is damaged"):
        next(chunks)
    with pytest.raises(RecordingError, match=rf"frame/angry/{NAME}/00002.jpg is damaged"):
        next(frames)


def test_absent_images_are_named_and_leave_a_gap(copy):
    for number in (2, 3, 19):
        (copy[0] / f"{number:05d}.jpg").unlink()
    (copy[1] / "00000.jpg").unlink()
    with pytest.warns(SnnkdWarning) as told:
        recording = open_recording(copy[0])
    assert recording.warnings == [
        "3 of 20 event images are absent: number 2, 3, 19",
        "1 of 20 frame images are absent: number 0",
    ]
    assert len(told) == 2
    assert sorted({*recording.events["t"].tolist()}) == [n * WINDOW for n in range(19) if n not in (2, 3)]
    assert recording.frames.timestamps_us.tolist() == [n * WINDOW for n in range(1, 20)]


def test_without_frames(copy):
    shutil.rmtree(copy[1])
    with pytest.warns(SnnkdWarning, match="there are no frame images of it"):
        recording = open_recording(copy[0])
    assert recording.frames is None
    assert list(recording.iter_frames()) == []
    assert recording.events.tolist() == by_hand(copy[0])


def test_without_event_images(copy):
    shutil.rmtree(copy[0])
    with pytest.warns(SnnkdWarning, match="there are no event images of it"):
        recording = open_recording(copy[1])
    assert (recording.event_count, len(recording.frames), recording.sensor_size) == (0, 20, SIZE)
    assert "events_from" not in recording.metadata


def test_without_images(copy):
    for folder in copy:
        for path in folder.iterdir():
            path.unlink()
    with pytest.raises(RecordingError, match=r"holds no image with a name such as 00000\.jpg"):
        open_recording(copy[0])


def test_other_files(copy):
    for name in ("Thumbs.db", ".00001.jpg", "notes.txt"):
        (copy[0] / name).write_bytes(b"x")
    assert open_recording(copy[0]).warnings == []
    (copy[0] / "copy of 00001.jpg").write_bytes(b"x")
    with pytest.warns(SnnkdWarning, match="1 event images without a number of five digits"):
        open_recording(copy[0])
    (copy[0] / "copy of 00001.jpg").unlink()
    (copy[0] / "00001.JPG").write_bytes(b"x")
    with pytest.raises(RecordingError, match=r"00001\.jpg is there twice, as 00001\.JPG too"):
        open_recording(copy[0])


def promising(width, height):
    """Another size in the header of a JPG."""

    def change(data):
        size = data.index(b"\xff\xc0") + 5
        return data[:size] + struct.pack(">HH", height, width) + data[size + 4 :]

    return change


@pytest.mark.parametrize("number", [0, 7])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"", "is damaged: OpenCV cannot read it"),
        (lambda data: b"no image", "is damaged: OpenCV cannot read it"),
        (lambda data: data[: len(data) // 3], "is cut"),
        (lambda data: data[:-1], "is cut"),
        (promising(65_000, 65_000), "is damaged: it claims 4225000000 pixels in"),
        (promising(20_000, 20_000), "is damaged: it claims 400000000 pixels in"),
        (promising(0, 36), "is damaged"),
    ],
)
def test_an_unreadable_image_is_refused_where_it_is_read(copy, change, words, number):
    bad = copy[0] / f"{number:05d}.jpg"
    bad.write_bytes(change(bad.read_bytes()))
    recording = open_recording(copy[0])
    assert repr(recording) == f"<SEE sequence recording {str(copy[0])!r}>"
    with pytest.raises(RecordingError, match=rf"event/angry/{NAME}/{bad.name} {words}") as error:
        _ = recording.events
    assert str(error.value).startswith(f"{copy[0]}: ")
    assert "\n" not in str(error.value)


def test_another_size_is_refused(copy):
    cv2.imwrite(str(copy[0] / "00005.jpg"), np.full((20, 30), 128, np.uint8))
    recording = open_recording(copy[1])
    with pytest.raises(RecordingError, match=r"00005.jpg is 30×20, expected 48×36"):
        _ = recording.events
    cv2.imwrite(str(copy[1] / "00001.jpg"), np.full((36, 40), 128, np.uint8))
    with pytest.raises(RecordingError, match=rf"frame/angry/{NAME}/00001.jpg is 40×36, expected 48×36"):
        _ = recording.frames


def test_images_of_something_else_are_told(copy):
    """On black, as other data sets draw their events, most pixels would be OFF events."""
    for path in copy[0].iterdir():
        image = np.zeros(SIZE[::-1], np.uint8)
        image[:, :5] = 255
        cv2.imwrite(str(path), image)
    recording = open_recording(copy[0])
    with pytest.warns(SnnkdWarning, match="in 20 of 20 event images most pixels are marked"):
        _ = recording.events


def test_the_other_folder_may_be_written_differently(copy):
    """A tree with ``neutraL`` on one side and ``neutral`` on the other is one; a sequence in two emotions is not."""
    event, frame = copy
    frame.parent.rename(frame.parent.with_name("Angry"))
    assert len(open_recording(event).frames) == 20
    shutil.copytree(event, event.parents[1] / "anger" / NAME)
    with pytest.raises(RecordingError, match="lies in two folders below event: anger, angry"):
        open_recording(frame.parents[1] / "Angry" / NAME)


def test_the_folders_tell_the_format(copy, see_root, monkeypatch, tmp_path):
    monkeypatch.chdir(copy[0])
    assert len(open_recording(".").frames) == 20
    with pytest.raises(RecordingError, match=r"holds the whole data set; name one sequence's folder"):
        open_recording(see_root)
    other = tmp_path / "event" / "angry" / "walk"
    os.rename(copy[0], other)
    with pytest.warns(SnnkdWarning, match="30 frames a second are assumed"):
        assert open_recording(other).format == "images"
    (tmp_path / "emotion.json").write_text("{}")
    with pytest.warns(SnnkdWarning, match="there are no frame images of it"):
        assert open_recording(other).format == "SEE sequence"
    with pytest.raises(RecordingError, match="is no sequence of SEE"):
        SeeRecording(tmp_path / "event")


def test_info(see_root, capsys):
    folder = see_root / "event" / "angry" / NAME
    assert main(["info", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["events"] == len(by_hand(folder))
    assert (facts["frames"], facts["sensor_size"]) == (20, list(SIZE))
    assert facts["metadata"]["events_from"] == "event images"
    assert main(["info", str(folder)]) == 0
    assert "event images" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["h5", "npz"])
def test_convert(see_root, tmp_path, ending):
    source = open_recording(see_root / "frame" / "angry" / NAME)
    written = convert(source.path, tmp_path / f"x.{ending}")
    np.testing.assert_array_equal(written.events, source.events)
    np.testing.assert_array_equal(written.frames.images, source.frames.images)
    np.testing.assert_array_equal(written.frames.timestamps_us, source.frames.timestamps_us)
    assert written.metadata["events_from"] == "event images"
    assert written.metadata["converted_from"]["format"] == "SEE sequence"
