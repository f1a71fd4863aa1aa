"""A student on a GPU: one step captured as a CUDA graph, and replayed for a window that comes alone.

A step of batch 1 is some forty small kernels, whose launches take longer than they do; a graph launches them at once.
Windows that are there together are convolved together instead, and only their neurons go step by step.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnkd.inference.engine.dense import Dense
from snnkd.inference.engine.steps import Steps
from snnkd.models import EventStudent

State = list[tuple[Tensor, ...] | None]


class Graphed:
    """Replays a student's step from where the graph has its input and its state; of several windows, runs all at once.

    Args:
        network: on a CUDA device; its weights are those at every replay, its layers those of the capture.
    """

    def __init__(self, network: EventStudent) -> None:
        self.network = network.eval()
        self._together = Dense(network)
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
        if len(bins) != 1:
            return self._together.run(bins, state)
        with torch.inference_mode():
            before = state[0]
            for place, held in enumerate(self._state):
                held.zero_() if before is None else held.copy_(before[place])
            self._x[0, 0].copy_(torch.from_numpy(bins[0].astype(np.float32)))
            self._replay()
            state[0] = tuple(held.clone() for held in self._state)
            return Steps(self._logits[:, 0].float().cpu().numpy().copy(), None)


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
