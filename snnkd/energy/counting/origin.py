"""What is known of a tensor from where it came: carried along from operator to operator."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Fold = Literal["affine", "scale"] | None


@dataclass(frozen=True)
class Origin:
    """Knowledge of one tensor; the default knows nothing."""

    constant: bool = False
    """Made of parameters and numbers alone: worked out once, not in every inference"""
    unit: float | None = None
    """Its values are whole multiples of this, each unit a spike or an event that arrived"""
    spikes: bool = False
    """Zeros and ones, out of a neuron"""
    analog: bool = False
    """An intensity, whatever its values: a picture of zeros and ones is not made of spikes"""
    fold: Fold = None
    """``affine``: weights made it, and a scale and a shift per channel go into them. ``scale``: a linear filter per
    channel came between, through which a scale goes and a shift does not"""


NOTHING = Origin()


class Origins:
    """The origins of the tensors that are alive; those of parameters and buffers are constants."""

    def __init__(self, constants: list[Tensor]) -> None:
        self._known = WeakTensorKeyDictionary()
        self._mixed: dict[int, Origin] = {}
        """By storage: what parts of it were written with"""
        self._storages = {t.untyped_storage().data_ptr() for t in constants if t.numel()}

    def of(self, value: Any) -> Origin:
        """Return what is known of a tensor; a number is a constant."""
        if not isinstance(value, Tensor):
            return Origin(constant=True)
        storage = value.untyped_storage().data_ptr()
        known: Origin | None = self._known.get(value)
        if known is None:
            known = Origin(constant=True) if storage in self._storages else NOTHING
        return joined([known, self._mixed[storage]]) if storage in self._mixed else known

    def write(self, tensor: Tensor, origin: Origin) -> None:
        """Remember what a tensor was changed into in place; a part of a larger one makes the whole a mixture."""
        storage = tensor.untyped_storage()
        if tensor.numel() * tensor.element_size() >= storage.nbytes():
            self._mixed.pop(storage.data_ptr(), None)
            self.put(tensor, origin)
        else:
            before = self._mixed.get(storage.data_ptr())
            self._mixed[storage.data_ptr()] = origin if before is None else joined([before, origin])

    def forget(self, made: list[Tensor], given: list[Tensor]) -> None:
        """Whoever was just made, of none of what was given, has nothing of what lay at its address before."""
        if self._mixed:
            before = {tensor.untyped_storage().data_ptr() for tensor in given}
            for tensor in made:
                if (storage := tensor.untyped_storage().data_ptr()) not in before:
                    self._mixed.pop(storage, None)

    def put(self, tensor: Tensor, origin: Origin) -> None:
        """Remember; whoever knows nothing takes no place."""
        if origin is not NOTHING and origin != NOTHING:
            self._known[tensor] = origin
        elif tensor in self._known:
            del self._known[tensor]


def joined(origins: list[Origin]) -> Origin:
    """What holds of a tensor made of parts with these origins."""
    if not origins:
        return NOTHING
    first = origins[0]
    units = {o.unit for o in origins}
    folds = {o.fold for o in origins}
    fold: Fold = None if None in folds else "scale" if "scale" in folds else "affine"
    return Origin(
        all(o.constant for o in origins),
        first.unit if len(units) == 1 else None,
        all(o.spikes for o in origins),
        any(o.analog for o in origins),
        fold,
    )


def scaled(origin: Origin, factor: float) -> Origin:
    """What holds once every value was multiplied."""
    unit = None if origin.unit is None or factor == 0 else abs(origin.unit * factor)
    return replace(origin, unit=unit, spikes=origin.spikes and factor == 1)
