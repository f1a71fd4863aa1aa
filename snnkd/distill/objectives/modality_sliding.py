r"""The student's input slides from frames to events (Transfer-for-DVS, He et al., AAAI 2024, arXiv 2303.13077)."""

import torch
from torch import Tensor

DARK = 0.05
"""Added to intensities in [0, 1] before the logarithm, so that noise in the dark is no change"""
CONTRAST = 0.2
"""Change of log intensity that counts as one event"""


def modality_sliding(
    source: Tensor, events: Tensor, progress: float, *, power: float = 1.0, uniforms: Tensor | None = None
) -> Tensor:
    r"""Replace a clip's source input by its events with a probability that grows.

    .. math::

        x_b = \begin{cases} e_b & u_b < \min(1, p^{\gamma}) \\ f_b & \text{else} \end{cases}, \qquad
        u_b \sim \mathcal U[0, 1)

    with the progress *p* of the training. The network begins on what is easy to learn from and ends on what it will
    be given.

    Args:
        source: the frames as the network can see them, ``(T, B, C, H, W)``, such as :func:`frames_as_events` makes.
        events: of the same shape.
        progress: *p*, from 0 to 1.
        power: :math:`\gamma > 0`.
        uniforms: :math:`u`, ``(B,)``; drawn from torch's generator when left out.

    Raises:
        ValueError: shapes that differ, a power that is not above zero.
    """
    if source.shape != events.shape:
        raise ValueError(f"source and events must have one shape, got {tuple(source.shape)} and {tuple(events.shape)}")
    if not power > 0:
        raise ValueError(f"power must be above zero, got {power}")
    drawn = torch.rand(events.shape[1], device=events.device) if uniforms is None else uniforms
    replaced = drawn < min(1.0, progress**power)
    return torch.where(replaced.reshape(1, -1, 1, 1, 1), events, source.to(events.dtype))


def frames_as_events(frames: Tensor) -> Tensor:
    r"""Code frames ``(T, B, 1, H, W)`` in [0, 1] as OFF and ON counts ``(T, B, 2, H, W)`` of an ideal sensor.

    .. math::

        c[t] = \frac{\log(f[t] + d) - \log(f[t-1] + d)}{\theta}, \qquad
        \mathrm{OFF} = \lfloor (-c)^+ \rfloor, \quad \mathrm{ON} = \lfloor c^+ \rfloor

    zero at the first step; :math:`d` is :data:`DARK` and :math:`\theta` is :data:`CONTRAST`.

    Raises:
        ValueError: no ``(T, B, 1, H, W)``.
    """
    if frames.ndim != 5 or frames.shape[2] != 1:
        raise ValueError(f"frames must be (T, B, 1, H, W), got {tuple(frames.shape)}")
    logs = torch.log(frames + DARK)
    change = torch.diff(logs, dim=0, prepend=logs[:1]) / CONTRAST
    return torch.cat([(-change).clamp(min=0), change.clamp(min=0)], dim=2).floor()
