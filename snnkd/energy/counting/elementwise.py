"""All that is no product with weights and no neuron: sums, norms, pooling, comparisons, and what has no count."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from snnkd.energy.counting.origin import NOTHING, Origin, joined, scaled

if TYPE_CHECKING:
    from snnkd.energy.counting.counter import Counter


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEEPS = _names(
    """view reshape _unsafe_view _reshape_alias permute transpose t squeeze unsqueeze slice select narrow expand clone
    contiguous detach alias _to_copy to index index_select gather flatten unfold pixel_shuffle repeat flip roll
    split unsafe_split split_with_sizes chunk unbind lift_fresh as_strided movedim diagonal upsample_nearest2d
    native_dropout dropout"""
)
"""Move values and change none"""
PUTS = _names("constant_pad_nd masked_fill index_put scatter neg")
"""Put other values in, or change their sign: whole units may stay whole, but zeros and ones are not sure any more"""
MAKES = _names(
    """zeros ones empty full zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full arange
    linspace eye scalar_tensor fill zero rand randn rand_like randn_like bernoulli empty_strided new_empty_strided
    empty_permuted"""
)
COMPARES = _names("gt ge lt le eq ne logical_and logical_or logical_not bitwise_and bitwise_or isnan")
PAIRS = _names("maximum minimum cummax")
SPECIAL = _names(
    """exp log log1p sigmoid tanh _softmax softmax _log_softmax log_softmax gelu silu softplus erf sqrt rsqrt reciprocal
    pow sin cos elu prelu _prelu_kernel hardswish hardsigmoid mish leaky_relu logsumexp std var atan"""
)
"""No sums and products: counted by their elements as uncounted"""
POOLS = _names("avg_pool1d avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d")
MAXIMA = _names(
    "max_pool1d max_pool2d max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d max amax cummax"
)
NORMS = _names(
    """native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm
    batch_norm"""
)


def sums(counter: "Counter", output: Tensor, a: Any, b: Any, *_: Any) -> Origin:
    """``x + y``, ``x − y``: an addition a value.

    A constant goes into the weights before it. The sum of two trains of spikes {0, 1, 2} costs nothing where it is
    made: both spikes are delivered to the next layer, which counts each.
    """
    first, second = counter.origins.of(a), counter.origins.of(b)
    if first.constant and second.constant:
        return Origin(constant=True)
    if first.constant or second.constant:
        known = second if first.constant else first
        counter.note_even(output, {"folded_additions" if known.fold == "affine" else "additions": output.numel()})
        return Origin(fold=known.fold)
    events = first.unit is not None and first.unit == second.unit
    counter.note_even(output, {"folded_additions" if events else "additions": output.numel()})
    return Origin(unit=first.unit) if events else NOTHING


def products(counter: "Counter", output: Tensor, a: Any, b: Any, *_: Any) -> Origin:
    """``x · y``, ``x / y``: a multiplication a value, but for a constant that weights before or behind it take."""
    first, second = counter.origins.of(a), counter.origins.of(b)
    if first.constant and second.constant:
        return Origin(constant=True)
    if first.constant or second.constant:
        if first.constant and counter.operator == "div":  # a reciprocal, which no weight takes
            counter.note_even(output, {"multiplications": output.numel()})
            return NOTHING
        known, factor = (second, a) if first.constant else (first, b)
        single = not isinstance(factor, Tensor) or factor.numel() == 1
        folds = known.fold is not None or (known.unit is not None and single)
        counter.note_even(output, {"folded_multiplications" if folds else "multiplications": output.numel()})
        if single and counter.operator == "div":
            return scaled(known, 1 / float(factor)) if float(factor) else NOTHING
        return scaled(known, float(factor)) if single else replace(known, unit=None, spikes=False)
    if first.spikes and second.spikes:  # a gate: both or none
        counter.note_even(output, {"comparisons": output.numel()})
        return Origin(unit=1.0, spikes=True)
    counter.note_even(output, {"multiplications": output.numel()})
    return NOTHING


def compares(counter: "Counter", output: Tensor, *operands: Any) -> Origin:
    """A comparison a value; what comes out are zeros and ones."""
    if all(counter.origins.of(x).constant for x in operands):
        return Origin(constant=True)
    counter.note_even(output, {"comparisons": output.numel()})
    return Origin(unit=1.0, spikes=True)


def rectifies(counter: "Counter", output: Tensor, x: Tensor, *_: Any) -> Origin:
    """``relu``, ``clamp``, ``abs``: a comparison a value; whole numbers stay whole."""
    origin = counter.origins.of(x)
    if origin.constant:
        return origin
    counter.note_even(output, {"comparisons": output.numel()})
    return replace(origin, fold=None, spikes=origin.spikes and counter.operator in ("relu", "abs"))


def means(counter: "Counter", output: Tensor, x: Tensor, *settings: Any) -> Origin:
    """Sums and means over axes or windows: an addition a value that enters, and the mean's factor.

    Of spikes they cost nothing: each goes through to the layer behind, whose weights take the factor.
    """
    origin = counter.origins.of(x)
    if origin.constant:
        return origin
    window = _window(counter.operator, x, output, settings)
    events = origin.unit is not None
    additions = output.numel() * (window - 1) if counter.operator != "cumsum" else output.numel()
    counter.note_even(output, {"folded_additions" if events else "additions": max(additions, 0.0)})
    if counter.operator in ("sum", "cumsum"):
        return replace(origin, spikes=False, fold=None)
    folds = events or origin.fold is not None
    counter.note_even(output, {"folded_multiplications" if folds else "multiplications": output.numel()})
    return Origin(unit=origin.unit / window) if origin.unit is not None else NOTHING


def maxima(counter: "Counter", output: Any, x: Tensor, *settings: Any) -> None:
    """Largest of a window, or of two: comparisons; of spikes one if any."""
    first = output[0] if isinstance(output, tuple) else output
    origin = counter.origins.of(x)
    if not origin.constant:
        window = 2.0 if counter.operator in PAIRS else _window(counter.operator, x, first, settings)
        counter.note_even(first, {"comparisons": first.numel() * max(window - 1, 0)})
    kept = replace(origin, fold=None) if counter.operator not in PAIRS else NOTHING
    counter.origins.put(first, kept)


def _window(operator: str, x: Tensor, output: Tensor, settings: tuple[Any, ...]) -> float:
    """How many values one of the output is made of."""
    if operator.startswith(("avg_pool", "max_pool")):
        size = settings[0] if isinstance(settings[0], list | tuple) else [settings[0]]
        axes = int(operator[8])
        return float(math.prod(size) if len(size) == axes else size[0] ** axes)
    return x.numel() / max(output.numel(), 1)


def normalisation(counter: "Counter", x: Tensor, origin: Origin) -> None:
    """Batch norm with known statistics: a scale and a shift per channel, in the weights before it where there are."""
    number = x.numel()
    if origin.fold == "affine":
        counter.note_even(x, {"folded_multiplications": number, "folded_additions": number}, "BatchNorm")
    elif origin.fold == "scale":
        counter.note_even(x, {"folded_multiplications": number, "additions": number}, "BatchNorm")
    else:
        counter.note_even(x, {"multiplications": number, "additions": number}, "BatchNorm")


def batch_norm(counter: "Counter", output: Any, x: Tensor, *_: Any) -> None:
    """``aten::native_batch_norm`` and its kin."""
    origin = counter.origins.of(x)
    normalisation(counter, x, origin)
    first = output[0] if isinstance(output, tuple) else output
    counter.origins.put(first, Origin(fold=origin.fold))


def sample_norm(counter: "Counter", output: Any, x: Tensor, *_: Any) -> None:
    """Layer and group norm: mean, variance, scale and shift of what came in, worked out anew each time."""
    counter.note_even(x, {"additions": 4 * x.numel(), "multiplications": 3 * x.numel()}, "norm")


def special(counter: "Counter", output: Any, x: Any, *_: Any) -> Origin:
    """A function that is neither sums nor products."""
    first = output[0] if isinstance(output, tuple) else output
    if counter.origins.of(x).constant:
        return Origin(constant=True)
    counter.note_uncounted(first, float(first.numel()))
    return NOTHING


def keeps(counter: "Counter", output: Any, x: Any, *_: Any) -> Origin:
    """Hand on what is known."""
    return counter.origins.of(x[0] if isinstance(x, list | tuple) and x else x)


def puts(counter: "Counter", output: Tensor, x: Tensor, *_: Any) -> Origin:
    """Hand on the unit, which the values are held against."""
    return replace(counter.origins.of(x), spikes=False)


def copies(counter: "Counter", output: Tensor, x: Any, source: Any, *_: Any) -> Origin:
    """What holds of what is copied."""
    return counter.origins.of(source)


def selects(counter: "Counter", output: Tensor, condition: Tensor, a: Any = 0, b: Any = 0) -> Origin:
    """One of two, value by value: nothing is computed. A zero is among any spikes."""
    parts = [counter.origins.of(x) for x in (a, b) if not (isinstance(x, int | float) and x == 0)]
    return replace(joined(parts), fold=None)


def signs(counter: "Counter", output: Tensor, x: Tensor) -> Origin:
    """A comparison a value; what comes out is −1, 0 or 1."""
    counter.note_even(output, {"comparisons": output.numel()})
    return Origin(unit=1.0)


def concatenates(counter: "Counter", output: Tensor, parts: Any, *_: Any) -> Origin:
    """What holds of all parts."""
    return joined([counter.origins.of(part) for part in parts])


Handler = Callable[..., Origin | None]

HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(KEEPS, keeps),
    **dict.fromkeys(PUTS, puts),
    **dict.fromkeys(MAKES, lambda *_: Origin(constant=True)),
    **dict.fromkeys(COMPARES, compares),
    **dict.fromkeys(SPECIAL, special),
    **dict.fromkeys(("add", "sub", "rsub"), sums),
    **dict.fromkeys(("mul", "div"), products),
    **dict.fromkeys(("relu", "clamp", "clamp_min", "clamp_max", "abs", "hardtanh", "threshold"), rectifies),
    **dict.fromkeys(("mean", "sum", "cumsum", "adaptive_avg_pool2d", *POOLS), means),
    **dict.fromkeys((*MAXIMA, *PAIRS), maxima),
    **dict.fromkeys(NORMS, batch_norm),
    **dict.fromkeys(("native_layer_norm", "native_group_norm"), sample_norm),
    **dict.fromkeys(("cat", "stack"), concatenates),
    "copy": copies,
    "where": selects,
    "sign": signs,
}
