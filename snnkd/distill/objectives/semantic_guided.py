"""Semantic-guided feature distillation (SGFD, Liu et al. 2023, arXiv 2308.03113)."""

from torch import Tensor, nn
from torch.nn import functional

from snnkd.distill.objectives._logits import check_factor, check_labels, check_temperature
from snnkd.distill.objectives._relations import equal_shapes, unit, vectors
from snnkd.distill.objectives.term import Shapes, Term, View
from snnkd.distill.projectors import make_projector


def semantic_guided(
    student_features: Tensor,
    teacher_features: Tensor,
    labels: Tensor,
    classifier: Tensor,
    *,
    temperature: float = 2.0,
    feature_weight: float = 1.0,
) -> Tensor:
    r"""Features of both on the unit sphere, told apart by one classifier.

    .. math::

        \mathcal L = \mathrm{CE}(z_t, y) + \mathrm{CE}(z_s, y) + \|\sigma(\mathrm{sg}\,z_t/\tau) -
            \sigma(z_s/\tau)\|_1 + \lambda\,\|\hat h_s - \hat h_t\|^2, \qquad
        z = a\,W \hat h, \quad \hat h = h / \|h\|

    batch mean, with :math:`a = 10`: unit vectors alone could not make a classifier sure. The classifier *W* is shared;
    the first term teaches it alone, as the teacher's features carry no gradient. The student's own cross-entropy makes
    the shared classifier speak of its features as well, and is our reading.

    Args:
        student_features: projected to the teacher's shape, ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: of the same shape. No gradient reaches it.
        labels: ``(B,)``.
        classifier: *W*, ``(K, D)``.
        temperature: :math:`\tau > 0`.
        feature_weight: :math:`\lambda`, zero or above.

    Raises:
        ValueError: shapes that do not fit, labels or an option out of range.
    """
    check_temperature(temperature)
    check_factor(feature_weight=feature_weight)
    student, teacher = equal_shapes("semantic_guided", student_features, teacher_features)
    student, teacher = unit(vectors(student)), unit(vectors(teacher))
    if classifier.shape[1:] != student.shape[1:]:
        raise ValueError(f"classifier must be (K, {student.shape[1]}), got {tuple(classifier.shape)}")
    logits_s, logits_t = 10 * student @ classifier.T, 10 * teacher @ classifier.T
    check_labels(logits_s, labels)
    told = (logits_t.detach() / temperature).softmax(-1) - (logits_s / temperature).softmax(-1)
    return (
        functional.cross_entropy(logits_t, labels)
        + functional.cross_entropy(logits_s, labels)
        + told.abs().sum(-1).mean()
        + feature_weight * (student - teacher).square().sum(-1).mean()
    )


class SemanticGuided(Term):
    """:func:`semantic_guided` of a learned projection and a learned classifier.

    Args:
        shapes: of both features, and the number of classes.
        temperature, feature_weight: as of the function.
    """

    name = "semantic_guided"
    function = semantic_guided
    features = True
    labels = True

    def __init__(self, shapes: Shapes, temperature: float = 2.0, feature_weight: float = 1.0) -> None:
        super().__init__(shapes)
        assert shapes.student is not None
        assert shapes.teacher is not None
        check_temperature(temperature)
        check_factor(feature_weight=feature_weight)
        self.temperature, self.feature_weight = temperature, feature_weight
        self.projector = make_projector(shapes.student, shapes.teacher)
        width = 1
        for n in shapes.teacher:
            width *= n
        self.classifier = nn.Linear(width, shapes.classes, bias=False)

    def forward(self, view: View) -> Tensor:
        """The function of the means over time."""
        assert view.student_features is not None
        assert view.teacher_features is not None
        assert view.labels is not None
        return semantic_guided(
            self.projector(view.student_features.mean(0)),
            view.teacher_features.mean(0),
            view.labels,
            self.classifier.weight,
            temperature=self.temperature,
            feature_weight=self.feature_weight,
        )
