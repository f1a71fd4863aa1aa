"""The distiller: what is trained, what is frozen, and what is refused before it starts."""

import importlib
import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from snnkd.datasets import EyeSim
from snnkd.distill import Curriculum, Distiller, Objective
from snnkd.distill.objectives import OBJECTIVES
from snnkd.errors import ConfigError
from snnkd.models import EventStudent, FrameTeacher, Output

HINT = Objective("feature_hint", 0.5, student_feature="stage2", teacher_feature="stage2")


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return {
        "events": torch.poisson(torch.full((4, 6, 2, 32, 32), 0.4)),
        "frames": torch.rand(4, 6, 1, 32, 32),
        "labels": torch.arange(6),
    }


def networks(**teacher):
    torch.manual_seed(0)
    return FrameTeacher((32, 32), (4, 6), dropout=0.5, **teacher), EventStudent((32, 32), (4, 8), dropout=0.0)


def test_the_loss_is_the_weighted_sum_of_its_terms(batch):
    objectives = [Objective("kd", 2.0, options={"temperature": 4.0}), HINT]
    loss, terms, logits, groups = Distiller(*networks(), objectives, label_weight=0.7)(batch)
    assert set(terms) == {"label", "kd", "feature_hint"}
    assert loss.item() == pytest.approx(
        (0.7 * terms["label"] + 2.0 * terms["kd"] + 0.5 * terms["feature_hint"]).item(), rel=1e-6
    )
    assert logits.shape == (4, 6, 7)
    assert set(groups) == {"labels", "logits", "features"}
    assert loss.item() == pytest.approx(sum(part.item() for part in groups.values()), rel=1e-6)


def every_objective():
    """One of each, on features where it looks at them."""
    for name, kind in OBJECTIVES.items():
        yield Objective(name, 1.0, *(("stage2", "stage2") if kind.features else ()))


@pytest.mark.parametrize("objective", list(every_objective()), ids=lambda o: o.name)
def test_terms_are_worked_out_in_float32_under_autocast(batch, objective):
    """What bfloat16 does to the networks reaches the terms; its three digits do not."""
    distiller = Distiller(*networks(), [objective]).eval()
    with torch.autocast("cpu", torch.bfloat16):
        student, teacher = distiller.student.run(batch["events"]), distiller.teacher.run(batch["frames"])
        assert torch.bfloat16 in {student.logits.dtype, teacher.logits.dtype}
        step = distiller(batch)
    both = [Output(o.logits.float(), {k: f.float() for k, f in o.features.items()}, None) for o in (student, teacher)]
    whole = distiller._step(*both, batch["labels"], 0.0)
    assert {term.dtype for term in step.terms.values()} == {torch.float32}
    for name, term in whole.terms.items():
        assert step.terms[name].item() == term.item(), name
    if objective.name in ("kd", "dkd", "temporal_consistency"):
        assert step.terms[objective.name].item() >= 0


def test_every_parameter_has_a_gradient_whatever_the_batch(batch):
    """So that several processes can add theirs up: without labels, and with a term that does not count."""
    objectives = [
        Objective("kd"), Objective("feature_hint", 0.0, "stage2", "stage2"),
        Objective("high_order", 1.0, "stage2", "stage2"), Objective("semantic_guided", 1.0, "stage2", "stage2"),
    ]  # fmt: skip
    for learn_weights in (False, True):
        distiller = Distiller(*networks(), objectives, learn_weights=learn_weights)
        distiller(batch | {"labels": torch.full((6,), -1)}).loss.backward()
        assert [name for name, p in distiller.named_parameters() if p.grad is None] == []


def test_student_and_projector_learn_and_the_teacher_does_not(batch):
    teacher, student = networks()
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    distiller = Distiller(teacher, student, [Objective("kd"), HINT])
    distiller.train()
    optimiser = torch.optim.SGD(distiller.parameters(), 0.1)
    projector = [p.clone() for p in distiller.terms.parameters()]
    distiller(batch)[0].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in student.parameters())
    optimiser.step()
    assert all(not torch.equal(a, b) for a, b in zip(projector, distiller.terms.parameters(), strict=True))
    # Not even its running statistics, although the distiller was in training mode.
    assert all(torch.equal(before[k], v) for k, v in teacher.state_dict().items())
    assert not teacher.training
    assert not any(name.startswith("_teacher") or "embed" in name for name in distiller.state_dict())


def test_every_objective_adds_gradient_of_its_own(batch):
    def gradient(objectives):
        teacher, student = networks()
        Distiller(teacher, student, objectives, label_weight=0.0)(batch)[0].backward()
        return torch.cat([p.grad.flatten() for p in student.stages.parameters()])

    logit, feature = gradient([Objective("kd")]), gradient([HINT])
    assert logit.abs().sum() > 0
    assert feature.abs().sum() > 0
    torch.testing.assert_close(gradient([Objective("kd"), HINT]), logit + feature, rtol=1e-3, atol=1e-7)


def test_the_teacher_follows_to_another_dtype():
    distiller = Distiller(*networks(), [HINT]).double()
    assert {p.dtype for p in distiller.teacher.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Objective("kdd"), r"objectives\[0\].name: 'kdd' is no objective, choose from .*kd"),
        (Objective("kd", -1.0), r"objectives\[0\].weight: must be zero or above, got -1"),
        (Objective("kd", float("nan")), r"objectives\[0\].weight: must be zero or above, got nan"),
        (Objective("kd", options={"tau": 3}), r"objectives\[0\].options: kd takes temperature, not 'tau'"),
        (Objective("kd", options={"temperature": 0}), r"objectives\[0\]: temperature must be above zero"),
        (Objective("kd", options={"temperature": "hot"}), r"objectives\[0\]: "),
        (
            Objective("feature_hint", student_feature="stage9", teacher_feature="stage2"),
            r"objectives\[0\].student_feature: 'stage9' is not among the student's features \(stage1, stage2\)",
        ),
        (
            Objective("feature_hint", student_feature="stage2", teacher_feature="deep"),
            r"objectives\[0\].teacher_feature: 'deep' is not among the teacher's",
        ),
        (Objective("feature_hint"), r"objectives\[0\].student_feature: is missing: give one of stage1, stage2"),
        (Objective("kd", student_feature="stage2"), r"objectives\[0\].student_feature: kd looks at logits"),
    ],
)
def test_what_cannot_work_is_refused_by_its_key(objective, message):
    with pytest.raises(ConfigError, match=message):
        Distiller(*networks(), [objective])


def documented(name):
    """The documentation's Python that begins with this file's name."""
    docs = (Path(__file__).parents[2] / "docs" / "distill.rst").read_text()
    code = re.search(rf"\.\. code-block:: python\n\n(   # {name}\n(?:   .*\n|\n)+)", docs)
    return textwrap.dedent(code[1])


def test_the_documented_loop_teaches(eyesim_root):
    torch.manual_seed(0)
    teacher, student = FrameTeacher((32, 32), (4, 6, 8, 8)), EventStudent((32, 32), (4, 6, 8, 8))
    dataset = EyeSim(eyesim_root, "train", size=(32, 32), steps=4, window_us=33_333)
    before = [p.clone() for p in student.parameters()]
    names = {"teacher": teacher, "student": student, "dataset": dataset}
    exec(documented("loop.py"), names)
    assert names["step"].loss.isfinite()
    assert all(not torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The documentation's module with an objective of one's own, where Python looks."""
    (tmp_path / "mine.py").write_text(documented("mine.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("mine", None)


def test_an_objective_of_ones_own_is_named_by_its_path(mine, batch):
    teacher, student = networks()
    step = Distiller(teacher, student, [Objective("mine.MeanGap", 0.5, options={"power": 1.0})])(batch)
    expected = (student.run(batch["events"]).logits.mean(0) - teacher.run(batch["frames"]).logits.mean(0)).abs().mean()
    assert step.terms["MeanGap"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert step.loss.item() == pytest.approx((step.terms["label"] + 0.5 * step.terms["MeanGap"]).item(), rel=1e-6)


def test_an_objective_that_gives_no_scalar_is_refused_before_the_start(mine, monkeypatch):
    gap = importlib.import_module("mine").MeanGap
    monkeypatch.setattr(gap, "function", lambda student, teacher: (student - teacher).abs())
    with pytest.raises(ConfigError, match=r"objectives\[0\]: mean_gap must return a scalar, got \(1, 2, 7\)"):
        Distiller(*networks(), [Objective("mine.MeanGap")])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.Gap", r"'nowhere.Gap' cannot be imported \(No module named 'nowhere'\): .*PYTHONPATH"),
        ("mine.Absent", "'mine.Absent' cannot be imported"),
        (".", "cannot be imported|is no objective"),
        ("mine.mean_gap", "'mine.mean_gap' is no subclass of snnkd.distill.objectives.Term"),
    ],
)
def test_an_objective_that_cannot_be_imported_is_refused_by_its_key(mine, name, message):
    with pytest.raises(ConfigError, match=rf"objectives\[0\].name: .*{message}"):
        Distiller(*networks(), [Objective(name)])


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(ConfigError, match="teacher: tells 5 classes apart, the student 7"):
        Distiller(*networks(classes=5), [Objective("kd")])


def test_a_curriculum_scales_each_kind(batch):
    plan = Curriculum(features=[[0.5, 1.0], [1.0, 0.0]], logits=[[0.0, 0.5]], labels=[[0.0, 0.0], [1.0, 1.0]])
    distiller = Distiller(*networks(), [Objective("kd", 2.0), HINT], curriculum=plan)
    step = distiller(batch, progress=0.75)
    for kind, expected in {
        "labels": 0.75 * step.terms["label"],
        "logits": 0.5 * 2.0 * step.terms["kd"],
        "features": 0.5 * 0.5 * step.terms["feature_hint"],
    }.items():
        torch.testing.assert_close(step.groups[kind], expected)


def test_learned_weights_are_parameters_and_begin_as_given(batch):
    fixed = Distiller(*networks(), [Objective("kd", 2.0), HINT])
    learned = Distiller(*networks(), [Objective("kd", 2.0), HINT], learn_weights=True)
    learned.terms.load_state_dict(fixed.terms.state_dict())
    assert learned.weights.weights() == pytest.approx({"label": 1.0, "kd": 2.0, "feature_hint": 0.5})
    grads = []
    for distiller in (fixed, learned):
        distiller(batch).loss.backward()
        grads.append(torch.cat([p.grad.flatten() for p in distiller.student.parameters()]))
    torch.testing.assert_close(*grads, rtol=1e-3, atol=1e-6)
    assert learned.weights.moved.grad.abs().min() > 0


def test_clips_without_a_label_teach_through_the_teacher_alone(batch):
    distiller = Distiller(*networks(), [Objective("kd"), HINT]).eval()
    some = {**batch, "labels": torch.tensor([0, -1, 2, -1, -1, 5])}
    known = torch.tensor([0, 2, 5])
    term = distiller(some).terms["label"]
    logits = distiller(batch).logits.mean(0)
    torch.testing.assert_close(term, torch.nn.functional.cross_entropy(logits[known], batch["labels"][known]))
    none = distiller({**batch, "labels": torch.full((6,), -1)})
    assert none.terms["label"].item() == 0
    torch.testing.assert_close(none.terms["kd"], distiller(batch).terms["kd"])
    none.loss.backward()
    assert not distiller.needs_labels


def test_sliding_shows_frames_at_first_and_events_at_last(batch):
    distiller = Distiller(*networks(), [Objective("kd")], sliding=1.0).train()
    seen = []
    run = distiller.student.run
    distiller.student.run = lambda x: seen.append(x) or run(x)
    distiller(batch, progress=0.0)
    distiller(batch, progress=1.0)
    distiller.eval()(batch, progress=0.0)
    assert not torch.equal(seen[0], batch["events"])
    assert torch.equal(seen[1], batch["events"])
    assert torch.equal(seen[2], batch["events"])


def test_the_cached_teacher_gives_the_same_loss(batch):
    torch.manual_seed(1)
    plain = Distiller(*networks(), [Objective("kd"), HINT]).train()
    cached = Distiller(*networks(), [Objective("kd"), HINT], cache_bytes=10**8).train()
    cached.terms.load_state_dict(plain.terms.state_dict())
    keyed = {**batch, "index": torch.arange(6), "seeds": torch.arange(6)}
    for _ in range(2):
        torch.testing.assert_close(cached(keyed).loss, plain(batch).loss)
    assert cached.cache.hits == 6
    with pytest.raises(ConfigError, match="batches need `index` and `seeds`"):
        cached(batch)


def test_nothing_to_learn_is_refused():
    with pytest.raises(ConfigError, match="there is nothing to learn"):
        Distiller(*networks(), [Objective("kd", 0.0)], label_weight=0.0)
    with pytest.raises(ConfigError, match="sliding: takes a power above zero"):
        Distiller(*networks(), [HINT], sliding=0.0)
