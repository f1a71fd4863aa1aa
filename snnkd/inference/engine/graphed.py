"""A student on a GPU: one step captured as a CUDA graph, and replayed for every window.

A step of batch 1 is some forty small kernels, whose launches take longer than they do; a graph launches them at once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnkd.inference.engine.steps import Steps
from snnkd.models import EventStudent

State = list[tuple[Tensor, ...] | None]


class Graphed:
    """Replays a student's step from where the graph has its input and its state.

    Args:
        network: on a CUDA device; its weights are those at every replay, its layers those of the capture.
    """

    def __init__(self, network: EventStudent) -> None:
        self.network = network.eval()
        device = next(network.parameters()).device
        width, height = network.input_size
        with torch.inference_mode():
            self._x = torch.zeros(1, 1, 2, height, width, device=device)
            output = network.run(self._x)
            assert output.state is not None
            self._state = tuple(torch.zeros_like(each) for each in output.state)
            self._logits = torch.zeros_like(output.logits)
            self._replay = capture(self._step)

    def _step(self) -> None:
        """One step, in place: what is captured."""
        output = self.network.run(self._x, self._state)
        assert output.state is not None
        for held, now in zip(self._state, output.state, strict=True):
            held.copy_(now)
        self._logits.copy_(output.logits)

    def rest(self) -> State:
        """Return the state at rest."""
        return [None]

    def run(self, bins: NDArray[Any], state: State) -> Steps:
        """Run over counts ``(T, 2, H, W)``; ``state`` is changed into that after the last step."""
        with torch.inference_mode():
            for place, held in enumerate(self._state):
                before = state[0]
                held.zero_() if before is None else held.copy_(before[place])
            windows = torch.from_numpy(bins.astype(np.float32)).to(self._x.device)
            logits = torch.empty(len(bins), self._logits.shape[-1], device=self._x.device)
            for t in range(len(bins)):
                self._x[0, 0].copy_(windows[t])
                self._replay()
                logits[t].copy_(self._logits[0, 0])
            state[0] = tuple(held.clone() for held in self._state)
        return Steps(logits.float().cpu().numpy(), None)


def capture(step: Callable[[], None]) -> Callable[[], None]:
    """Capture what ``step`` launches; return what launches it again."""
    # Kernels are chosen and compiled, and memory is taken, before: none of it may happen in a capture.
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
