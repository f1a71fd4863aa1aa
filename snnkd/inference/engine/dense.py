"""Any network on events, as PyTorch runs it: what the event-driven engine does not know."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnkd.energy import Counter, Hardware, step_joules
from snnkd.inference.engine.steps import Steps
from snnkd.models import EyeNetwork

State = tuple[torch.Tensor, ...] | None
"""Of one recording: each tensor ``(1, ...)``; ``None`` at rest"""


class Dense:
    """Runs a network's own ``run``, without autograd, on the device of its parameters.

    Args:
        network: one that reads events.
        hardware: price the steps on it; they are then counted on the way, which takes some more time.
    """

    def __init__(self, network: EyeNetwork, hardware: Hardware | None = None) -> None:
        self.network = network.eval()
        self.hardware = hardware
        self._counter = None if hardware is None else Counter(network, "events")

    def rest(self) -> list[State]:
        """Return the state at rest."""
        return [None]

    def run(self, bins: NDArray[Any], state: list[State]) -> Steps:
        """Run over counts ``(T, 2, H, W)``; ``state`` is changed into that after the last step."""
        return self.run_batch([bins], [state])[0]

    def run_batch(self, bins: Sequence[NDArray[Any]], states: Sequence[list[State]]) -> list[Steps]:
        """Run over several recordings' counts, all ``(T, 2, H, W)`` and all at rest or none of them.

        Each of ``states`` is changed as by :meth:`run`.
        """
        x = torch.from_numpy(np.stack(bins, axis=1).astype(np.float32)).to(self.network.device)
        held = [state[0] for state in states if state[0] is not None]
        if held and len(held) < len(states):
            raise ValueError("run_batch: all recordings must be at rest, or none of them")
        before = tuple(torch.cat(parts) for parts in zip(*held, strict=True)) if held else None
        # Counting looks at tensors, which inference mode would hide from it.
        with torch.inference_mode() if self._counter is None else torch.no_grad():
            if self._counter is None or self.hardware is None:
                output, joules = self.network.run(x, before), None
            else:
                output = self._counter.run(self.network.run, x, before)
                joules = step_joules(self._counter, self.hardware)
        logits = output.logits.float().cpu().numpy()
        for number, state in enumerate(states):
            after = output.state
            state[0] = None if after is None else tuple(each[number : number + 1] for each in after)
        return [Steps(logits[:, i], None if joules is None else joules[:, i]) for i in range(len(states))]
