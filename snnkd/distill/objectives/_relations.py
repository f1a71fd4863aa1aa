"""What the objectives on features share: checked shapes, and relations between the samples of a batch.

Norms are taken so that neither they nor their gradients are infinite at zero: a student may be silent.
"""

import torch
from torch import Tensor

TINY = 1e-12


def vectors(features: Tensor) -> Tensor:
    """``(B, ...)`` as ``(B, D)``. Raises ``ValueError`` for what has no batch and features."""
    if features.ndim < 2:
        raise ValueError(f"features must be (B, D) or (B, C, H, W), got {tuple(features.shape)}")
    return features.flatten(1)


def equal_batches(name: str, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both as ``(B, D)``, the teacher's without gradient; ``ValueError`` where batches differ."""
    student, teacher = vectors(student), vectors(teacher.detach())
    if len(student) != len(teacher):
        raise ValueError(f"{name} needs features of one batch, got {len(student)} and {len(teacher)} samples")
    return student, teacher


def equal_shapes(name: str, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both as they are, the teacher's without gradient; ``ValueError`` where shapes differ."""
    if student.shape != teacher.shape:
        raise ValueError(
            f"{name} needs equal shapes, got {tuple(student.shape)} from the student's projector and "
            f"{tuple(teacher.shape)} from the teacher"
        )
    return student, teacher.detach()


def check_groups(features: Tensor, labels: Tensor) -> None:
    """Raise ``ValueError`` where labels are no ``(B,)`` whole numbers."""
    if labels.shape != features.shape[:1] or labels.is_floating_point():
        raise ValueError(f"labels must be {len(features)} whole numbers (B,), got {tuple(labels.shape)} {labels.dtype}")


def unit(x: Tensor) -> Tensor:
    """Vectors along the last axis at length one; one of length zero stays zero."""
    return x / (x.square().sum(-1, keepdim=True) + TINY).sqrt()


def cosines(x: Tensor) -> Tensor:
    """Cosine of each pair of ``(B, D)``: ``(B, B)``, zero for a vector of length zero."""
    u = unit(x)
    return u @ u.T


def distances(x: Tensor) -> Tensor:
    """Euclidean distance of each pair of ``(B, D)``: ``(B, B)``, by differences, which lose no digits."""
    return ((x.unsqueeze(0) - x.unsqueeze(1)).square().sum(-1) + TINY).sqrt()


def others(number: int, device: torch.device) -> Tensor:
    """True off the diagonal, ``(B, B)``."""
    return ~torch.eye(number, dtype=torch.bool, device=device)


def membership(labels: Tensor) -> Tensor:
    """Which sample is of which class that occurs, one column a class: ``(B, G)`` of 0 and 1."""
    return (labels.unsqueeze(1) == labels.unique().unsqueeze(0)).float()
