"""Several recordings through one network at a time, and the device that it is on."""

import numpy as np
import pytest
import torch

import snnkd
from snnkd.cli import main
from snnkd.datasets.eyesim import simulate_sequence
from snnkd.errors import ConfigError, RecordingError
from snnkd.inference import Request, Settings, recognize_all
from snnkd.inference.files import infer_files
from snnkd.recordings import write_hdf5

DENSE = Settings(backend="dense")


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(5):
        made = simulate_sequence(0, number, "disgust", 0, size=(32, 32), duration_s=0.3 + 0.3 * number)
        write_hdf5(folder / f"{number}.h5", made.events, (32, 32))
    cut = (folder / "4.h5").read_bytes()
    (folder / "9.h5").write_bytes(cut[: len(cut) // 2])
    return folder


@pytest.mark.parametrize("mode", ["stream", "clips"])
def test_recordings_together_are_told_as_alone(small_model, many, mode):
    model = snnkd.load(small_model)
    settings = Settings(mode=mode, backend="dense")
    every = [snnkd.open_recording(many / f"{number}.h5") for number in (3, 0, 4, 1, 2)]
    told = list(recognize_all(model, every, 3, "45nm-fp32", settings=settings))
    for recording, timeline in zip(every, told, strict=True):
        alone = model.recognize(recording, "45nm-fp32", settings=settings)
        assert timeline.recording == alone.recording
        assert timeline.model == alone.model
        np.testing.assert_array_equal(timeline.events, alone.events)
        np.testing.assert_allclose(timeline.logits, alone.logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(timeline.joules, alone.joules, rtol=1e-6)


def test_one_without_events_has_its_error_in_its_place(small_model, many, tmp_path):
    write_hdf5(tmp_path / "none.h5", np.zeros(0, snnkd.events.EVENT_DTYPE), (32, 32))
    every = [snnkd.open_recording(path) for path in (many / "0.h5", tmp_path / "none.h5", many / "1.h5")]
    model = snnkd.load(small_model)
    first, error, last = recognize_all(model, every, 2, settings=DENSE)
    assert isinstance(error, RecordingError)
    assert "none.h5" in str(error)
    assert (len(first), len(last)) == tuple(len(model.recognize(every[place])) for place in (0, 2))


def test_no_more_recordings_are_opened_than_are_soon_read(small_model, many):
    opened = []

    def every():
        for number in range(40):
            opened.append(number)
            yield snnkd.open_recording(many / f"{number % 5}.h5")

    told = recognize_all(snnkd.load(small_model), every(), 2, settings=DENSE)
    next(told)
    assert len(opened) < 12
    told.close()  # ends the threads


def test_files_of_a_batch_are_those_of_one_after_another(small_model, many, tmp_path, capsys):
    model = snnkd.load(small_model)
    paths = sorted(many.iterdir())
    request = Request(settings=DENSE, plot=False)
    for name, batch in (("one", 1), ("three", 3)):
        assert not infer_files(model, paths, tmp_path / name, request, batch=batch)
    assert capsys.readouterr().err.count("9.h5: ") == 2
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "three").iterdir())
    for number in range(5):
        one, three = ((tmp_path / run / f"{number}.csv").read_text().splitlines() for run in ("one", "three"))
        assert [line.split(",")[:3] for line in one] == [line.split(",")[:3] for line in three]
    infer_files(model, paths, tmp_path / "three", request, batch=3)
    assert "5 were there already" in capsys.readouterr().out


def test_a_batch_is_refused_where_it_is_no_use(small_model, many, tmp_path, capsys):
    command = ["infer", str(small_model), str(many), "-o", str(tmp_path / "out")]
    for more, said in (
        (["--batch", "4"], "run event by event: share them among workers"),
        (["--batch", "4", "--workers", "2"], "leave --workers and --engine ray out"),
        (["--batch", "4", "--engine", "ray"], "leave --workers and --engine ray out"),
        (["--device", "cuda", "--workers", "2"], "give --batch in place of --workers"),
        (["--device", "cuda:77"], "device: cuda:77 is not there"),
        (["--device", "tpu"], "device: must be cpu, cuda, or cuda:N, got 'tpu'"),
        (["--batch", "0"], "above 0"),
    ):
        with pytest.raises(SystemExit) as ended:
            raise SystemExit(main([*command, *more]))
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))
    with pytest.raises(ConfigError, match="workers"):
        next(recognize_all(snnkd.load(small_model), []))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_tells_what_the_cpu_tells(small_model, many):
    every = [snnkd.open_recording(many / f"{number}.h5") for number in range(5)]
    model = snnkd.load(small_model, "cuda")
    for recording, timeline in zip(every, recognize_all(model, every, 3), strict=True):
        alone = snnkd.load(small_model).recognize(recording)
        np.testing.assert_allclose(timeline.logits, alone.logits, rtol=1e-3, atol=1e-3)
