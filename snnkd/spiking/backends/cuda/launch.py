r"""How the kernels are launched: the size of a program, the number of steps held in registers, the device.

All of it is decided by pure functions of sizes and not by timing runs, so that a launch has no side effects and a
result never depends on a tuner's choice. A thread works on ``e`` neighbouring neurons, ``e`` being as many as keep one
access at 16 bytes and the thread's values in its registers; a program has ``32·warps·e`` neurons. Small layers take
fewer neurons per thread, then fewer warps, until there are programs for every multiprocessor.
"""

import contextlib
from typing import Any

import torch
from torch import Tensor

from snnkd.spiking.backends.kernels import Neuron, Parameters, new_state

PROGRAMS = 264
"""Programs that a launch should have at least: two for each of the 132 multiprocessors of the largest chip in view."""

INDEX_LIMIT = 2**31 - 2**16
"""From this many neurons on, a neuron's index needs 64 bits."""


def program(neurons: int, per_thread: int, aligned: bool) -> tuple[int, int]:
    """Return neurons per program and warps, for a kernel that does best with ``per_thread`` neurons a thread.

    Unless rows are ``aligned``, to 16 elements, it is one: the compiler then has no wide accesses to join, and with
    more neurons a thread it would reorder every value through shared memory.
    """
    per_thread, warps = per_thread if aligned else 1, 4
    while per_thread > 1 and neurons < PROGRAMS * 32 * warps * per_thread:
        per_thread //= 2
    while warps > 1 and neurons < PROGRAMS * 32 * warps:
        warps //= 2
    return 32 * warps * per_thread, warps


def segment(steps: int) -> int:
    """Steps whose membranes the backward pass holds at once: all of them up to 32, a power of two."""
    return min(32, 1 << max(0, steps - 1).bit_length())


def on(tensor: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Make the tensor's GPU the current one, where it is on one: Triton launches on the current device."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else contextlib.nullcontext()


def initial(state: Tensor | None, x: Tensor) -> Tensor:
    """The state; zeros for none, which cost a step's writing and reading."""
    return new_state(x).zero_() if state is None else state


def kind(neuron: Neuron) -> str:
    """The reset's name, or ``"never"`` for the integrator, which has no reset because it never fires."""
    return neuron.reset if neuron.fires else "never"


def affine(parameters: Parameters) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The three tensors of the current, in memory order."""
    given = parameters.mean, parameters.scale, parameters.bias
    mean, scale, bias = (None if p is None else p.contiguous() for p in given)
    return mean, scale, bias
