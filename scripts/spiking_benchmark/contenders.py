"""One neuron in every library, ``run(x) -> spikes``, and one network in two.

The neuron: decay 0.9, threshold 1, soft reset kept out of the gradient, atan surrogate with alpha 2, state at zero on
every call. What differs is said at each. Layers are made once, outside the timed call.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Run = Callable[[Tensor], Tensor]
BETA = 0.9
CHANNELS = (16, 32, 64, 128)


def snnkd(device: str) -> Run:
    """This library, as its layer."""
    from snnkd.spiking import LIF

    layer = LIF(BETA).to(device)
    return lambda x: layer(x)[0]


def snnkd_two_bit(device: str) -> Run:
    """This library with the rectangular surrogate, of which backward keeps two bits a step."""
    from snnkd.spiking import LIF

    layer = LIF(BETA, surrogate="rectangle").to(device)
    return lambda x: layer(x)[0]


def reference(device: str) -> Run:
    """This library's definition in plain PyTorch."""
    from snnkd.spiking import LIF

    layer = LIF(BETA, backend="reference").to(device)
    return lambda x: layer(x)[0]


def compiled_reference(device: str) -> Run:
    """The definition through ``torch.compile``."""
    return torch.compile(reference(device))


def spikingjelly(device: str) -> Run:
    """SpikingJelly 2.0's multi-step LIF as it comes.

    On a CPU it has one implementation. On CUDA it takes its Triton kernels for fp32, and for fp16 and bf16, unless a
    precision of the neuron is set, its PyTorch reference.
    """
    from spikingjelly.activation_based import functional, neuron, surrogate

    node = neuron.LIFNode(
        tau=1 / (1 - BETA),
        decay_input=False,
        v_threshold=1.0,
        v_reset=None,
        surrogate_function=surrogate.ATan(alpha=2.0),
        detach_reset=True,
        step_mode="m",
    ).to(device)

    def run(x: Tensor) -> Tensor:
        functional.reset_net(node)
        return node(x)

    return run


def snntorch(device: str) -> Run:
    """snnTorch's ``Leaky`` in the loop of its documentation; its reset acts a step late."""
    import snntorch as snn
    from snntorch import surrogate

    node = snn.Leaky(beta=BETA, threshold=1.0, spike_grad=surrogate.atan(alpha=2.0)).to(device)

    def run(x: Tensor) -> Tensor:
        membrane, spikes = torch.zeros_like(x[0]), []
        for current in x:
            spike, membrane = node(current, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def norse(device: str) -> Run:
    """Norse's ``LIFBoxCell``, whose input and threshold are both scaled by 1 − beta; its own surrogate, SuperSpike."""
    from norse.torch import LIFBoxCell, LIFBoxParameters

    cell = LIFBoxCell(
        LIFBoxParameters(
            tau_mem_inv=torch.tensor((1 - BETA) / 1e-3, device=device),
            v_leak=torch.tensor(0.0, device=device),
            v_th=torch.tensor(1 - BETA, device=device),
            v_reset=torch.tensor(0.0, device=device),
            method="super",
            reset_method=lambda z, v, v_reset, v_th: v - z.detach() * v_th,
        ),
        dt=1e-3,
    )

    def run(x: Tensor) -> Tensor:
        state, spikes = None, []
        for current in x.unbind():
            spike, state = cell(current, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def norm_lif(device: str) -> Run:
    """Batch norm inside the neuron's kernel; decay learned, one per channel, as in the student."""
    from snnkd.spiking import NormLIF

    layer = None

    def run(x: Tensor) -> Tensor:
        nonlocal layer
        layer = layer or NormLIF(x.shape[2], learn_beta=True).to(device)
        return layer(x)[0]

    return run


def norm_then_lif(device: str) -> Run:
    """``torch.nn.BatchNorm2d``, then this library's neuron: the same numbers in two layers."""
    from snnkd.spiking import LIF

    layers: list[nn.Module] = []

    def run(x: Tensor) -> Tensor:
        if not layers:
            layers.extend(
                [nn.BatchNorm2d(x.shape[2]).to(device), LIF(BETA, learn_beta=True, channels=x.shape[2]).to(device)]
            )
        return layers[1](layers[0](x.flatten(0, 1)).unflatten(0, x.shape[:2]))[0]

    return run


NEURONS: dict[str, Callable[[str], Run]] = {
    f.__name__: f
    for f in (
        snnkd, snnkd_two_bit, reference, compiled_reference, spikingjelly, snntorch, norse, norm_lif, norm_then_lif,
    )
}  # fmt: skip


def linear_then(make: Callable[[str], Run], width: int, device: str) -> Run:
    """Put a linear layer before the neuron."""
    layer, neuron = nn.Linear(width, width).to(device), make(device)
    return lambda x: neuron(layer(x))


class SteppedStudent(nn.Module):
    """The student's layers as snnTorch's documentation steps them: a time step through all layers, then the next."""

    def __init__(self, size: int) -> None:
        super().__init__()
        import snntorch as snn
        from snntorch import surrogate

        atan = surrogate.atan(alpha=2.0)
        widths = [2, *CHANNELS]
        pairs = list(itertools.pairwise(widths))
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b, momentum=0.3) for _, b in pairs)
        self.neurons = nn.ModuleList(
            snn.Leaky(beta=torch.full((b, 1, 1), 0.8), learn_beta=True, spike_grad=atan) for _, b in pairs
        )
        side = -(-size // 2 ** len(CHANNELS))
        self.dropout, self.head = nn.Dropout(0.3), nn.Linear(CHANNELS[-1] * side * side, 7)
        self.readout = snn.Leaky(beta=0.9, learn_beta=True, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        """``(T, B, 2, H, W)`` to logits ``(T, B, 7)``."""
        membranes: list[Tensor] = [neuron.init_leaky() for neuron in self.neurons]
        last, logits = self.readout.init_leaky(), []
        for step in (x > 0).to(x.dtype):
            for i, (conv, norm, neuron) in enumerate(zip(self.convs, self.norms, self.neurons, strict=True)):
                step, membranes[i] = neuron(norm(conv(step)), membranes[i])
            _, last = self.readout((1 - self.readout.beta) * self.head(self.dropout(step.flatten(1))), last)
            logits.append(last)
        return torch.stack(logits)


def student(name: str, size: int) -> nn.Module:
    """The student in this library, packed or not, or stepped with snnTorch's layers."""
    if name == "snntorch":
        return SteppedStudent(size)
    from snnkd.models.student import EventStudent

    # Without what the stepped one has not: slow synapses in the first layer, counts for its input.
    plain = {"slow": 0.0, "binary_input": True, "dropout": 0.3}
    return EventStudent((size, size), CHANNELS, **plain, pack_spikes=name == "snnkd_packed")


@contextmanager
def kept_bytes() -> Iterator[dict[int, int]]:
    """Collect what autograd keeps for backward, each storage once."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept
