"""Mean and variance per channel: PyTorch's own kernel for batch norm across devices does this well."""

import torch
from torch import Tensor

from snnkd.spiking.layout import flat


def moments(x: Tensor, channels: int, inner: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel of ``x (T, ...)``, ``(C,)``, in fp32 (fp64 for fp64)."""
    values = flat(x).view(-1, channels, inner if channels > 1 else 1)
    if x.is_cuda:
        mean, inverse = torch.batch_norm_stats(values, 0.0)
        return mean, inverse.square().reciprocal()
    real = torch.float64 if x.dtype == torch.float64 else torch.float32
    variance, mean = torch.var_mean(values.to(real), (0, 2), correction=0)
    return mean, variance
