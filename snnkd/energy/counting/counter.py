"""The counter: a forward pass watched below its modules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from snnkd.energy.counting import elementwise, neurons, synapses
from snnkd.energy.counting.origin import NOTHING, Origin, Origins
from snnkd.energy.counting.place import Place, find_place
from snnkd.energy.counting.tally import Tally

Inputs = Literal["auto", "events", "analog"]


@dataclass
class _Frame:
    """A module that is being run."""

    name: str
    module: nn.Module
    foreign: bool
    """A neuron that is counted as a whole"""


@dataclass
class Counter(TorchDispatchMode):
    """Counts while active: ``with Counter(network) as counter: network(x)``; then read ``counter.layers``.

    What flows is seen below the modules, so that functions called in ``forward`` count as their modules do. What a
    sample costs does not hang on those beside it in the batch. The rows hold the last pass;
    :class:`~snnkd.energy.Profiler` adds passes up.

    Args:
        network: any module; its first tensor argument is ``(T, B, ...)``, time first.
        inputs: what this is made of: ``events``, whole numbers of which each unit arrived by itself; ``analog``,
            intensities; ``auto`` judges by the values (:mod:`~snnkd.energy.counting.levels`).

    Raises:
        ValueError: an input that is not ``(T, B, ...)``, or a NaN or infinite activation, naming the layer.
    """

    network: nn.Module
    inputs: Inputs = "auto"
    layers: dict[tuple[str, str, int], Tally] = field(default_factory=dict)
    """The rows, in the order in which they were met"""
    steps: int = 0
    batch: int = 0
    operator: str = ""
    """The one that is being counted"""

    def __post_init__(self) -> None:
        super().__init__()
        if self.inputs not in ("auto", "events", "analog"):
            raise ValueError(f"inputs must be auto, events or analog, got {self.inputs!r}")
        self._names = {module: name for name, module in self.network.named_modules()}
        self._stack: list[_Frame] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._fresh()

    def _fresh(self) -> None:
        """Forget all but the rows: what is known by an address holds for one pass, in which what has it is kept."""
        kept = [*self.network.parameters(), *self.network.buffers()]
        self.origins = Origins(kept)
        self._weights: dict[tuple[str, str], list[Tensor]] = {}
        self._fan_outs: dict[Any, tuple[Tensor, Tensor]] = {}

    def __enter__(self) -> "Counter":
        """Start counting."""
        for module in self._names:
            self._handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._leave, always_call=True))
        # Transformers of PyTorch go past their own modules in evaluation, by operators that hide what they do.
        self._fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Stop counting."""
        super().__exit__(*exception)
        torch.backends.mha.set_fastpath_enabled(self._fast)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._stack.clear()

    def run(self, function: Callable[..., Any], x: Tensor, *rest: Any) -> Any:
        """Count ``function(x, *rest)``, a method of the network other than ``forward``; return what it returns."""
        with self:
            self._enter(self.network, (x,), {})
            output = function(x, *rest)
            self._leave(self.network, (x,), output)
        return output

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if module is self.network and not self._stack:
            self._begin([*args, *kwargs.values()])
        self._stack.append(_Frame(self._names[module], module, neurons.is_foreign(module)))

    def _begin(self, arguments: list[Any]) -> None:
        tensors = list(_tensors(arguments))
        if not tensors or tensors[0].ndim < 2 or 0 in tensors[0].shape[:2]:
            shape = tuple(tensors[0].shape) if tensors else None
            raise ValueError(f"the network's input must be (T, B, ...), time first and not empty, got {shape}")
        self.steps, self.batch = tensors[0].shape[:2]
        self._fresh()
        known = {"auto": NOTHING, "events": Origin(unit=1.0), "analog": Origin(analog=True)}[self.inputs]
        for tensor in tensors:
            self.origins.put(tensor, known)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._stack and self._stack[-1].module is module:
            frame = self._stack[-1]
            if frame.foreign and output is not None and not any(f.foreign for f in self._stack[:-1]):
                frame.foreign = False  # so that what counts it is let through
                neurons.foreign(self, module, args, output)
            self._stack.pop()
        if module is self.network and not self._stack:
            for row in self.layers.values():
                row.finish(self.steps, self.batch)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and count it."""
        output = func(*args, **(kwargs or {}))
        if not self._stack:
            return output
        self.origins.forget(list(_tensors(output)), list(_tensors(args)))
        namespace, _, name = func._schema.name.partition("::")
        in_place = name.endswith("_") and not name.endswith("__")
        name = name.rstrip("_") if in_place else name
        self.operator = name
        inside = any(frame.foreign for frame in self._stack)
        found: Origin | None = NOTHING
        if namespace == "snnkd":
            found = self._ours(name, output, args)
        elif name in PRODUCTS:
            found = PRODUCTS[name](self, output, args)
        elif name in elementwise.HANDLERS:
            if not inside or name in elementwise.KEEPS:
                found = elementwise.HANDLERS[name](self, output, *args)
        elif all(self.origins.of(tensor).constant for tensor in _tensors(args)):
            found = Origin(constant=True)
        elif not inside:
            for tensor in _tensors(output):
                if tensor.is_floating_point():
                    self.note_uncounted(tensor, float(tensor.numel()))
        if found is not None:
            for tensor in _tensors(output):
                self.origins.write(tensor, found) if in_place else self.origins.put(tensor, found)
        return output

    def _ours(self, name: str, output: Any, args: Any) -> Origin | None:
        if name == "unpack_bits":
            return neurons.SPIKES
        handler: Callable[..., None] | None = OURS.get(name)
        if handler is None:
            return NOTHING
        handler(self, output, *args)
        return None

    def row(self, kind: str, weight: Tensor | None = None) -> Tally:
        """Return the row of a kind of work in the module that is being run.

        Functions are told apart by their weights, numbered as they come in a pass: weights that are worked out anew
        in each pass lie elsewhere each time.
        """
        frame = self._stack[-1]
        number = 0
        if weight is not None:
            known = self._weights.setdefault((frame.name, kind), [])
            places = [each.data_ptr() for each in known]
            if weight.data_ptr() not in places:
                known.append(weight)
                places.append(weight.data_ptr())
            number = places.index(weight.data_ptr())
        key = (frame.name, kind, number)
        if key not in self.layers:
            label = frame.name or type(self.network).__name__
            if type(frame.module).__name__ != kind and (number or kind not in ("LIF", "LI")):
                label += f" ({kind.lower()}{f' {number + 1}' if number else ''})"
            self.layers[key] = Tally(label, kind)
        return self.layers[key]

    def fan_out(self, weight: Tensor, settings: Any, make: Callable[[], Tensor]) -> Tensor:
        """Return what ``make`` gives, once a pass for equal weights and settings."""
        key = (weight.data_ptr(), tuple(weight.shape), weight.stride(), str(settings))
        if key not in self._fan_outs:
            self._fan_outs[key] = (weight, make())
        return self._fan_outs[key][1]

    def place(self, shape: torch.Size, leading: int | None = None) -> Place:
        """Where the rows of a tensor belong."""
        return find_place(shape, leading, self.steps, self.batch)

    def samples(self, shape: torch.Size) -> int:
        """How many samples and steps a tensor is of."""
        place = self.place(shape)
        return place.steps * place.batch if place.known else self.steps * self.batch

    def note_even(self, tensor: Tensor, counts: dict[str, float], kind: str = "elementwise") -> None:
        """Note counts that are the same for each step and sample of ``tensor``."""
        place = self.place(tensor.shape)
        self.row(kind).add(**{name: place.even(float(count)) for name, count in counts.items()})

    def note_uncounted(self, tensor: Tensor, elements: float) -> None:
        """Note what has no count, by its operator's name."""
        place = self.place(tensor.shape)
        frame = self._stack[-1]
        key = (frame.name, f"uncounted {self.operator}", 0)
        if key not in self.layers:
            label = f"{frame.name or type(self.network).__name__} ({self.operator.strip('_')})"
            self.layers[key] = Tally(label, "uncounted")
        self.layers[key].add(uncounted=place.even(elements))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested sequences and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _linear(counter: Counter, output: Tensor, args: Any) -> Origin:
    x, weight = args[0], args[1]
    return synapses.matrix(counter, output, x.reshape(-1, x.shape[-1]) if x.ndim != 2 else x, weight.t())


PRODUCTS: dict[str, Callable[[Counter, Any, Any], Origin]] = {
    "convolution": lambda counter, output, args: synapses.convolution(counter, output, *args),
    "linear": _linear,
    "mm": lambda counter, output, args: synapses.matrix(counter, output, args[0], args[1]),
    "addmm": lambda counter, output, args: synapses.matrix(counter, output, args[1], args[2]),
    "mkldnn_rnn_layer": lambda counter, output, args: synapses.recurrent(counter, output, *args[:3]),
    "mv": lambda counter, output, args: synapses.matrix(counter, output, args[0], args[1][:, None]),
    "bmm": lambda counter, output, args: synapses.batched(counter, output, args[0], args[1]),
    "_scaled_dot_product_flash_attention_for_cpu": lambda counter, output, args: synapses.attention(counter, *args[:3]),
    "_scaled_dot_product_flash_attention": lambda counter, output, args: synapses.attention(counter, *args[:3]),
    "_scaled_dot_product_efficient_attention": lambda counter, output, args: synapses.attention(counter, *args[:3]),
    "_scaled_dot_product_attention_math": lambda counter, output, args: synapses.attention(counter, *args[:3]),
    "baddbmm": lambda counter, output, args: synapses.batched(counter, output, args[1], args[2]),
}
OURS: dict[str, Callable[..., None]] = {
    "lif": neurons.lif,
    "lif_two_bit": neurons.lif_two_bit,
    "norm_lif": neurons.norm_lif,
    "li": neurons.li,
}
