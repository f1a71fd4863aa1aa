"""Feature hints (FitNets, Romero et al. 2015, arXiv 1412.6550; for spikes, KDSNN, Xu et al. 2023)."""

from torch import Tensor, nn
from torch.nn import functional


def feature_hint(student_features: Tensor, teacher_features: Tensor) -> Tensor:
    r"""Mean squared distance of the projected student features to the teacher's.

    .. math::

        \mathcal L = \tfrac1N \| P(h_s) - h_t \|^2

    with :math:`P(h_s)` given as ``student_features`` (see :class:`Projector`) and *N* the number of entries.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``, projected to the teacher's shape.
        teacher_features: of the same shape. No gradient reaches it.

    Raises:
        ValueError: shapes that differ.
    """
    if student_features.shape != teacher_features.shape:
        raise ValueError(
            f"feature_hint needs equal shapes, got {tuple(student_features.shape)} from the student's projector "
            f"and {tuple(teacher_features.shape)} from the teacher"
        )
    return functional.mse_loss(student_features, teacher_features.detach())


class Projector(nn.Module):
    r"""The map :math:`P` from time-averaged student features to the teacher's shape.

    A 1×1 convolution for maps ``(C, H, W)`` of one height and width, a linear layer for vectors ``(D,)``; a map is
    flattened when the teacher's feature is a vector.

    Raises:
        ValueError: at construction, where no such map exists.
    """

    def __init__(self, student_shape: tuple[int, ...], teacher_shape: tuple[int, ...]) -> None:
        super().__init__()
        if len(student_shape) == len(teacher_shape) == 3:
            if student_shape[1:] != teacher_shape[1:]:
                raise ValueError(f"feature maps differ in size: {student_shape} and {teacher_shape}")
            self.map: nn.Module = nn.Conv2d(student_shape[0], teacher_shape[0], 1)
        elif len(teacher_shape) == 1:
            width = 1
            for n in student_shape:
                width *= n
            self.map = nn.Sequential(nn.Flatten(), nn.Linear(width, teacher_shape[0]))
        else:
            raise ValueError(f"a vector {student_shape} cannot teach a map {teacher_shape}")

    def forward(self, features: Tensor) -> Tensor:
        """``(T, B, ...)`` student features to the teacher's ``(B, ...)``: mean over time, then the map."""
        return self.map(features.mean(0))
