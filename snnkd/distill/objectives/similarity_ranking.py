"""Relaxed ranking distillation over the samples of a batch (DE-RRD, Kang et al., CIKM 2020, arXiv 2012.04357)."""

import torch
from torch import Tensor

from snnkd.distill.objectives._logits import batch_mean, zero
from snnkd.distill.objectives._ranking import negative_log_likelihood
from snnkd.distill.objectives._relations import cosines, equal_batches, others
from snnkd.distill.objectives.term import FeatureTerm


def similarity_ranking(
    student_features: Tensor, teacher_features: Tensor, *, ranks: int = 3, scale: float = 10.0
) -> Tensor:
    r"""Put the other samples of the batch into the order in which the teacher finds them alike to each.

    .. math::

        \mathcal L = -\frac1B\sum_b \sum_{k \le n}\Big[s_{bk} - \log\Big(\sum_{i \ge k} e^{s_{bi}}\Big)\Big],
        \qquad s_{bj} = a \cos(h^s_b, h^s_j), \; j \ne b

    in the order of the teacher's cosines: :func:`~snnkd.distill.objectives.ranking.ranking` with samples for classes.
    Widths need not be equal, so no projector is learned. A batch of fewer than three has no order and gives zero.

    Args:
        student_features: ``(B, D)`` or ``(B, C, H, W)``.
        teacher_features: ``(B, D')`` or ``(B, C', H', W')``. No gradient reaches it.
        ranks: *n*, 1 or more; no more than there are others.
        scale: *a* > 0: cosines lie between -1 and 1, which alone would leave all orders nearly as likely.

    Raises:
        ValueError: batches of different sizes, or an option out of range.
    """
    if ranks < 1 or not scale > 0:
        raise ValueError(f"ranks must be 1 or more and scale above zero, got {ranks} and {scale}")
    student, teacher = equal_batches("similarity_ranking", student_features, teacher_features)
    number = len(student)
    if number < 3:
        return zero(student)
    rest = others(number, student.device)
    alike_s, alike_t = (torch.masked_select(cosines(x), rest).view(number, number - 1) for x in (student, teacher))
    return batch_mean(negative_log_likelihood(scale * alike_s, alike_t, min(ranks, number - 1)))


class SimilarityRanking(FeatureTerm):
    """:func:`similarity_ranking` of the features as they are."""

    name = "similarity_ranking"
    function = similarity_ranking
    projects = False
