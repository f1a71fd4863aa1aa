"""``snnkd train`` from the YAML files that come with the library."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from snnkd.cli import main
from snnkd.errors import ConfigError, DatasetError, ModelError
from snnkd.models import EventStudent, load_model
from snnkd.training import Classification, train

CONFIGS = Path(__file__).parents[2] / "configs"
HINT2 = [
    '--model.init_args.objectives=[{"name": "kd"}, {"name": "feature_hint", "student_feature": "stage2", '
    '"teacher_feature": "stage2"}]'
]


@pytest.fixture
def arguments(eyesim_root, tmp_path):
    """Arguments that shrink an EyeSim configuration to seconds."""

    def make(name, *more, network="network", epochs=2):
        return [
            f"--config={CONFIGS / 'eyesim' / name}.yaml",
            f"--output={tmp_path / name}",
            f"--data.init_args.root={eyesim_root}",
            f"--data.init_args.cache={tmp_path / 'cache'}",
            "--data.init_args.steps=6",
            "--data.init_args.window_us=33333",
            f"--model.init_args.{network}.init_args.input_size=[32, 32]",
            f"--model.init_args.{network}.init_args.channels=[4, 8]",
            f"--trainer.max_epochs={epochs}",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *more,
        ]

    return make


def weights(folder):
    return load_model(folder)[0].state_dict()


def test_teacher_then_distilled_student(arguments, tmp_path, eyesim_root, capsys):
    teacher = train(arguments("teacher"))
    config = load_model(teacher)[1]
    assert teacher == tmp_path / "teacher" / "model"
    trained = config.input.pop("training_persons")
    assert config.input == {
        "dataset": "EyeSim",
        "window_us": 33_333,
        "steps": 6,
        "stride": 1,
        "split": {"split": "person-disjoint", "fold": 0, "folds": 5, "seed": 0, "val_share": 0.1},
        "population": "EyeSim seed 0",
    }
    assert len(trained) == 3  # of five persons, one is held out for validation and one for the test
    assert config.training["epochs"] == 2
    assert 0 <= config.training["val_uar"] <= 1
    assert 0.05 <= config.training["temperature"] <= 20
    assert config.training["val_window_nll_calibrated"] <= config.training["val_window_nll"]
    logs = tmp_path / "teacher" / "logs" / "version_0"
    assert list(logs.glob("events.out.tfevents.*"))
    with open(logs / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert {"train/loss", "val/war", "val/uar"} <= set(rows[0])

    student = tmp_path / "distill" / "model"
    assert (
        main(["train", *arguments("distill", f"--model.init_args.teacher={teacher}", *HINT2, network="student")]) == 0
    )
    told = capsys.readouterr().out
    assert f"wrote {student}: 2 epochs, UAR {load_model(student)[1].training['val_uar']:.1%}" in told
    assert f"snnkd evaluate {student} --data" in told
    assert isinstance(load_model(student)[0], EventStudent)
    assert load_model(student)[1].training["teacher"] == str(teacher)
    assert main(["energy", str(student), "--data", str(eyesim_root), "--subset", "test", "--clips", "2"]) == 0
    assert "teacher/model, 45nm-fp32" in capsys.readouterr().out  # beside its teacher, without being asked
    with open(tmp_path / "distill" / "logs" / "version_0" / "metrics.csv") as file:
        assert {"train/label", "train/kd", "train/feature_hint"} <= set(next(csv.DictReader(file)))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(arguments, tmp_path):
    first = weights(train(arguments("student", f"--output={tmp_path / 'a'}")))
    second = weights(train(arguments("student", f"--output={tmp_path / 'b'}")))
    other = weights(train(arguments("student", f"--output={tmp_path / 'c'}", "--seed_everything=1")))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_cache_and_workers_change_nothing(arguments, tmp_path):
    first = weights(train(arguments("student", f"--output={tmp_path / 'a'}")))
    for name, more in (("b", "--data.init_args.cache=null"), ("c", "--data.init_args.workers=2")):
        other = weights(train(arguments("student", f"--output={tmp_path / name}", more)))
        assert all(torch.equal(first[key], other[key]) for key in first)
    plain = weights(train(arguments("student", f"--output={tmp_path / 'd'}", "--data.init_args.augmentation=null")))
    assert not all(torch.equal(first[key], plain[key]) for key in first)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_training_ends_where_the_uninterrupted_one_does(arguments, tmp_path, monkeypatch, workers):
    more = [f"--data.init_args.workers={workers}"]
    whole = weights(train(arguments("student", f"--output={tmp_path / 'whole'}", *more, epochs=4)))
    cut = arguments("student", f"--output={tmp_path / 'cut'}", *more, epochs=4)
    with monkeypatch.context() as patch:
        step = pl.LightningModule.on_train_epoch_start

        def die(module):
            if module.trainer.current_epoch == 2:
                raise RuntimeError("power cut")
            return step(module)

        patch.setattr(pl.LightningModule, "on_train_epoch_start", die)
        with pytest.raises(RuntimeError, match="power cut"):
            train(cut)
    assert not (tmp_path / "cut" / "model").exists()
    with pytest.raises(ConfigError, match="holds a training already: give --resume"):
        train(cut)
    resumed = weights(train([*cut, "--resume"]))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_training_that_was_killed_ends_with_the_weights_of_the_uninterrupted_one(arguments, tmp_path):
    """SIGKILL, at no chosen moment after the first checkpoint: nothing gets to clean up."""
    whole = weights(train(arguments("student", f"--output={tmp_path / 'whole'}", epochs=40)))
    cut = tmp_path / "cut"
    command = arguments("student", f"--output={cut}", epochs=40)
    code = "import sys, torch, snnkd.training as t; torch.set_num_threads(int(sys.argv[1])); t.train(sys.argv[2:])"
    process = subprocess.Popen([sys.executable, "-c", code, str(torch.get_num_threads()), *command])
    checkpoint = cut / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert checkpoint.exists()
    assert not (cut / "model").exists()
    resumed = weights(train([*command, "--resume"]))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_finished_training_is_not_overwritten_by_accident(arguments, tmp_path):
    model = train(arguments("student", epochs=1))
    before = {p: p.read_bytes() for p in model.iterdir()}
    with pytest.raises(ConfigError, match="--overwrite to replace it"):
        train(arguments("student", epochs=1))
    assert {p: p.read_bytes() for p in model.iterdir()} == before
    for nothing in ("--overwrite", "--resume"):
        with pytest.raises(ConfigError, match="no epoch ran, so no model was written"):
            train(arguments("student", nothing, epochs=0 if nothing == "--overwrite" else 1))
        assert {p: p.read_bytes() for p in model.iterdir()} == before
    train(arguments("student", "--overwrite", "--seed_everything=3", epochs=1))
    assert {p: p.read_bytes() for p in model.iterdir()} != before


def test_an_overwritten_training_that_died_is_not_resumed_as_the_old_one(arguments, tmp_path, monkeypatch):
    train(arguments("student", epochs=1))
    with monkeypatch.context() as patch:

        def die(*_):
            raise RuntimeError("power cut")

        patch.setattr(Classification, "training_step", die)
        with pytest.raises(RuntimeError, match="power cut"):
            train(arguments("student", "--overwrite", epochs=1))
    with pytest.raises(ConfigError, match="there is nothing to continue"):
        train(arguments("student", "--resume", epochs=1))
    assert (tmp_path / "student" / "model").is_dir()  # of the first training, until the next one ends


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"e" * 1000),
    "foreign": lambda path: torch.save({"state_dict": {}}, path),
    "tensor": lambda path: torch.save(torch.zeros(3), path),
}


@pytest.fixture
def trained(arguments):
    return train(arguments("student", epochs=1))


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_checkpoint_is_named(arguments, trained, tmp_path, how):
    checkpoint = tmp_path / "student" / "checkpoints" / "last.ckpt"
    BROKEN[how](checkpoint)
    with pytest.raises(ConfigError, match=r"last.ckpt: .*--overwrite") as caught:
        train(arguments("student", "--resume"))
    assert "\n" not in str(caught.value)


def test_resuming_with_other_settings_is_refused(arguments, trained):
    with pytest.raises(ConfigError, match="does not fit this model at"):
        train(arguments("student", "--resume", "--model.init_args.network.init_args.channels=[4, 6]"))
    with pytest.raises(ConfigError, match="the training to resume had another split"):
        train(arguments("student", "--resume", "--data.init_args.fold=1"))
    with pytest.raises(ConfigError, match="give one of them"):
        train(arguments("student", "--resume", "--overwrite"))


def test_a_training_that_diverges_stops_and_saves_nothing(arguments, tmp_path):
    with pytest.raises(ConfigError, match=r"training diverged: .*(NaN|nan|infinite)"):
        train(arguments("student", "--model.init_args.learning_rate=1e30", epochs=4))
    assert not (tmp_path / "student" / "model").exists()


def test_a_teacher_that_knows_the_held_out_persons_is_refused(arguments):
    teacher = train(arguments("teacher", "--data.init_args.fold=2", epochs=1))
    with pytest.raises(DatasetError, match="teacher: was trained on 1 of the persons"):
        train(arguments("distill", f"--model.init_args.teacher={teacher}", *HINT2, network="student"))


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_training_on_a_see_tree(make_see, tmp_path, name):
    model = train(
        [
            f"--config={CONFIGS / 'see' / name}.yaml",
            f"--output={tmp_path / 'see'}",
            f"--data.init_args.root={make_see(persons=6).root}",
            f"--data.init_args.cache={tmp_path / 'cache'}",
            "--data.init_args.workers=0",
            "--model.init_args.network.init_args.input_size=[32, 32]",
            "--model.init_args.network.init_args.channels=[4, 8]",
            "--trainer.max_epochs=1",
            "--trainer.enable_progress_bar=false",
        ]
    )
    config = load_model(model)[1]
    assert (config.input["dataset"], config.input["steps"], config.input["stride"]) == ("SEE", 4, 4)
    assert config.input["split"]["split"] == "person-disjoint"


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (["--trainer.max_epoks=3"], ConfigError, "max_epoks"),
        (["--model.init_args.learning_rat=1"], ConfigError, "learning_rat"),
        (["--model.init_args.learnig_rate={}"], ConfigError, "model: option 'learnig_rate' is not accepted"),
        (["--model.init_args.learning_rate=fast"], ConfigError, "learning_rate"),
        (["--model.init_args.network=Nothing"], ConfigError, "Nothing"),
        (["--config=absent.yaml"], ConfigError, "absent.yaml"),
        (["--data.init_args.root=/nowhere"], DatasetError, "/nowhere"),
        (["--data.init_args.steps=999"], DatasetError, "set steps to"),
        (["--model.init_args.network.init_args.input_size=[8, 8]"], ModelError, "input_size must be at least 16x16"),
        (["--model.init_args.network.init_args.beta=1.5"], ConfigError, "beta must lie between 0 and 1"),
        (["--model.init_args.learning_rate=-1"], ConfigError, "learning_rate: must be above zero"),
        (["--model.init_args.warmup=5"], ConfigError, "warmup: must be from 0"),
        (["--model.init_args.label_smoothing=2"], ConfigError, "label_smoothing: must be from 0"),
        (["--data.init_args.batch_size=0"], ConfigError, "batch_size: must be 1 or above"),
        (["--data.init_args.workers=-1"], ConfigError, "workers: must be zero or above"),
        (['--data.init_args.augmentation={"affine": {"degrees": 200}}'], ConfigError, "degrees must lie between 0 and"),
        (['--data.init_args.augmentation={"shift": 16}'], ConfigError, "augmentation: there is no 'shift': there are"),
        (["--data.init_args.augmentation=heavy"], ConfigError, "augmentation"),
        (["--model.init_args.network.init_args.classes=10"], ConfigError, "classes: the data has 7 emotions"),
        (["--trainer.devices=0"], ConfigError, "device"),
        (["--trainer.logger=false"], ConfigError, "trainer.logger: is given by `output`"),
        (["--trainer.max_epochs=0"], ConfigError, "no epoch ran"),
        (["--trainer.limit_train_batches=0"], ConfigError, "no epoch ran"),
        (["--resume"], ConfigError, "there is nothing to continue"),
    ],
)
def test_what_is_wrong_is_named_in_one_line_and_nothing_is_written(arguments, tmp_path, more, error, message):
    with pytest.raises(error) as caught:
        train(arguments("student", *more))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "student" / "model").exists()
    if not message.startswith("no epoch ran"):
        assert not (tmp_path / "student").exists()


@pytest.mark.parametrize(
    ("name", "key", "wrong"),
    [
        ("student", "batch_size: 16", "batchsize: 16"),
        ("distill", "curriculum: null", "curriculm: {}"),  # which jsonargparse alone would pass over
    ],
)
def test_a_misspelt_key_in_the_file_is_named(tmp_path, name, key, wrong):
    text = (CONFIGS / "eyesim" / f"{name}.yaml").read_text()
    assert key in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(key, wrong))
    with pytest.raises(ConfigError, match=wrong.split(":")[0]) as caught:
        train([f"--config={path}"])
    assert "\n" not in str(caught.value)


def test_an_empty_option_that_there_is_is_none_that_is_misspelt(arguments):
    """In full and in short, it gets as far as to the teacher, which is missing."""
    for option in ("--model.curriculum={}", "--model.init_args.curriculum={}"):
        with pytest.raises(ModelError, match="absent/model: no such model folder"):
            train(arguments("distill", "--model.init_args.teacher=runs/x/absent/model", option, network="student"))


def test_a_teacher_that_is_not_there(arguments):
    with pytest.raises(ModelError, match="runs/eyesim/absent/model: no such model folder"):
        train(arguments("distill", "--model.init_args.teacher=runs/eyesim/absent/model", network="student"))
