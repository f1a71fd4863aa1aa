"""What ``snnkd info`` says of a dataset, and what it checks."""

import json

import pytest
from dataset_files import write_evbeye, write_images, write_recording

from snnkd.cli import main
from snnkd.datasets import EMOTIONS, check_dataset, open_dataset
from snnkd.datasets.opening import dataset_kind
from snnkd.datasets.summary import describe, holds_dataset, table
from snnkd.errors import DatasetError


def test_eyesim(eyesim_root):
    facts = describe(eyesim_root)
    assert holds_dataset(eyesim_root)
    assert (facts["dataset"], facts["persons"], facts["sequences"]) == ("EyeSim", 5, 35)
    assert sum(facts["emotions"]["fear"].values()) == 5
    assert "5 persons, 35 sequences" in table(facts)
    report = check_dataset(eyesim_root)
    assert (report.ok, report.counts) == (True, {"sequences": 35, "persons": 5})


def test_see(see_root, tmp_path):
    facts = describe(see_root)
    assert (facts["dataset"], facts["persons"], facts["sequences"]) == ("SEE", 4, 28)
    # Each of the four persons sits in one light.
    assert facts["emotions"]["fear"] == {"normal": 1, "overexposed": 1, "low-light": 1, "HDR": 1}
    assert all(name in table(facts) for name in ("overexposed", "low-light", "HDR", "neutral"))
    assert not holds_dataset(tmp_path)


@pytest.fixture
def own(tmp_path):
    write_recording(tmp_path / "a.h5", frames=False)
    write_recording(tmp_path / "b.h5", seed=1)
    lines = ["path,label,person,lighting,start,end,frames", "a.h5,fear,a,HDR,,,no", "b.h5,,b,,,,yes"]
    (tmp_path / "recordings.csv").write_text("\n".join(lines))
    return tmp_path


def test_recordings_of_ones_own(own):
    facts = describe(own)
    assert (facts["dataset"], facts["frames"]) == ("Recordings", False)
    assert facts["emotions"]["fear"] == {"HDR": 1}
    assert facts["emotions"]["no label"] == {"unknown": 1}
    text = table(facts)
    assert "2 persons, 2 sequences of 30 windows, 2 s; some sequences have events alone" in text
    assert "lighting unknown" in text


def test_evbeye(tmp_path):
    write_evbeye(tmp_path / "user1" / "0")
    facts = describe(tmp_path)
    assert facts["emotions"] == {"no label": {"unknown": 1}}
    assert "EVBEYE: 1 person, 1 sequence of 30 windows" in table(facts)


def test_dsee(tmp_path):
    write_images(tmp_path / "e" / "a", [1, 2], event=True)
    write_images(tmp_path / "f" / "a", [1, 2])
    (tmp_path / "dsee.yaml").write_text("{kind: images, events: 'e/{person}', frames: 'f/{person}', emotion: fear}")
    assert describe(tmp_path)["emotions"]["fear"] == {"unknown": 1}


def test_what_is_no_dataset(tmp_path):
    write_recording(tmp_path / "a.h5")
    (tmp_path / "events.csv").write_text("t,x,y,p\n1,2,3,0\n")
    for path in (tmp_path, tmp_path / "a.h5", tmp_path / "events.csv", tmp_path / "nowhere"):
        assert dataset_kind(path) is None
        with pytest.raises(DatasetError, match=r"eyesim\.json"):
            open_dataset(path)
        with pytest.raises(DatasetError, match=r"eyesim\.json"):
            check_dataset(path)


def test_info_checks_when_asked(make_see, capsys):
    tree = make_see(persons=1)
    assert main(["info", str(tree.root), "--check"]) == 0
    assert "nothing wrong was found" in capsys.readouterr().out
    bad = tree.path("event", tree.names[0]) / "00003.jpg"
    bad.write_bytes(b"")
    assert main(["info", str(tree.root), "--check"]) == 0
    assert main(["info", str(tree.root), "--check", "--images", "--json"]) == 2
    facts = json.loads(capsys.readouterr().out.split("nothing wrong was found")[-1])
    assert (facts["ok"], facts["kinds"]) == (False, {"unreadable image": 1})
    assert facts["problems"][0]["message"].startswith(str(bad))
    tree.database.pop(tree.names[1])
    tree.write()
    assert main(["info", str(tree.root), "--check"]) == 2
    assert "folder without annotation" in capsys.readouterr().out


def test_images_without_check_and_checks_of_recordings_are_refused(own, capsys):
    assert main(["info", str(own), "--images"]) == 2
    assert "--check" in capsys.readouterr().err
    assert main(["info", str(own / "a.h5"), "--check"]) == 2
    assert "eyesim.json" in capsys.readouterr().err


def test_every_emotion_has_its_row(see_root):
    assert list(describe(see_root)["emotions"]) == list(EMOTIONS)
