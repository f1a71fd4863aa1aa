"""Objectives on logits against their formulas, in float64 NumPy, a sample and a step at a time."""

import math

import numpy as np
import pytest
import torch

from snnkd.distill.objectives.dkd import dkd
from snnkd.distill.objectives.hit_consistency import hit_consistency
from snnkd.distill.objectives.modality_sliding import frames_as_events, modality_sliding
from snnkd.distill.objectives.ranking import ranking
from snnkd.distill.objectives.selective_alignment import selective_alignment
from snnkd.distill.objectives.temporal_consistency import temporal_consistency
from snnkd.distill.objectives.temporal_decoupled import temporal_decoupled
from snnkd.distill.objectives.wsld import wsld

T, B, K = 4, 6, 5
TAU = 2.0


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def kd(a, b, tau=TAU):
    """KD(a, b) of one sample: the teacher b teaches a."""
    p, q = softmax(a / tau), softmax(b / tau)
    return tau**2 * sum(q[k] * (math.log(q[k]) - math.log(p[k])) for k in range(len(q)))


def ce(z, y):
    return -math.log(softmax(z)[y])


@pytest.fixture(params=[0, 1])
def case(request):
    rng = np.random.default_rng(request.param)
    student, teacher = rng.normal(size=(T, B, K)) * 2, rng.normal(size=(T, B, K)) * 2
    labels = rng.integers(0, K, B)
    # Both hits and misses of the teacher, and a sample without a right step of the student.
    teacher[:, 0, labels[0]] += 8
    teacher[:, 1, labels[1]] -= 8
    student[:, 2, labels[2]] -= 20
    return student, teacher, labels


def tensors(*arrays):
    return [torch.tensor(a) for a in arrays]


def test_hit_consistency(case):
    student, teacher, labels = case
    zs, zt = student.mean(0), teacher.mean(0)
    hits = [zt[b].argmax() == labels[b] for b in range(B)]
    assert any(hits)
    assert not all(hits)
    expected = np.mean([kd(zs[b], zt[b]) if hits[b] else ce(zs[b], labels[b]) for b in range(B)])
    assert hit_consistency(*tensors(*case), temperature=TAU).item() == pytest.approx(expected, rel=1e-10)


def test_temporal_consistency(case):
    student, teacher, _ = case
    follow = np.mean([kd(student[t, b], teacher[t, b]) for t in range(T) for b in range(B)])
    agree = np.mean([kd(student[t, b], student[t:, b].mean(0)) for t in range(T) for b in range(B)])
    got = temporal_consistency(*tensors(student, teacher), temperature=TAU, consensus=0.7)
    assert got.item() == pytest.approx(follow + 0.7 * agree, rel=1e-10)
    # A teacher of other steps, or of none, teaches its mean.
    mean = np.mean([kd(student[t, b], teacher.mean(0)[b]) for t in range(T) for b in range(B)])
    for other in (teacher.mean(0), np.concatenate([teacher, teacher])):
        got = temporal_consistency(*tensors(student, other), temperature=TAU, consensus=0.0)
        assert got.item() == pytest.approx(mean, rel=1e-10)


def test_temporal_decoupled(case):
    student, teacher, labels = case
    parts = np.zeros(3)
    masked = 0
    for b in range(B):
        right = [student[t, b] for t in range(T) if student[t, b].argmax() == labels[b]]
        masked += not right
        for t in range(T):
            parts[0] += ce(student[t, b], labels[b]) / (T * B)
            parts[1] += kd(student[t, b], teacher[t, b]) / (T * B)
            if right:
                parts[2] += kd(student[t, b], np.mean(right, 0)) / (T * B)
    assert 1 <= masked < B
    got = temporal_decoupled(*tensors(*case), temperature=TAU, alpha=0.3, beta=0.6)
    assert got.item() == pytest.approx(parts @ [1, 0.3, 0.6], rel=1e-10)


def test_selective_alignment(case):
    student, teacher, labels = case
    taught = aligned = 0.0
    for b in range(B):
        for i in range(T):
            z, target, told = student[i, b], teacher[i, b].copy(), student[i, b].argmax()
            if told != labels[b]:
                target[told] = max(target[told], target[labels[b]])
            taught += kd(z, target) / (T * B)
            scores, others = [], [j for j in range(T) if j != i]
            for j in others:
                other, p = student[j, b], softmax(student[j, b])
                sure = 1 + (p * np.log(p)).sum() / math.log(K)
                scores.append(sure * z @ other / np.linalg.norm(z) / np.linalg.norm(other))
            weights = softmax(np.array(scores))
            aligned += kd(z, sum(w * student[j, b] for w, j in zip(weights, others, strict=True))) / (T * B)
    got = selective_alignment(*tensors(*case), temperature=TAU, alpha=0.5, beta=0.25)
    assert got.item() == pytest.approx(0.5 * taught + 0.25 * aligned, rel=1e-10)


def test_dkd(case):
    student, teacher, labels = case
    expected = []
    for b in range(B):
        p, q = softmax(student.mean(0)[b] / TAU), softmax(teacher.mean(0)[b] / TAU)
        y = labels[b]
        target = q[y] * math.log(q[y] / p[y]) + (1 - q[y]) * math.log((1 - q[y]) / (1 - p[y]))
        rest = sum(q[k] / (1 - q[y]) * math.log(q[k] / (1 - q[y]) / (p[k] / (1 - p[y]))) for k in range(K) if k != y)
        expected.append(TAU**2 * (1.5 * target + 3 * rest))
    assert dkd(*tensors(*case), temperature=TAU, alpha=1.5, beta=3.0).item() == pytest.approx(np.mean(expected))


def test_dkd_with_the_teachers_own_weight_is_plain_distillation(case):
    """KL = KL(b) + (1 - p_y)·KL(rest): with one sample, beta = 1 - p_y of the teacher gives kd."""
    student, teacher, labels = case
    for b in range(B):
        q = softmax(teacher.mean(0)[b] / TAU)
        one = [torch.tensor(a[:, b : b + 1]) for a in (student, teacher)]
        got = dkd(*one, torch.tensor(labels[b : b + 1]), temperature=TAU, beta=1 - q[labels[b]])
        assert got.item() == pytest.approx(kd(student.mean(0)[b], teacher.mean(0)[b]), rel=1e-9)


def test_wsld(case):
    student, teacher, labels = case
    expected = []
    for b in range(B):
        zs, zt = student.mean(0)[b], teacher.mean(0)[b]
        soft = -sum(softmax(zt / TAU)[k] * math.log(softmax(zs / TAU)[k]) for k in range(K))
        ratio = ce(zs, labels[b]) / max(ce(zt, labels[b]), 1e-6)
        expected.append(TAU**2 * (1 - math.exp(-ratio)) * soft)
    assert wsld(*tensors(*case), temperature=TAU).item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("ranks", [1, 3])
def test_ranking(case, ranks):
    student, teacher, _ = case
    expected = 0.0
    for b in range(B):
        order = np.argsort(-teacher.mean(0)[b])
        s = student.mean(0)[b][order]
        expected -= sum(s[k] - math.log(np.exp(s[k:]).sum()) for k in range(ranks)) / B
    assert ranking(*tensors(student, teacher), ranks=ranks).item() == pytest.approx(expected)


def test_ranking_is_least_where_the_order_is_the_teachers():
    teacher = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    right, wrong = 5 * teacher, 5 * teacher.flip(-1)
    assert ranking(right[None], teacher) < 0.05
    assert ranking(wrong[None], teacher) > 10


def test_sliding_replaces_more_clips_as_training_goes_on():
    source, events = torch.zeros(3, 4, 2, 5, 5), torch.ones(3, 4, 2, 5, 5)
    u = torch.tensor([0.05, 0.3, 0.6, 0.99])

    def replaced(progress, power):
        got = modality_sliding(source, events, progress, power=power, uniforms=u)
        assert set(got.unique().tolist()) <= {0.0, 1.0}
        return got.mean((0, 2, 3, 4)).tolist()

    assert replaced(0.0, 1.0) == [0, 0, 0, 0]
    assert replaced(0.5, 1.0) == [1, 1, 0, 0]
    assert replaced(0.5, 3.0) == [1, 0, 0, 0]  # 0.125
    assert replaced(1.0, 3.0) == [1, 1, 1, 1]
    torch.manual_seed(0)
    drawn = torch.stack([modality_sliding(source, events, 0.3)[0, :, 0, 0, 0] for _ in range(500)])
    assert drawn.mean().item() == pytest.approx(0.3, abs=0.04)
    with pytest.raises(ValueError, match="one shape"):
        modality_sliding(source[:, :1], events, 0.5)
    with pytest.raises(ValueError, match="power must be above zero"):
        modality_sliding(source, events, 0.5, power=0.0)


def test_frames_become_counts_of_log_change():
    levels = np.array([0.1, 0.4, 0.4, 0.05])
    frames = torch.tensor(levels).reshape(4, 1, 1, 1, 1)
    change = np.diff(np.log(levels + 0.05), prepend=np.log(0.15)) / 0.2
    got = frames_as_events(frames)[:, 0, :, 0, 0].numpy()
    np.testing.assert_array_equal(got[:, 0], np.floor(np.maximum(-change, 0)))
    np.testing.assert_array_equal(got[:, 1], np.floor(np.maximum(change, 0)))
    with pytest.raises(ValueError, match=r"frames must be \(T, B, 1, H, W\)"):
        frames_as_events(torch.zeros(3, 2, 2, 4, 4))
