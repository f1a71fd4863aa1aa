r"""The student's input slides from frames to events (Transfer-for-DVS, He et al., AAAI 2024, arXiv 2303.13077)."""

import torch
from torch import Tensor


def modality_sliding(
    source: Tensor, events: Tensor, progress: float, *, power: float = 3.0, uniforms: Tensor | None = None
) -> Tensor:
    p = min(1.0, progress**power)
    u = torch.rand(events.shape[1]) if uniforms is None else uniforms
    return torch.where((u < p).reshape(1, -1, 1, 1, 1).to(events.device), events, source)


def frames_as_events(frames: Tensor) -> Tensor:
    change = torch.log(frames + 0.05).diff(dim=0, prepend=torch.log(frames[:1] + 0.05))
    return torch.cat([(-change).clamp(min=0), change.clamp(min=0)], dim=2)
