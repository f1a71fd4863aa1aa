"""bfloat16 where the processor has it."""

from typing import Literal

import torch


def bf16_in_hardware() -> bool:
    """Whether the device that Lightning would choose multiplies bfloat16 itself.

    A CPU does with AVX512-BF16 or AMX; one without would emulate it, more slowly than float32.
    """
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def chosen_precision(mixed: str) -> Literal["bf16-mixed"] | None:
    """Lightning's ``precision`` for ``auto``, ``on`` or ``off``; ``None`` where the trainer's own setting stands."""
    if mixed == "on" or (mixed == "auto" and bf16_in_hardware()):
        return "bf16-mixed"
    return None
