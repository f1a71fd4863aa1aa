"""Objectives on features against their formulas, in float64 NumPy, a pair at a time."""

import itertools
import math

import numpy as np
import pytest
import torch

from snnkd.distill.objectives import OBJECTIVES, Shapes, View
from snnkd.distill.objectives.blurred_feature import blurred_feature
from snnkd.distill.objectives.cka import cka
from snnkd.distill.objectives.contrastive import contrastive
from snnkd.distill.objectives.correlation import correlation, relation_codes
from snnkd.distill.objectives.distillation_experts import distillation_experts
from snnkd.distill.objectives.graph_enhanced import evidence_bound, graph_enhanced, nearest_neighbours
from snnkd.distill.objectives.hierarchical_topology import hierarchical_topology
from snnkd.distill.objectives.high_order import high_order
from snnkd.distill.objectives.relational import relational
from snnkd.distill.objectives.semantic_guided import semantic_guided
from snnkd.distill.objectives.similarity_ranking import similarity_ranking
from snnkd.distill.objectives.topology import topology

B, D, E = 6, 5, 7
PAIRS = list(itertools.permutations(range(B), 2))
LABELS = np.array([0, 2, 0, 1, 2, 0])


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    return rng.normal(size=(B, D)), rng.normal(size=(B, E))


@pytest.fixture
def equal():
    rng = np.random.default_rng(1)
    return rng.normal(size=(B, D)), rng.normal(size=(B, D))


def t(*arrays):
    return [torch.tensor(a) for a in arrays]


def cos(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def huber(a, b):
    d = abs(a - b)
    return 0.5 * d * d if d < 1 else d - 0.5


def test_cka(case):
    x, y = (a - a.mean(0) for a in case)
    expected = 1 - np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    assert cka(*t(*case)).item() == pytest.approx(expected, rel=1e-9)


def test_cka_does_not_see_rotation_scale_and_shift(case):
    x, _ = case
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(D, D)))[0]
    assert cka(*t(x, 3 * x @ rotation + 1)).item() == pytest.approx(0, abs=1e-9)
    assert cka(*t(*case)).item() == pytest.approx(cka(*t(7 * case[0] @ rotation - 2, case[1])).item())


def test_cka_compares_each_step_of_the_student(case):
    steps = torch.randn(3, B, D, dtype=torch.float64)
    teacher = torch.tensor(case[1])
    logits = torch.zeros(1, B, 7)
    term = OBJECTIVES["cka"](Shapes(7, (D,), (E,)))
    for taught in (teacher.expand(3, B, E), teacher[None]):
        got = term(View(logits, logits, None, steps, taught))
        assert got.item() == pytest.approx(np.mean([cka(h, teacher).item() for h in steps]))
    with pytest.raises(ValueError, match="per_step: the student has 3 steps and the teacher 2"):
        term(View(logits, logits, None, steps, teacher.expand(2, B, E)))


def test_relational(case):
    s, h = case

    def scaled(x):
        mean = np.mean([np.linalg.norm(x[i] - x[j]) for i, j in PAIRS])
        return {(i, j): np.linalg.norm(x[i] - x[j]) / mean for i, j in PAIRS}

    ds, dt = scaled(s), scaled(h)
    distance = np.mean([huber(ds[p], dt[p]) for p in PAIRS])
    angle = np.mean(
        [
            huber(cos(s[i] - s[j], s[k] - s[j]), cos(h[i] - h[j], h[k] - h[j]))
            for i, j, k in itertools.permutations(range(B), 3)
        ]
    )
    got = relational(*t(*case), distance_weight=2.0, angle_weight=3.0)
    assert got.item() == pytest.approx(2 * distance + 3 * angle, rel=1e-8)
    # Neither scale nor place of the features matters.
    assert relational(*t(5 * s + 1, h), distance_weight=2.0, angle_weight=3.0).item() == pytest.approx(got.item())
    assert relational(*t(s[:1], h[:1])).item() == 0
    assert relational(*t(s[:2], h[:2])).item() == pytest.approx(0)  # of one distance the mean is itself


def test_topology(case):
    s, h = case
    expected = np.mean([(cos(s[i], s[j]) - cos(h[i], h[j])) ** 2 for i in range(B) for j in range(B)])
    assert topology(*t(*case)).item() == pytest.approx(expected)


def test_hierarchical_topology(case):
    s, h = case
    same = [(i, j) for i in range(B) for j in range(B) if LABELS[i] == LABELS[j]]
    within = np.mean([(cos(s[i], s[j]) - cos(h[i], h[j])) ** 2 for i, j in same])
    ps, pt = ([x[g == LABELS].mean(0) for g in range(3)] for x in (s, h))
    among = np.mean([(cos(ps[a], ps[b]) - cos(pt[a], pt[b])) ** 2 for a in range(3) for b in range(3)])
    got = hierarchical_topology(*t(*case), torch.tensor(LABELS))
    assert got.item() == pytest.approx(within + among)


def test_contrastive(equal):
    s, h = equal
    expected = -np.mean([math.log(softmax(np.array([cos(s[i], h[j]) / 0.2 for j in range(B)]))[i]) for i in range(B)])
    assert contrastive(*t(*equal), temperature=0.2).item() == pytest.approx(expected)
    # By hand: two samples at right angles, each on its own: log(1 + e^(-1/τ)).
    eye = torch.eye(2, dtype=torch.float64)
    assert contrastive(eye, eye, temperature=0.5).item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_high_order_by_explicit_matrices(equal):
    s, h = equal
    incidence = np.array([[float(y == e) for e in range(3)] for y in LABELS])
    smooth = np.linalg.inv(np.diag(incidence.sum(1))) @ incidence @ np.linalg.inv(np.diag(incidence.sum(0)))
    expected = ((s - smooth @ incidence.T @ h) ** 2).mean()
    assert high_order(*t(*equal), torch.tensor(LABELS)).item() == pytest.approx(expected)


@pytest.mark.parametrize("ranks", [1, 2, 99])
def test_similarity_ranking(case, ranks):
    s, h = case
    expected = 0.0
    for b in range(B):
        rest = sorted((j for j in range(B) if j != b), key=lambda j: -cos(h[b], h[j]))
        scores = np.array([4 * cos(s[b], s[j]) for j in rest])
        for k in range(min(ranks, B - 1)):
            expected -= (scores[k] - math.log(np.exp(scores[k:]).sum())) / B
    assert similarity_ranking(*t(*case), ranks=ranks, scale=4.0).item() == pytest.approx(expected)


def test_blurred_feature(equal):
    s, h = equal
    peaks = np.array([2.0, 1.0, 0.0, 3.0, 1.0, 1.0])
    target = np.stack([h[b] * peaks[b] / np.abs(h[b]).max() for b in range(B)])
    got = blurred_feature(*t(s, h, peaks), alpha=0.5)
    assert got.item() == pytest.approx(0.5 * ((s - target) ** 2).mean())


def test_blurring_drops_whole_channels_in_training_alone():
    torch.manual_seed(0)
    term = OBJECTIVES["blurred_feature"](Shapes(7, (3, 4, 4), (8, 4, 4)), drop=0.5)
    seen = []
    term.restore.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    view = View(torch.zeros(2, 5, 7), torch.zeros(2, 5, 7), None, torch.rand(2, 5, 3, 4, 4), torch.rand(2, 5, 8, 4, 4))
    term(view)
    term.eval()(view)
    dropped = (seen[0] == 0).flatten(2)
    assert torch.equal(dropped.all(-1), dropped.any(-1))
    assert 0.25 < dropped.float().mean() < 0.75
    assert not (seen[1] == 0).flatten(2).all(-1).any()


def test_distillation_experts(case):
    _, h = case
    rng = np.random.default_rng(3)
    answers, gates = rng.normal(size=(B, 3, E)), np.array([softmax(z) for z in rng.normal(size=(B, 3))])
    expected = np.mean([((h[b] - gates[b] @ answers[b]) ** 2).mean() for b in range(B)])
    assert distillation_experts(*t(answers, h, gates)).item() == pytest.approx(expected)


def test_experts_are_chosen_ever_more_sharply():
    torch.manual_seed(0)
    term = OBJECTIVES["distillation_experts"](Shapes(7, (D,), (E,)), temperature=2.0, coldest=0.05).eval()
    h = torch.randn(40, E)
    expected = (term.gate(h).log_softmax(-1) / 2.0).softmax(-1)
    torch.testing.assert_close(term.gates(h, 0.0), expected)
    sharp = [term.gates(h, p).amax(-1).mean().item() for p in (0.0, 0.5, 1.0)]
    assert sharp[0] < sharp[1] < sharp[2]
    assert torch.equal(term.gates(h, 0.5), term.gates(h, 0.5))
    assert not torch.equal(term.train().gates(h, 0.5), term.gates(h, 0.5))


def test_correlation(case):
    s, h = case
    gap = [[math.exp(cos(s[i], s[j]) / 1.5) - math.exp(cos(h[i], h[j]) / 1.5) for j in range(B)] for i in range(B)]
    assert correlation(*t(*case)).item() == pytest.approx(np.linalg.norm(gap) / B)


def test_relation_codes_are_cosines_in_subspaces():
    rng = np.random.default_rng(4)
    h = rng.normal(size=(B, 11))  # three parts of three; two entries are left out
    got = relation_codes(torch.tensor(h), 3, 4).numpy()
    h = h - h.mean(0)
    for i, j in PAIRS:
        for m in range(3):
            part = slice(3 * m, 3 * m + 3)
            assert got[i, j, m] == min(3, int((cos(h[i, part], h[j, part]) + 1) / 2 * 4))


def test_features_that_are_never_below_zero_use_every_code():
    torch.manual_seed(0)
    codes = relation_codes(torch.randn(64, 32).relu(), 4, 4)
    assert (codes.flatten().bincount(minlength=4) > 0.02 * codes.numel()).all()


def test_relations_can_be_learned_to_be_predicted():
    """The dissected part falls where the student's differences tell the teacher's codes."""
    torch.manual_seed(0)
    term = OBJECTIVES["correlation"](Shapes(7, (8,), (8,)), subspaces=2)
    h = torch.randn(1, 24, 8)
    view = View(torch.zeros(1, 24, 7), torch.zeros(1, 24, 7), None, h, h)
    optimiser = torch.optim.Adam(term.slow_parameters(), 0.01)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        loss = term(view)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert {id(p) for p in term.slow_parameters()} == {id(p) for p in term.parameters()}
    assert losses[-1] < 0.6 * losses[0]


def test_semantic_guided(equal):
    s, h = equal
    rng = np.random.default_rng(5)
    w = rng.normal(size=(4, D))
    labels = np.array([0, 3, 1, 1, 2, 0])
    parts = []
    for b in range(B):
        us, ut = s[b] / np.linalg.norm(s[b]), h[b] / np.linalg.norm(h[b])
        zs, zt = 10 * w @ us, 10 * w @ ut
        parts.append(
            -math.log(softmax(zt)[labels[b]])
            - math.log(softmax(zs)[labels[b]])
            + np.abs(softmax(zt / 2) - softmax(zs / 2)).sum()
            + 0.5 * ((us - ut) ** 2).sum()
        )
    got = semantic_guided(*t(s, h, labels, w), feature_weight=0.5)
    assert got.item() == pytest.approx(np.mean(parts))


def test_the_shared_classifier_learns_from_both():
    torch.manual_seed(0)
    term = OBJECTIVES["semantic_guided"](Shapes(7, (D,), (E,)))
    labels = torch.arange(7)
    student, teacher = torch.randn(2, 7, D), torch.randn(3, 7, E)
    term(View(torch.zeros(2, 7, 7), torch.zeros(3, 7, 7), labels, student, teacher)).backward()
    assert term.classifier.weight.grad.abs().sum() > 0
    assert term.projector[1].weight.grad.abs().sum() > 0


def test_the_neighbours_graph_is_that_of_the_largest_cosines(case):
    _, h = case
    got = nearest_neighbours(torch.tensor(h), 2).numpy()
    for i, j in PAIRS:
        near = [sorted((k for k in range(B) if k != a), key=lambda k, a=a: -cos(h[a], h[k]))[:2] for a in (i, j)]
        assert got[i, j] == float(j in near[0] or i in near[1])
    assert not got.diagonal().any()


def test_graph_enhanced(case):
    s, _ = case
    rng = np.random.default_rng(6)
    edges = rng.random((B, B))
    total = []
    for i, j in PAIRS:
        p = 1 / (1 + math.exp(-3 * cos(s[i], s[j]) + 1.5))
        total.append(-edges[i, j] * math.log(p) - (1 - edges[i, j]) * math.log(1 - p))
    assert graph_enhanced(*t(s, edges), -1.5, sharpness=3.0).item() == pytest.approx(np.mean(total))


def test_firing_rates_can_say_that_there_is_no_edge():
    """With the bias learned, features that are never below zero come near a graph of three groups."""
    torch.manual_seed(0)
    term = OBJECTIVES["graph_enhanced"](Shapes(7, (16,), (8,)))
    group = torch.arange(24) % 3
    edges = (group[:, None] == group[None]).float()
    free = torch.rand(24, 16, requires_grad=True)
    optimiser = torch.optim.Adam([free, term.bias], 0.05)
    for _ in range(300):
        optimiser.zero_grad()
        graph_enhanced(free.relu(), edges, term.bias).backward()
        optimiser.step()
    assert graph_enhanced(free.relu(), edges, term.bias).item() < 0.2  # 0.5 and more without a bias


def test_the_evidence_bound():
    rng = np.random.default_rng(7)
    z, mean, deviation = rng.normal(size=(B, 3)), rng.normal(size=(B, 3)), rng.normal(size=(B, 3)) * 0.3
    adjacency = np.triu(rng.random((B, B)) < 0.4, 1).astype(float)
    adjacency += adjacency.T
    edges = adjacency.sum()
    fit = []
    for i, j in PAIRS:
        p = 1 / (1 + math.exp(-(z[i] @ z[j])))
        weight = (len(PAIRS) - edges) / edges if adjacency[i, j] else 1
        fit.append(-weight * (adjacency[i, j] * math.log(p) + (1 - adjacency[i, j]) * math.log(1 - p)))
    # KL of N(μ, σ²) from N(0, 1)
    divergence = 0.5 * (mean**2 + np.exp(2 * deviation) - 2 * deviation - 1).sum()
    got = evidence_bound(*t(z @ z.T, adjacency, mean, deviation))
    assert got.item() == pytest.approx(np.mean(fit) + divergence / B**2)


def test_the_auto_encoder_learns_the_graph():
    torch.manual_seed(0)
    term = OBJECTIVES["graph_enhanced"](Shapes(7, (8,), (8,)), neighbours=4)
    groups = torch.randn(3, 8)[torch.arange(24) % 3] + 0.3 * torch.randn(24, 8)
    view = View(torch.zeros(1, 24, 7), torch.zeros(1, 24, 7), None, torch.randn(1, 24, 8), groups[None])
    optimiser = torch.optim.Adam(term.parameters(), 0.01)
    for _ in range(300):
        optimiser.zero_grad()
        term(view).backward()
        optimiser.step()
    term.eval()
    with torch.no_grad():
        mean, _ = term.encode(groups, nearest_neighbours(groups, 4))
        edges = (mean @ mean.T).sigmoid()
    same = (torch.arange(24) % 3)[:, None] == (torch.arange(24) % 3)[None]
    off = ~torch.eye(24, dtype=torch.bool)
    assert edges[same & off].mean() > edges[~same].mean() + 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cka(torch.zeros(3, 4), torch.zeros(2, 4)), "cka needs features of one batch, got 3 and 2"),
        (lambda: contrastive(torch.zeros(3, 4), torch.zeros(3, 5)), "contrastive needs equal shapes"),
        (
            lambda: high_order(torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(2, dtype=torch.long)),
            "labels must be 3",
        ),
        (lambda: graph_enhanced(torch.zeros(3, 4), torch.zeros(2, 2)), r"edges must be \(3, 3\)"),
        (lambda: OBJECTIVES["correlation"](Shapes(7, (4,), (4,)), subspaces=5), "subspaces must be from 1 to 4"),
        (lambda: OBJECTIVES["blurred_feature"](Shapes(7, (4,), (4,)), drop=1.0), "drop must be from 0 to below 1"),
        (lambda: OBJECTIVES["distillation_experts"](Shapes(7, (4,), (4,)), experts=0), "experts and hidden must be 1"),
        (lambda: topology(torch.zeros(3), torch.zeros(3)), r"features must be \(B, D\) or \(B, C, H, W\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
