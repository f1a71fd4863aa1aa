"""What every objective promises, whatever it computes: found by the registry, so a new one is held to it too."""

import inspect

import pytest
import torch

from snnkd.distill.objectives import OBJECTIVES, Shapes, View

K = 7
KINDS = {"map": ((6, 4, 4), (5, 4, 4)), "vector": ((12,), (9,)), "map to vector": ((6, 4, 4), (9,))}
CASES = [(name, kind) for name, term in OBJECTIVES.items() for kind in (KINDS if term.features else ["none"])]


def build(name, kind, seed=0):
    torch.manual_seed(seed)
    shapes = KINDS.get(kind, (None, None))
    return OBJECTIVES[name](Shapes(K, *shapes))


def view(kind, steps=3, batch=8, scale=1.0, seed=0, taught=None):
    generator = torch.Generator().manual_seed(seed)

    def drawn(shape, *lead):
        return scale * torch.randn(*lead, *shape, generator=generator)

    shapes = KINDS.get(kind, (None, None))
    features = [None if shape is None else drawn(shape, steps, batch) for shape in shapes]
    labels = torch.randint(K, (batch,), generator=generator)
    return View(drawn((K,), steps, batch), drawn((K,), taught or steps, batch), labels, *features, 0.5)


def leaf(tensor):
    return None if tensor is None else tensor.clone().requires_grad_()


def with_gradients(v):
    return View(
        leaf(v.student_logits),
        leaf(v.teacher_logits),
        v.labels,
        leaf(v.student_features),
        leaf(v.teacher_features),
        v.progress,
    )


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradient_reaches_the_student_and_what_learns_and_never_the_teacher(name, kind):
    term, v = build(name, kind), with_gradients(view(kind))
    loss = term(v)
    assert loss.ndim == 0
    loss.backward()
    if OBJECTIVES[name].features:
        assert v.student_features.grad.abs().sum() > 0
        assert v.teacher_features.grad is None
    else:
        assert v.student_logits.grad.abs().sum() > 0
    assert v.teacher_logits.grad is None
    for part, parameter in term.named_parameters():
        assert parameter.grad is not None, part
        assert parameter.grad.abs().sum() > 0, part


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_batchs_order_does_not_matter(name, kind):
    term, v = build(name, kind).double().eval(), view(kind)
    v = View(*(x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in vars(v).values()))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(term(v), term(v.of(order)), rtol=1e-9, atol=1e-9)


EXTREMES = {
    "silent student": lambda v: {"student_logits": 0 * v.student_logits, "student_features": 0},
    "silent both": lambda v: {"student_features": 0, "teacher_features": 0},
    "large logits": lambda v: {
        "student_logits": 100 * v.student_logits.sign(),
        "teacher_logits": 100 * v.teacher_logits.sign(),
    },
    "large features": lambda v: {"student_features": 100, "teacher_features": 100},
    "all samples alike": lambda v: {"student_features": "alike", "teacher_features": "alike"},
    "one class": lambda v: {"labels": torch.zeros_like(v.labels)},
    "no correct step": lambda v: {"labels": v.student_logits.sum(0).argmin(-1)},
}


def extreme(v, changes):
    values = dict(vars(v))
    for key, change in changes.items():
        if not isinstance(change, torch.Tensor):
            given = values[key]
            if given is None:
                continue
            change = given[:, :1].expand_as(given) if change == "alike" else change * given
        values[key] = change
    return View(**values)


@pytest.mark.parametrize("what", EXTREMES)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_value_and_gradient_stay_finite(name, kind, what):
    for steps, batch in ((3, 8), (1, 8), (3, 1), (1, 1), (3, 2)):
        term, v = build(name, kind), view(kind, steps, batch)
        v = with_gradients(extreme(v, EXTREMES[what](v)))
        loss = term(v)
        assert loss.isfinite(), (steps, batch)
        loss.backward()
        grads = [v.student_logits.grad, None if v.student_features is None else v.student_features.grad]
        for grad in [g for g in grads if g is not None] + [p.grad for p in term.parameters() if p.grad is not None]:
            assert grad.isfinite().all(), (steps, batch)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_teacher_may_have_other_steps(name, kind):
    options = {"per_step": False} if "per_step" in OBJECTIVES[name].options() else {}
    shapes = KINDS.get(kind, (None, None))
    term = OBJECTIVES[name](Shapes(K, *shapes), **options)
    v, other = view(kind), view(kind, steps=5, seed=1)
    mixed = View(v.student_logits, other.teacher_logits, v.labels, v.student_features, other.teacher_features, 0.5)
    assert term(mixed).isfinite()


@pytest.mark.parametrize("name", [name for name, term in OBJECTIVES.items() if not term.features])
def test_swapped_networks_are_noticed(name):
    function = OBJECTIVES[name].function
    labels = (torch.zeros(4, dtype=torch.long),) if OBJECTIVES[name].labels else ()
    with pytest.raises(ValueError, match="student_logits must be"):
        function(torch.zeros(4, K), torch.zeros(3, 4, K), *labels)
    with pytest.raises(ValueError, match="teacher_logits are"):
        function(torch.zeros(3, 4, K), torch.zeros(4, K + 1), *labels)
    if labels:
        with pytest.raises(ValueError, match="labels must be from 0 to 6"):
            function(torch.zeros(3, 4, K), torch.zeros(4, K), labels[0] - 1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_documented(name):
    term = OBJECTIVES[name]
    assert term.name == name == term.function.__name__
    assert inspect.getmodule(term).__name__.endswith(f".{name}")
    text = inspect.getdoc(term.function)
    assert ".. math::" in text
    assert "Args:" in text
    assert "Raises:" in text
    told = text + inspect.getdoc(term) + (inspect.getdoc(term.__mro__[1]) or "")
    for option in term.options():
        assert option in told, option


@pytest.mark.parametrize("name", [name for name, term in OBJECTIVES.items() if "temperature" in term.options()])
def test_a_temperature_of_zero_is_refused(name):
    term = OBJECTIVES[name]
    shapes = KINDS["vector"] if term.features else (None, None)
    with pytest.raises(ValueError, match="temperature"):
        term(Shapes(K, *shapes), temperature=0.0)(view("vector" if term.features else "none"))
