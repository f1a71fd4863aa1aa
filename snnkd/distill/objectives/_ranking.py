"""The likelihood of an order (Plackett and Luce), for the objectives that rank."""

from torch import Tensor


def negative_log_likelihood(student: Tensor, teacher: Tensor, ranks: int) -> Tensor:
    r"""Of the teacher's first places under the student's scores, both ``(B, N)``: ``(B,)``.

    :math:`-\sum_{k \le n} [s_k - \log \sum_{i \ge k} e^{s_i}]`, with a cumulative log-sum-exp from the last place on.
    Equal scores of the teacher are in the order in which they stand.
    """
    order = teacher.argsort(dim=-1, descending=True, stable=True)
    ranked = student.gather(-1, order)
    behind = ranked.flip(-1).logcumsumexp(-1).flip(-1)
    return (behind - ranked)[..., :ranks].sum(-1)
