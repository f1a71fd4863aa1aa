"""Batch norm and the neuron: moments, the neuron's kernels, and the gradient that the moments carry."""

import torch
from torch import Tensor

from snnkd.spiking.backends.cuda.backward import backward
from snnkd.spiking.backends.cuda.elementwise import scaled_sum_
from snnkd.spiking.backends.cuda.forward import forward
from snnkd.spiking.backends.kernels import Gradients, Neuron, Parameters, Want
from snnkd.spiking.layout import flat


def moments(x: Tensor, channels: int, inner: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel of ``x (T, ...)``, ``(C,)``, in fp32 (fp64 for fp64)."""
    if not x.numel():
        raise ValueError(f"x must hold values to have moments, got {tuple(x.shape)}")
    values = flat(x).view(-1, channels, inner if channels > 1 else 1)
    if x.is_cuda:
        # PyTorch's own kernel for batch norm across devices does this well.
        mean, inverse = torch.batch_norm_stats(values, 0.0)
        return mean, inverse.square().reciprocal()
    real = torch.float64 if x.dtype == torch.float64 else torch.float32
    variance, mean = torch.var_mean(values.to(real), (0, 2), correction=0)
    return mean, variance


def norm_forward(
    x: Tensor, state: Tensor | None, parameters: Parameters, eps: float, neuron: Neuron
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spikes, the last state, mean and biased variance."""
    mean, variance = moments(x, parameters.beta.numel(), parameters.inner)
    assert parameters.scale is not None
    scale = parameters.scale * torch.rsqrt(variance + eps)
    return *forward(x, state, parameters._replace(mean=mean, scale=scale), neuron), mean, variance


def norm_backward(
    grad_spikes: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    state: Tensor | None,
    parameters: Parameters,
    variance: Tensor,
    eps: float,
    neuron: Neuron,
    want: Want,
) -> Gradients:
    """Gradients of :func:`norm_forward`, from its input and the moments."""
    assert parameters.scale is not None
    assert parameters.mean is not None
    inverse = torch.rsqrt(variance + eps)
    scale = parameters.scale * inverse
    want = want._replace(affine=True, current=True)
    grads = backward(grad_spikes, grad_state, x, state, parameters._replace(scale=scale), neuron, want)
    assert grads.scale is not None
    assert grads.bias is not None
    # Σ ȳ(x − μ) comes from the kernel; with 1/√(σ² + ε) it is Σ ȳx̂, the gradient of the weight.
    of_weight = grads.scale * inverse
    part = scale * (len(scale) / max(x.numel(), 1))
    slope = -part * inverse * of_weight
    scaled_sum_(grads.x, x, scale, slope, -part * grads.bias - slope * parameters.mean, parameters.inner)
    return grads._replace(scale=of_weight)
