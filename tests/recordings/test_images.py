"""Folders of images: their times, what is damaged or absent, streaming, and what they leave to others."""

import itertools

import cv2
import numpy as np
import pytest
from pictures import SIZE, gray

from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings.images import ImageFolderRecording


def write(folder, names, values=None):
    folder.mkdir(exist_ok=True)
    for name, value in zip(names, values or range(10, 250, 10), strict=False):
        assert cv2.imwrite(str(folder / name), gray(value))
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "images"


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_a_numbered_folder(folder, suffix):
    """Twelve images, so that an order by letters would be wrong; 30 a second, as nothing tells their times."""
    write(folder, [f"frame{i}{suffix}" for i in range(12)])
    with pytest.warns(SnnkdWarning, match="nothing tells the frames' times; 30 frames a second are assumed"):
        recording = open_recording(folder)
    assert recording.format == "images"
    assert recording.sensor_size == SIZE
    frames = recording.frames
    for i in range(12):
        np.testing.assert_array_equal(frames.images[i], gray(10 + 10 * i))
    assert frames.timestamps_us.tolist() == [round(i * 1e6 / 30) for i in range(12)]
    assert recording.metadata == {"timestamps_from": "frame rate", "frame_rate": 30.0, "frames": 12}


def test_a_folder_has_no_events(folder):
    write(folder, ["a_10001000.png", "a_10002000.png"])
    recording = open_recording(folder)
    assert (recording.event_count, recording.start_us, recording.duration_us) == (0, 10_001_000, 1000)
    assert len(recording.events) == 0
    assert list(recording) == []


def test_jpeg_is_grey_by_opencvs_weights(folder):
    folder.mkdir()
    color = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    color[:] = (200, 30, 90)
    cv2.imwrite(str(folder / "1.jpg"), color, [cv2.IMWRITE_JPEG_QUALITY, 100])
    cv2.imwrite(str(folder / "2.png"), color)
    cv2.imwrite(str(folder / "3.png"), np.full((SIZE[1], SIZE[0]), 0x80FF, np.uint16))
    images = ImageFolderRecording(folder, fps=100).frames.images
    expected = 0.114 * 200 + 0.587 * 30 + 0.299 * 90
    assert np.abs(images[:2].astype(float) - expected).max() < 2.5
    assert (images[2] == 0x80).all()


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (["1605537492.966667.png", "1605537493.700000.png"], [1_605_537_492_966_667, 1_605_537_493_700_000]),
        (["f_9.967000000.png", "f_10.000333333.png", "f_10.033666667.png"], [9_967_000, 10_000_333, 10_033_667]),
        (["x_1_314284138.png", "x_2_314324138.png"], [314_284_138, 314_324_138]),
        (["1657711738105396.png", "1657711738145396.png"], [1_657_711_738_105_396, 1_657_711_738_145_396]),
        (["1403636579763555584.png", "1403636579813555584.png"], [1_403_636_579_763_556, 1_403_636_579_813_556]),
    ],
)
def test_times_in_names(folder, names, times):
    write(folder, names)
    recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == times
    assert recording.metadata["timestamps_from"] == "file names"
    assert recording.warnings == []


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (["b_000010000.png", "a_000000000.png"], [0, 10_000]),
        (["9_0_0_st_500.png", "10_0_0_st_1500.png", "1_0_0_st_99500.png"], [500, 1500, 99_500]),
        (["001000.png", "002000.png", "003000.png"], [1000, 2000, 3000]),  # every 1000th frame?
    ],
)
def test_small_numbers_are_taken_for_times_with_a_warning(folder, names, times):
    write(folder, names)
    with pytest.warns(SnnkdWarning, match=f"{times[0]} to {times[-1]}, were taken for times in µs; if .*--fps 30"):
        recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == times
    assert open_recording(folder, fps=10).warnings == []


def test_frames_keep_their_order_across_a_second(folder):
    """Fifteen frames at 30 a second, named by the second with decimals, across a whole one."""
    times = [1_605_537_493_700_000 + round(i * 1e6 / 30) for i in range(15)]
    write(folder, [f"{t // 10**6}.{t % 10**6:06d}.png" for t in times])
    frames = open_recording(folder).frames
    assert frames.timestamps_us.tolist() == times
    assert [int(image[0, 0]) for image in frames.images] == [int(gray(v)[0, 0]) for v in range(10, 160, 10)]


def test_what_macos_leaves_beside_an_image_is_none(folder):
    write(folder, ["1.png", "2.png"])
    (folder / "._1.png").write_bytes(b"\0\5\x16\7 no image")
    assert len(open_recording(folder, fps=10).frames) == 2


@pytest.mark.parametrize(
    "names",
    [
        [f"{i:05d}.png" for i in range(4)],
        [f"img_{i:04d}.png" for i in range(4)],
        [f"img_{2 * i:04d}.png" for i in range(4)],
        [f"img_{33 * i}.png" for i in range(4)],  # as ms, or as anything
        [f"{i * 33_000_000_000:020d}.png" for i in range(4)],  # as µs, 9 hours apart
        ["one.png", "two.png", "three_99999.png", "four.png"],
        ["only_314284138.png"],
    ],
)
def test_other_numbers_in_names_are_no_times(folder, names):
    write(folder, names)
    with pytest.warns(SnnkdWarning, match="30 frames a second are assumed"):
        recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == [round(i * 1e6 / 30) for i in range(len(names))]
    assert len(recording.warnings) == 1


def test_absent_frames_are_named_and_leave_a_gap(folder):
    write(folder, [f"{i:05d}.png" for i in (3, 4, 6, 7, 9)])
    with pytest.warns(SnnkdWarning, match="2 frames of the series are absent: number 5, 8"):
        recording = ImageFolderRecording(folder, fps=1000)
    assert recording.frames.timestamps_us.tolist() == [0, 1000, 3000, 4000, 6000]


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ("1000\n34333\n67666\n", [1000, 34_333, 67_666]),
        ("0.0\r\n0.033333\r\n0.066667\r\n", [0, 33_333, 66_667]),
        (
            "1657711738.5\n1657711738.533\n1657711738.566",
            [1_657_711_738_500_000, 1_657_711_738_533_000, 1_657_711_738_566_000],
        ),
    ],
)
def test_times_in_a_list(folder, lines, times):
    write(folder, ["1.png", "2.png", "3.png"])
    (folder / "timestamps.txt").write_text(lines)
    recording = open_recording(folder)
    assert recording.frames.timestamps_us.tolist() == times
    assert recording.metadata["timestamps_from"] == "timestamps.txt"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1000\n2000\n", "timestamps.txt has 2 times for 3 images"),
        ("1000\nsoon\n3000\n", "timestamps.txt: line 2 is no time: 'soon'"),
        ("1000\nnan\n3000\n", "timestamps.txt: line 2 is no time"),
        ("0\n33\n66\n", "its times, as us, are no frames' times"),
        ("0\n66000\n33000\n", "its times, as us, are no frames' times"),
        ("0.5\n33.5\n66.5\n", "its times, as s, are no frames' times"),
    ],
)
def test_a_wrong_list_is_told(folder, lines, message):
    write(folder, ["1.png", "2.png", "3.png"])
    (folder / "timestamps.txt").write_text(lines)
    with pytest.raises(RecordingError, match=message):
        open_recording(folder)


def test_the_callers_rate_decides(folder):
    write(folder, ["a_1000.png", "a_2000.png"])
    recording = ImageFolderRecording(folder, fps=25)
    assert recording.frames.timestamps_us.tolist() == [0, 40_000]
    assert recording.warnings == []
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fps"):
            ImageFolderRecording(folder, fps=rate)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("part", [0, 0.02, 0.5, 0.98])
def test_a_cut_image_is_named(folder, suffix, part):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}{suffix}"), rng.integers(0, 256, SIZE[::-1], np.uint8))
    path = folder / f"1{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(RecordingError, match=rf"frame 1{suffix} is (damaged|cut)"):
        _ = ImageFolderRecording(folder, fps=10).frames


def test_another_size_is_named(folder):
    write(folder, ["1.png", "2.png"])
    cv2.imwrite(str(folder / "2.png"), np.zeros((20, 30), np.uint8))
    with pytest.raises(RecordingError, match=r"frame 2\.png is 30×20, expected 48×32"):
        _ = ImageFolderRecording(folder, fps=10).frames


def test_one_frame_is_read_at_a_time(folder):
    write(folder, ["1.png", "2.png", "3.png"])
    (folder / "3.png").write_bytes(b"no image")
    frames = ImageFolderRecording(folder, fps=10).iter_frames()
    assert [time for time, _ in itertools.islice(frames, 2)] == [0, 100_000]
    with pytest.raises(RecordingError, match=r"frame 3\.png is damaged"):
        next(frames)


@pytest.mark.parametrize("marker", ["eyesim.json", "emotion.json"])
def test_data_sets_and_other_folders_are_no_image_folders(folder, marker):
    write(folder, ["preview.png"])
    (folder / marker).touch()
    with pytest.raises(RecordingError, match="no known format"):
        open_recording(folder)
    (folder / "preview.png").unlink()
    (folder / marker).unlink()
    with pytest.raises(RecordingError, match="the folder is empty"):
        open_recording(folder)


def test_evbeye_folders_stay_with_their_own_reader(folder):
    write(folder, ["preview.png"])
    (folder / "events.aerdat").write_bytes(bytes(9))
    assert open_recording(folder).format == "EVBEYE"


def test_the_real_recordings_frames_are_an_image_folder(sample):
    path, _ = sample("evbeye_user9/0/events.aerdat")
    frames = open_recording(path.parent / "frames").frames
    with pytest.warns(SnnkdWarning, match="cut record"):
        expected = open_recording(path).frames
    np.testing.assert_array_equal(frames.images, expected.images)
    np.testing.assert_array_equal(frames.timestamps_us, expected.timestamps_us)
