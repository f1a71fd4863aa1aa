"""Learned maps from a student's feature to the shape of a teacher's."""

import math

from torch import nn


def make_projector(student: tuple[int, ...], teacher: tuple[int, ...]) -> nn.Module:
    r"""Return the map :math:`P` from ``(B, *student)`` to ``(B, *teacher)``.

    Maps ``(C, H, W)`` go through a 1×1 convolution; where their sizes differ, an adaptive average pooling before it
    brings the student's to the teacher's height and width. Vectors, and a map that teaches or is taught by a vector,
    go through a linear layer over everything.

    Raises:
        ValueError: a vector student for a map teacher.
    """
    if len(student) == len(teacher) == 3:
        convolution = nn.Conv2d(student[0], teacher[0], 1)
        if student[1:] == teacher[1:]:
            return convolution
        return nn.Sequential(nn.AdaptiveAvgPool2d((teacher[1], teacher[2])), convolution)
    if len(teacher) == 1:
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(student), teacher[0]))
    raise ValueError(f"a vector {student} cannot teach a map {teacher}")
