"""What ``repr`` says of a recording: it never raises, and reads nothing to find out."""

import inspect
import warnings

import encoders
import numpy as np
import pytest

import snnkd.recordings
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import Recording, open_recording
from snnkd.recordings.images import ImageFolderRecording

EVENTS = ([3, 4], [5, 6], [70, 80], [1, 0])


def write_text(path):
    path.write_text("t x y p\n70 3 5 1\n80 4 6 0\n")


def write_npy(path):
    np.save(path, np.array([[70, 3, 5, 1], [80, 4, 6, 0]]))


def write_raw(path):
    path.write_bytes(encoders.header("evt 2.0") + encoders.evt2(*EVENTS))


@pytest.mark.parametrize(("name", "write"), [("x.txt", write_text), ("x.npy", write_npy), ("x.raw", write_raw)])
def test_a_size_that_takes_a_pass_is_left_out_until_it_is_known(tmp_path, name, write, monkeypatch):
    write(tmp_path / name)
    recording = open_recording(tmp_path / name)
    with monkeypatch.context() as patch:
        patch.setattr(type(recording), "_read_chunks", None)
        patch.setattr(type(recording), "_decode" if name == "x.raw" else "_read_columns", None)
        assert repr(recording) == f"<{recording.format} recording {str(recording.path)!r}>"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SnnkdWarning)  # that it is a guess
        assert recording.sensor_size == (5, 7)
    assert repr(recording) == f"<{recording.format} recording {str(recording.path)!r}, 5×7>"


def test_a_size_that_nothing_tells(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(encoders.header("evt 2.0"))
    recording = open_recording(path)
    with pytest.raises(RecordingError, match="the size of its sensor is unknown"):
        _ = recording.sensor_size
    assert repr(recording) == f"<EVT2 recording {str(path)!r}>"


def test_a_size_that_the_header_tells(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(encoders.EVT2_HEADER + encoders.evt2(*EVENTS))
    assert repr(open_recording(path)) == f"<EVT2 recording {str(path)!r}, 1280×720>"


def test_an_image_folder_reads_no_image(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no image")
    recording = ImageFolderRecording(tmp_path, fps=30)
    assert repr(recording) == f"<images recording {str(tmp_path)!r}>"


READERS = [reader for reader in vars(snnkd.recordings).values() if isinstance(reader, type)]
READERS = [reader for reader in READERS if issubclass(reader, Recording) and not inspect.isabstract(reader)]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_one_that_is_only_half_made(reader):
    """As a debugger shows it inside of ``__init__``."""
    assert repr(object.__new__(reader)).startswith(f"<{reader.format} recording ''")
