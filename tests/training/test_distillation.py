"""Distillation as training: projected conflicts, few labels, a start, a teacher that is looked at first."""

import warnings

import lightning.pytorch as pl
import pytest
import torch

from snnkd.datasets import EMOTIONS, EyeSim
from snnkd.distill import Objective, project_conflicts
from snnkd.errors import ConfigError, DatasetError, SnnkdWarning
from snnkd.models import EventStudent, FrameTeacher, load_model
from snnkd.training import Classification, Distillation, EyeSimData
from snnkd.training.callbacks import SaveModel
from snnkd.training.distillation import flat_gradient
from snnkd.training.few_labels import LabelShare

SIZE = (32, 32)
OBJECTIVES = [
    Objective("kd", 1.0),
    Objective("feature_hint", 1.0, student_feature="stage2", teacher_feature="stage2"),
]


def networks(seed=0):
    torch.manual_seed(seed)
    return FrameTeacher(SIZE, (4, 8)), EventStudent(SIZE, (4, 8), dropout=0.0)


def data(root, tmp_path, **options):
    return EyeSimData(str(root), steps=6, cache=str(tmp_path / "cache"), **{"val_share": 0.0, **options})


def fit(module, data, **options):
    settings = {"max_epochs": 1, "logger": False, "enable_checkpointing": False, **options}
    trainer = pl.Trainer(
        accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, **settings
    )
    torch.manual_seed(0)
    trainer.fit(module, data)
    return trainer


class Watch(pl.Callback):
    """Keeps the gradients that the optimiser is given, and what the plain sum and the projection would be."""

    def on_before_optimizer_step(self, trainer, module, optimizer):
        shared = list(module.network.parameters())
        self.got = torch.cat([p.grad.flatten() for p in shared])
        module.zero_grad()
        step = module.distiller(self.batch, module.progress)
        self.parts = [flat_gradient(part, shared) for part in step.groups.values()]

    def on_train_batch_start(self, trainer, module, batch, index):
        self.batch = batch


def test_the_students_gradient_is_the_projected_one(eyesim_root, tmp_path):
    watch = Watch()
    module = Distillation(*networks(), OBJECTIVES, conflicts="project")
    fit(module, data(eyesim_root, tmp_path), callbacks=[watch], limit_train_batches=1)
    assert len(watch.parts) == 3
    plain = torch.stack(watch.parts).sum(0)
    # The order that the projection drew is not known here: it is one of the eight.
    orders = [[[1, 2], [2, 1]], [[0, 2], [2, 0]], [[0, 1], [1, 0]]]
    possible = [project_conflicts(watch.parts, [a, b, c]) for a in orders[0] for b in orders[1] for c in orders[2]]
    closest = min((watch.got - one).norm() / one.norm() for one in possible)
    assert closest < 1e-3
    if any(a.dot(b) < 0 for a in watch.parts for b in watch.parts):
        assert (watch.got - plain).norm() / plain.norm() > 1e-3


def test_objectives_parameters_learn_when_conflicts_are_projected(eyesim_root, tmp_path):
    module = Distillation(*networks(), OBJECTIVES, conflicts="project")
    before = [p.clone() for p in module.distiller.terms.parameters()]
    fit(module, data(eyesim_root, tmp_path), limit_train_batches=1)
    after = list(module.distiller.terms.parameters())
    assert before
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_few_labels_are_a_share_of_each_emotion(eyesim_root, tmp_path):
    def train(share):
        return LabelShare(share, 0).labelled(EyeSim(eyesim_root, "train", steps=6, val_share=0.0))

    sequences = EyeSim(eyesim_root, "train", steps=6, val_share=0.0).sequences
    half, quarter = train(0.5), train(0.25)
    for emotion in EMOTIONS:
        assert sum(sequences[i].emotion == emotion for i in half) == 2  # of four persons' one take each
        assert sum(sequences[i].emotion == emotion for i in quarter) == 1
    assert quarter < half
    assert LabelShare(0.5, 1).labelled(EyeSim(eyesim_root, "train", steps=6, val_share=0.0)) != half


@pytest.mark.parametrize("free", [False, True])
def test_what_few_labels_leave_out(eyesim_root, tmp_path, free):
    """Labels alone see the labelled clips; a distillation that can do without sees all of them."""
    source = data(eyesim_root, tmp_path, label_share=0.25)
    seen = []

    class Look(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, index):
            seen.extend(batch["labels"].tolist())

    module = Distillation(*networks(), OBJECTIVES) if free else Classification(networks()[1])
    fit(module, source, callbacks=[Look()])
    assert sum(label >= 0 for label in seen) == 7
    assert sum(label < 0 for label in seen) == (21 if free else 0)
    assert source.input_config["label_share"] == 0.25


def test_a_label_free_student_is_what_the_next_training_begins_with(eyesim_root, tmp_path):
    torch.manual_seed(0)
    teacher, student = networks()
    module = Distillation(teacher, student, [OBJECTIVES[1]], label_weight=0.0)
    folder = tmp_path / "free"
    fit(module, data(eyesim_root, tmp_path), callbacks=[SaveModel(folder)])
    fresh = Classification(networks(seed=5)[1], start_from=str(folder))
    saved = load_model(folder)[0].state_dict()
    assert all(torch.equal(saved[k], v) for k, v in fresh.network.state_dict().items())
    fit(fresh, data(eyesim_root, tmp_path), limit_train_batches=1)
    with pytest.raises(ConfigError, match=r"start_from: .* holds a EventStudent of other channels"):
        Classification(EventStudent(SIZE, (4, 6)), start_from=str(folder))
    # What was trained on other folds' persons may not judge itself.
    other = Classification(networks(seed=5)[1], start_from=str(folder))
    with pytest.raises(DatasetError, match="start_from: was trained on"):
        fit(other, data(eyesim_root, tmp_path, fold=1), limit_train_batches=1)


def test_a_teacher_that_is_no_better_is_told_of_before_the_first_step(eyesim_root, tmp_path):
    teacher, student = networks()
    with torch.no_grad():
        teacher.head.weight.zero_()  # tells one emotion of everything
    source = data(eyesim_root, tmp_path, val_share=0.25)
    folder = tmp_path / "labels"
    fit(Classification(networks(1)[1]), source, callbacks=[SaveModel(folder)])
    module = Distillation(teacher, student, OBJECTIVES, baseline=str(folder))
    told = []

    class Begins(pl.Callback):
        def on_train_start(self, trainer, module):
            told.append(module.teacher_scores.uar)

    with pytest.warns(SnnkdWarning, match=r"teacher: 14.3% UAR on validation, no better than"):
        fit(module, data(eyesim_root, tmp_path, val_share=0.25), callbacks=[Begins()])
    assert told == [pytest.approx(1 / 7)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", SnnkdWarning)
        fit(Distillation(*networks(), OBJECTIVES), data(eyesim_root, tmp_path, val_share=0.25))


def test_views_come_again_and_the_teacher_is_not_asked_again(eyesim_root, tmp_path):
    module = Distillation(*networks(), OBJECTIVES, cache_mb=64)
    fit(module, data(eyesim_root, tmp_path, augmentation_views=1), max_epochs=3)
    assert (module.distiller.cache.misses, module.distiller.cache.hits) == (28, 56)
    fresh = Distillation(*networks(), OBJECTIVES, cache_mb=64)
    fit(fresh, data(eyesim_root, tmp_path), max_epochs=3)
    assert fresh.distiller.cache.hits == 0
    # Answers from memory change nothing.
    plain = Distillation(*networks(), OBJECTIVES)
    fit(plain, data(eyesim_root, tmp_path, augmentation_views=1), max_epochs=3)
    for a, b in zip(plain.network.parameters(), module.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conflicts": "ignore"}, "conflicts: must be sum or project, got 'ignore'"),
        ({"cache_mb": -1}, "cache_mb: must be zero or above"),
        ({"label_weight": 0.0, "objectives": []}, "objectives: none has a weight"),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Distillation(*networks(), **options)
