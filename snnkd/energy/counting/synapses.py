"""Convolutions and matrix products: where inputs meet weights."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from snnkd.energy.counting import fan_out, levels
from snnkd.energy.counting.origin import NOTHING, Origin

if TYPE_CHECKING:
    from snnkd.energy.counting.counter import Counter


def convolution(counter: "Counter", output: Tensor, x: Tensor, weight: Tensor, bias: Any, *settings: Any) -> Origin:
    """``aten::convolution``: one to three dimensions, transposed too."""
    of = counter.origins.of
    if of(x).constant:
        return Origin(constant=of(weight).constant)
    f = counter.fan_out(weight, (x.shape[1:], settings), lambda: fan_out.of_convolution(x.shape, weight, *settings))
    name = f"{'ConvTranspose' if settings[3] else 'Conv'}{x.ndim - 2}d"
    _count(counter, name, x, f, weight, output.numel())
    return Origin(fold="affine")


def matrix(counter: "Counter", output: Tensor, x: Tensor, weight: Tensor) -> Origin:
    """``x (N, K) @ weight (K, M)``; either of the two may be the constant one."""
    of = counter.origins.of
    if of(x).constant and of(weight).constant:
        return Origin(constant=True)
    if of(x).constant:
        return matrix(counter, output, weight.t(), x.t())
    if not of(weight).constant:
        return batched(counter, output, x[None], weight[None])
    f = counter.fan_out(weight, "matrix", lambda: fan_out.of_matrix(weight))
    _count(counter, "Linear", x, f, weight, output.numel())
    return Origin(fold="affine")


def batched(counter: "Counter", output: Tensor, a: Tensor, b: Tensor) -> Origin:
    """``a (G, N, K) @ b (G, K, M)``, both activations: attention, say.

    Of two analog factors every product is a MAC. A nonzero of one that is made of spikes adds a row or column of the
    other: an accumulate for each of its entries. A constant factor is a matrix of weights, or one for each group.
    """
    of = counter.origins.of
    if of(a).constant and of(b).constant:
        return Origin(constant=True)
    if of(a).constant:
        return batched(counter, output, b.transpose(1, 2), a.transpose(1, 2))
    if of(b).constant:
        if len(b) == 1 or b.stride(0) == 0:
            counter.origins.put(rows := a.flatten(0, 1), of(a))
            return matrix(counter, output, rows, b[0])
        for one, weight in zip(a, b, strict=True):
            counter.origins.put(one, of(a))
            counter.origins.put(weight, Origin(constant=True))
            matrix(counter, output[0], one, weight)
        return Origin(fold="affine")
    spiking = [_is_spiking(counter, t) for t in (a, b)]
    dense = torch.full((len(a),), float(a.shape[1] * a.shape[2] * b.shape[2]), dtype=torch.float64)
    if spiking[0] and spiking[1]:
        pairs = ((a != 0).sum(1, dtype=torch.float64) * (b != 0).sum(2, dtype=torch.float64)).sum(1)
    elif spiking[0]:
        pairs = torch.count_nonzero(a.flatten(1), dim=1).double() * b.shape[2]
    else:
        pairs = torch.count_nonzero(b.flatten(1), dim=1).double() * a.shape[1]
    row, place = counter.row("matmul"), counter.place(a.shape)
    row.outputs = max(row.outputs, output.numel() // max(counter.samples(a.shape), 1))
    done = {"accumulates": pairs} if any(spiking) else {"macs": dense}
    row.add(dense=place.spread(dense), **{name: place.spread(count.cpu()) for name, count in done.items()})
    return NOTHING


def attention(counter: "Counter", query: Tensor, key: Tensor, value: Tensor) -> Origin:
    """Fused attention, ``(…, L, E)``, ``(…, S, E)``, ``(…, S, V)``: scores and sums are MACs, the softmax uncounted."""
    *heads, length, width = query.shape
    number = float(torch.Size(heads).numel() * length * key.shape[-2])
    row, place = counter.row("matmul"), counter.place(query.shape)
    row.outputs = max(row.outputs, query.numel() // max(counter.samples(query.shape), 1))
    products = place.even(number * (width + value.shape[-1]))
    row.add(macs=products, dense=products)
    counter.note_uncounted(query, number)
    return NOTHING


def recurrent(counter: "Counter", output: Any, x: Tensor, inward: Tensor, around: Tensor) -> Origin:
    """A fused recurrent layer on ``(T, B, D)``: its input's and its state's weights, in each step.

    What its gates do beside (sigmoids, products) is inside of one operator, and uncounted.
    """
    kernel = counter.row("Linear", inward), counter.row("Linear", around)
    place = counter.place(x.shape)
    steps, batch = x.shape[:2]
    for row, weight in zip(kernel, (inward, around), strict=True):
        row.parameters = int(torch.count_nonzero(weight))
        number = place.even(float(row.parameters * steps * batch))
        row.add(macs=number, dense=number)
    counter.note_uncounted(x, 3.0 * inward.shape[0] * steps * batch)
    return NOTHING


def _is_spiking(counter: "Counter", x: Tensor) -> bool:
    origin = counter.origins.of(x)
    return origin.spikes or (origin.unit is not None and not origin.constant)


def _count(counter: "Counter", kind: str, x: Tensor, f: Tensor, weight: Tensor, outputs: int) -> None:
    """Note one call on rows ``x (N, ...)`` whose entries meet ``f (...)`` weights each."""
    row, place = counter.row(kind, weight), counter.place(x.shape, 1)
    origin = counter.origins.of(x)
    if not origin.spikes and not torch.isfinite(x.sum()) and not torch.isfinite(x).all():
        raise ValueError(f"layer {row.name}: its input holds NaN or infinite values")
    x = x.float() if x.dtype != torch.float64 else x
    grouped = place.group(x)
    found = levels.classify(grouped, origin.unit, origin.spikes, origin.analog)
    if bool((found.kinds == levels.ANALOG).all()):
        units = torch.zeros(len(x), dtype=torch.float64)
    else:
        units = fan_out.weigh(found.units.reshape(x.shape).float(), f, found.largest)
    each = f.sum(dtype=torch.float64).item()
    row.parameters = int(torch.count_nonzero(weight))
    row.outputs = max(row.outputs, outputs // max(counter.samples(x.shape), 1))
    row.add(
        found.kinds if place.known else found.kinds.max().expand(counter.batch),
        accumulates=place.spread(units.cpu()),
        dense=place.spread(torch.full((len(x),), each, dtype=torch.float64)),
        nonzeros=place.spread_grouped(found.nonzeros.cpu()),
        inputs=place.spread(torch.full((len(x),), float(f.numel()), dtype=torch.float64)),
    )
