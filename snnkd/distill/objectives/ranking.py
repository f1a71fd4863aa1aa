"""Relaxed ranking distillation over classes (DE-RRD, Kang et al., CIKM 2020, arXiv 2012.04357)."""

from torch import Tensor

from snnkd.distill.objectives._logits import batch_mean, teacher_mean
from snnkd.distill.objectives._ranking import negative_log_likelihood
from snnkd.distill.objectives.term import LogitTerm


def ranking(student_logits: Tensor, teacher_logits: Tensor, *, ranks: int = 3) -> Tensor:
    r"""Put the classes into the teacher's order, as far as its first places go.

    .. math::

        \mathcal L = -\frac1B\sum_b \sum_{k \le n}\Big[s_k - \log\Big(\sum_{i \ge k} e^{s_i}\Big)\Big]

    with the student's logits, averaged over time, in the order :math:`s_1, s_2, \dots` of the teacher's. The sum over
    :math:`i \ge k` has those behind place *n*, whose order does not count, too: in the source it is written
    :math:`\sum_{k \le i \le n} e^{s_i} + \sum_u e^{s_u}`.

    Args:
        student_logits: ``(T, B, K)``.
        teacher_logits: ``(B, K)``, or ``(T, B, K)``, of which the mean over time is taken. No gradient reaches it.
        ranks: *n*, from 1 to *K* - 1.

    Raises:
        ValueError: shapes that do not fit, or ranks out of range.
    """
    teacher = teacher_mean(student_logits, teacher_logits)
    if not 1 <= ranks < teacher.shape[-1]:
        raise ValueError(f"ranks must be from 1 to {teacher.shape[-1] - 1}, got {ranks}")
    return batch_mean(negative_log_likelihood(student_logits.mean(0), teacher, ranks))


class Ranking(LogitTerm):
    """:func:`ranking` as a term."""

    name = "ranking"
    function = ranking
