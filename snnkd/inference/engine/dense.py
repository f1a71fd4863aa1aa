"""Any network on events, as PyTorch runs it: what the event-driven engine does not know."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnkd.energy import Counter, Hardware, step_joules
from snnkd.inference.engine.steps import Steps
from snnkd.models import EyeNetwork

State = tuple[torch.Tensor, ...] | None


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
        self._device = next((p.device for p in network.parameters()), torch.device("cpu"))

    def rest(self) -> list[State]:
        """Return the state at rest."""
        return [None]

    def run(self, bins: NDArray[Any], state: list[State]) -> Steps:
        """Run over counts ``(T, 2, H, W)``; ``state`` is changed into that after the last step."""
        x = torch.from_numpy(bins.astype(np.float32)).unsqueeze(1).to(self._device)
        # Counting looks at tensors, which inference mode would hide from it.
        with torch.inference_mode() if self._counter is None else torch.no_grad():
            if self._counter is None or self.hardware is None:
                output, joules = self.network.run(x, state[0]), None
            else:
                output = self._counter.run(self.network.run, x, state[0])
                joules = step_joules(self._counter, self.hardware)[:, 0]
        state[0] = output.state
        return Steps(output.logits[:, 0].float().cpu().numpy(), joules)
