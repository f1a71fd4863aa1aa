"""Objectives against NumPy in float64, and what every objective promises."""

import numpy as np
import pytest
import torch

from snnkd.distill.objectives import Shapes, View
from snnkd.distill.objectives.feature_hint import FeatureHint, feature_hint
from snnkd.distill.objectives.kd import kd
from snnkd.distill.projectors import make_projector


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_kd_is_its_formula():
    rng = np.random.default_rng(0)
    student, teacher, tau = rng.normal(size=(5, 4, 7)) * 3, rng.normal(size=(4, 7)) * 3, 2.5
    p, q = softmax(student.mean(0) / tau), softmax(teacher / tau)
    expected = tau**2 * (q * (np.log(q) - np.log(p))).sum(-1).mean()
    got = kd(torch.tensor(student), torch.tensor(teacher), temperature=tau)
    assert got.item() == pytest.approx(expected, rel=1e-12)


def test_feature_hint_is_its_formula():
    rng = np.random.default_rng(1)
    student, teacher = rng.normal(size=(3, 4, 5, 6)), rng.normal(size=(3, 4, 5, 6))
    got = feature_hint(torch.tensor(student), torch.tensor(teacher))
    assert got.item() == pytest.approx(((student - teacher) ** 2).mean(), rel=1e-12)


def test_a_relative_hint_is_the_share_of_variance_left_unexplained():
    rng = np.random.default_rng(2)
    student, teacher = rng.normal(size=(3, 8)), 5 + 3 * rng.normal(size=(3, 8))
    got = feature_hint(torch.tensor(student), torch.tensor(teacher), relative=True)
    assert got.item() == pytest.approx(((student - teacher) ** 2).mean() / teacher.var(), rel=1e-12)
    mean = torch.full((3, 8), teacher.mean(), dtype=torch.float64)
    assert feature_hint(mean, torch.tensor(teacher), relative=True).item() == pytest.approx(1, rel=1e-12)
    # A teacher that tells nothing apart is compared on a scale that stays finite.
    assert feature_hint(torch.ones(3, 8), torch.zeros(3, 8), relative=True).item() == pytest.approx(1000)


@pytest.mark.parametrize("relative", [False, True])
def test_a_hint_per_step_is_that_of_all_steps_together(relative):
    torch.manual_seed(0)
    term = FeatureHint(Shapes(7, (4, 3, 3), (5, 3, 3)), per_step=True, relative=relative)
    student, teacher = torch.randn(6, 2, 4, 3, 3), torch.randn(6, 2, 5, 3, 3)
    logits = torch.zeros(6, 2, 7)
    got = term(View(logits, logits, None, student, teacher))
    projected = torch.stack([term.projector(h) for h in student])
    expected = (projected - teacher).square().mean() / (teacher.var(correction=0) if relative else 1)
    torch.testing.assert_close(got, expected)
    # A teacher of one step teaches every step.
    one = term(View(logits, logits[:1], None, student, teacher[:1]))
    each = torch.stack([feature_hint(h, teacher[0], relative=relative) for h in projected])
    torch.testing.assert_close(one, each.mean())


def test_zero_where_both_agree():
    z = torch.randn(4, 7)
    assert kd(z.expand(3, 4, 7), z).item() == pytest.approx(0, abs=1e-6)
    assert kd(z.expand(3, 4, 7), z.expand(5, 4, 7)).item() == pytest.approx(0, abs=1e-6)
    assert feature_hint(z, z).item() == 0


def test_gradient_reaches_the_student_and_never_the_teacher():
    student, teacher = torch.randn(3, 4, 7, requires_grad=True), torch.randn(4, 7, requires_grad=True)
    kd(student, teacher).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None
    h, target = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8, requires_grad=True)
    feature_hint(h, target).backward()
    assert h.grad.abs().sum() > 0
    assert target.grad is None


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("scale", [0.0, 100.0])
def test_finite_where_numbers_are_extreme(steps, batch, scale):
    student = torch.full((steps, batch, 7), scale, requires_grad=True)
    teacher = torch.zeros(batch, 7)
    teacher[:, 0] = 100
    loss = kd(student, teacher, temperature=1.0) + feature_hint(student[0], teacher)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_the_batchs_order_does_not_matter():
    student, teacher, order = torch.randn(3, 6, 7), torch.randn(6, 7), torch.randperm(6)
    torch.testing.assert_close(kd(student, teacher), kd(student[:, order], teacher[order]))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="temperature must be above zero"):
        kd(torch.zeros(2, 3, 7), torch.zeros(3, 7), temperature=0)
    with pytest.raises(ValueError, match="student_logits must be"):  # teacher and student swapped
        kd(torch.zeros(3, 7), torch.zeros(2, 3, 7))
    with pytest.raises(ValueError, match="teacher_logits are"):
        kd(torch.zeros(2, 3, 7), torch.zeros(4, 7))
    with pytest.raises(ValueError, match="feature_hint needs equal shapes"):
        feature_hint(torch.zeros(3, 8), torch.zeros(3, 9))


def test_projectors_reach_the_teachers_shape():
    assert make_projector((4, 5, 6), (9, 5, 6))(torch.rand(2, 4, 5, 6)).shape == (2, 9, 5, 6)
    assert make_projector((4, 5, 6), (9, 3, 3))(torch.rand(2, 4, 5, 6)).shape == (2, 9, 3, 3)
    assert make_projector((4, 5, 6), (9,))(torch.rand(2, 4, 5, 6)).shape == (2, 9)
    with pytest.raises(ValueError, match="cannot teach a map"):
        make_projector((4,), (9, 6, 6))
