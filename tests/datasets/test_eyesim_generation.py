import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from snnkd.datasets.eyesim import Settings, generate, manifest, simulate_sequence, simulate_session
from snnkd.datasets.eyesim.jobs import plan
from snnkd.datasets.labels import EMOTIONS, LIGHTINGS
from snnkd.errors import DatasetError
from snnkd.recordings import open_recording

SMALL = Settings(size=(16, 16), duration_s=0.2, substeps=2)


def make(root: Path, **kwargs) -> Path:
    return generate(root, **({"persons": 2, "takes": 1, "settings": SMALL, "workers": 1} | kwargs))


def stamps(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.h5")}


def content_of(root: Path) -> dict:
    return json.loads((root / "eyesim.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("eyesim") / "data", takes=2)


def test_every_person_shows_every_emotion_equally_often(whole):
    sequences = content_of(whole)["sequences"]
    assert len(sequences) == 28
    assert Counter((s["person"], s["emotion"]) for s in sequences) == {
        (person, emotion): 2 for person in ("p000", "p001") for emotion in EMOTIONS
    }
    assert [s["lighting"] for s in sequences] == [job.lighting for job in plan(2, 2, 0, LIGHTINGS)]
    assert sorted(s["file"] for s in sequences) == sorted(stamps(whole))


def test_a_file_is_the_take_it_names(whole):
    path = next((whole / "p001").glob("fear_001_*.h5"))
    recording = open_recording(path)
    made = simulate_sequence(0, 1, "fear", 1, SMALL, lighting=recording.metadata["lighting"])
    assert path.stem == f"fear_001_{recording.metadata['lighting']}"
    np.testing.assert_array_equal(recording.events, made.events)
    np.testing.assert_array_equal(recording.frames.images, made.frames.images)
    assert recording.sensor_size == (16, 16)
    assert recording.metadata["emotion"] == "fear"
    assert recording.metadata["segments"] == made.metadata["segments"]


@pytest.mark.parametrize(("persons", "takes"), [(4, 1), (60, 2), (8, 3)])
def test_lightings_are_dealt_evenly(persons, takes):
    jobs = plan(persons, takes, 0, LIGHTINGS)
    share = len(jobs) / 4
    for key, size in (("person", persons), ("emotion", 7), ("take", takes)):
        counts = Counter((getattr(job, key), job.lighting) for job in jobs)
        assert len(counts) == (4 if key != "person" else min(takes, 4)) * size
        assert max(counts.values()) - min(counts.values()) <= max(1, 0.3 * share / size) or key == "person"
    # What a person does under a lighting does not depend on the emotion.
    for person in range(persons):
        under = {e: sorted(j.lighting for j in jobs if (j.person, j.emotion) == (person, e)) for e in EMOTIONS}
        assert len({str(v) for v in under.values()}) == 1


def test_one_lighting_may_be_asked_for(tmp_path):
    root = make(tmp_path / "data", persons=1, lightings=["Low"])
    assert {s["lighting"] for s in content_of(root)["sequences"]} == {"low-light"}
    with pytest.raises(DatasetError, match="lightings"):
        make(root, persons=1, lightings=["HDR"])
    for wrong in ([], ["dusk"], ["HDR", "hdr"]):
        with pytest.raises(DatasetError, match="lighting"):
            make(tmp_path / "other", lightings=wrong)


def test_worker_processes_make_the_same(whole, tmp_path):
    seen = []
    other = make(tmp_path / "two", takes=2, workers=2, progress=lambda *args: seen.append(args))
    assert seen == [(i, 28) for i in range(29)]
    assert content_of(other) == content_of(whole)
    for name in sorted(stamps(whole))[::9]:
        a, b = open_recording(whole / name), open_recording(other / name)
        np.testing.assert_array_equal(a.events, b.events)
        np.testing.assert_array_equal(a.frames.images, b.frames.images)


def test_a_second_call_makes_nothing_anew(whole):
    before = stamps(whole)
    seen = []
    make(whole, takes=2, progress=lambda *args: seen.append(args))
    assert stamps(whole) == before
    assert seen == [(28, 28)]


def test_a_stopped_run_is_continued(tmp_path):
    root = tmp_path / "data"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(root, progress=stop)
    before = stamps(root)
    assert len(before) == 3
    assert not (root / "eyesim.json").exists()
    cut = next(root.rglob("*.h5"))
    cut.write_bytes(cut.read_bytes()[:1000])  # what a full disk may leave
    make(root)
    after = stamps(root)
    assert len(after) == 14
    kept = {name for name in before if after[name] == before[name]}
    assert kept == set(before) - {str(cut.relative_to(root))}
    assert len(open_recording(cut).frames.images) > 1


def test_more_takes_are_added(tmp_path):
    root = make(tmp_path / "data", persons=1)
    before = stamps(root)
    make(root, persons=1, takes=2)
    assert {name: stamps(root)[name] for name in before} == before
    assert len(content_of(root)["sequences"]) == 14
    with pytest.raises(DatasetError, match="1 persons and 2 takes"):
        make(root, persons=1, takes=1)


@pytest.mark.parametrize(
    ("change", "word"), [({"seed": 1}, "seed=0"), ({"size": (20, 16)}, "size"), ({"substeps": 3}, "substeps")]
)
def test_other_settings_are_refused(whole, change, word):
    with pytest.raises(DatasetError) as caught:
        make(whole, takes=2, **change)
    message = str(caught.value)
    assert "eyesim.json" in message
    assert word in message
    assert "another folder" in message
    assert "\n" not in message


def test_recordings_of_other_settings_are_refused_without_a_manifest_too(tmp_path):
    root = make(tmp_path / "data", persons=1)
    (root / "eyesim.json").unlink()
    with pytest.raises(DatasetError, match=r"happiness_000_normal\.h5 was made with other settings"):
        make(root, persons=1, seed=5)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "eyesim"}', "null"])
def test_a_broken_manifest_is_named(tmp_path, content):
    (tmp_path / "eyesim.json").write_text(content)
    with pytest.raises(DatasetError, match=r"eyesim\.json.*generate again"):
        make(tmp_path)


def test_another_version_is_named(whole, tmp_path):
    content = content_of(whole)
    content["settings"]["version"] = 999
    (tmp_path / "eyesim.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="another version"):
        manifest.read_manifest(tmp_path)


def test_what_cannot_be_made(tmp_path):
    with pytest.raises(DatasetError, match="at least 1"):
        make(tmp_path, takes=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot write"):
        make(tmp_path / "file")


def entry(**change):
    return lambda content: content["sequences"][3].update(change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["settings"].pop("size"), "size is None"),
        (lambda c: c["settings"].update(size=[16, "16"]), "size is"),
        (lambda c: c["settings"].update(duration_s="x"), "duration_s is 'x'"),
        (lambda c: c["settings"].update(duration_s=float("nan")), "duration_s is nan"),
        (lambda c: c["settings"].update(frame_rate=0), "frame_rate is 0"),
        (lambda c: c["settings"].update(seed=None), "seed of settings is None"),
        (lambda c: c.update(settings=[]), "settings is missing"),
        (lambda c: c.update(persons="many"), "persons is 'many'"),
        (lambda c: c.update(sequences=None), "sequences is missing"),
        (lambda c: c.update(sequences=[]), "sequences is missing"),
        (lambda c: c.update(sequences=[1]), "file of sequences[0]"),
        (lambda c: c["sequences"][3].pop("file"), "file of sequences[3] is missing"),
        (entry(file=3), "file of sequences[3]"),
        (entry(file="../../etc/passwd"), "outside of the data set"),
        (entry(file="/etc/passwd"), "outside of the data set"),
        (entry(person=["p000"]), "person of sequences[3]"),
        (entry(emotion=[]), "sequences[3]: unknown emotion"),
        (entry(lighting="dusk"), "sequences[3]: unknown lighting"),
    ],
)
def test_a_wrong_key_of_the_manifest_is_named(whole, tmp_path, change, words):
    content = content_of(whole)
    change(content)
    (tmp_path / "eyesim.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"eyesim\.json: .*generate again") as caught:
        manifest.read_manifest(tmp_path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff\xfe{}"])
def test_a_manifest_that_is_no_readable_json_is_named(tmp_path, content):
    (tmp_path / "eyesim.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"eyesim\.json: .*generate again") as caught:
        manifest.read_manifest(tmp_path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"duration_s": float("inf")}, "duration_s is inf"),
        ({"duration_s": float("nan")}, "duration_s is nan"),
        ({"duration_s": 3601}, "duration_s is 3601"),
        ({"size": (100_000, 64)}, "size is"),
        ({"size": 64}, "size is 64"),
        ({"substeps": 2.5}, "substeps is 2.5"),
        ({"frame_rate": 1e9}, "frame_rate is"),
    ],
)
def test_what_cannot_be_simulated_is_named(tmp_path, change, words):
    calls = [
        lambda: make(tmp_path, **change),
        lambda: simulate_sequence(**{"seed": 0, "person": 0, "emotion": "fear", "take": 0} | change),
        lambda: simulate_session(**{"seed": 0, "person": 0, "emotions": ["fear"]} | change),
    ]
    for call in calls:
        with pytest.raises(DatasetError) as caught:
            call()
        assert words in str(caught.value)


@pytest.mark.parametrize("change", [{"seconds_each": float("nan")}, {"rest_s": float("inf")}, {"seconds_each": 1e6}])
def test_a_session_has_an_end(change):
    with pytest.raises(DatasetError, match="may last 3600 s"):
        simulate_session(0, 0, ["fear"], **change)
