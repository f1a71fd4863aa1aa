r"""How many weights an input meets, and sums over inputs that stay exact.

A linear operator :math:`y = Wx` makes input *i* meet as many weights as its column has nonzeros. With
:math:`M = [W \ne 0]` and a one for every output, the adjoint tells them all,

.. math:: f = M^\top \mathbf 1, \qquad \mathrm{SOP} = \sum_i [x_i \ne 0]\, f_i

for a convolution of any stride, padding, dilation and groups, transposed or not, at its borders and with pruned
weights. So counting costs one dot product with the input.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

EXACT = 2**24
"""Up to here float32 holds every whole number"""


def of_convolution(
    shape: Sequence[int],
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Return the fan-out of each entry of one image: ``shape`` is ``(N, C, ...)``, the result ``(C, ...)``.

    Border values that padding puts in are no inputs and meet nothing.
    """
    mask = (weight != 0).float()
    image = torch.zeros(1, *shape[1:], device=weight.device)
    settings = (list(stride), list(padding), list(dilation), transposed, list(output_padding), groups)
    outputs = torch.ops.aten.convolution(image, mask, None, *settings)
    gradient = torch.ops.aten.convolution_backward(
        torch.ones_like(outputs), image, mask, None, *settings, [True, False, False]
    )[0]
    return gradient[0].round()  # the fast convolutions of some libraries are off by less than a half


def of_matrix(weight: Tensor) -> Tensor:
    """Return the fan-out ``(K,)`` of the inputs of ``x (…, K) @ weight (K, M)``."""
    return (weight != 0).sum(1).float()


def weigh(x: Tensor, fan_out: Tensor, largest: float = 1.0) -> Tensor:
    r"""Return :math:`\sum_i x_i f_i` of each row: ``x (N, ...)`` of whole numbers, float64 ``(N,)``, exactly.

    Args:
        x: whole numbers from 0 to ``largest``, float32.
        fan_out: ``(...)``, whole numbers, of the shape of a row.
        largest: bound on ``x``.
    """
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        x, fan_out = x.permute(0, 2, 3, 1), fan_out.permute(1, 2, 0)
    rows, f = x.reshape(len(x), -1), fan_out.reshape(-1)
    total = torch.zeros(len(rows), dtype=torch.float64, device=x.device)
    most = max(float(f.max()) if f.numel() else 0.0, 1.0) * max(largest, 1.0)
    length = int(EXACT // most)
    if length == 0:
        return rows.double() @ f.double()
    for start in range(0, rows.shape[1], length):
        total += torch.mv(rows[:, start : start + length], f[start : start + length])
    return total
