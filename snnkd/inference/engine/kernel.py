r"""The compiled loops of the event-driven network: a step costs what its spikes cost.

A network is a table of operations, one row each, over flat arrays of weights, states and buffers; the columns are the
constants below; strides are 1 or 2. Activations lie as ``(H, W, C)``, weights of convolutions as ``(3, 3, C_in,
C_out)``: a spike at ``(y, x, c)`` adds the row ``w[k, l, c, :]`` to every output position that it reaches, and what is
silent costs nothing.

Sums have one order whatever the number of steps in a call: a stream gives the bits that the whole recording gives.
"""

from typing import Any

from snnkd.events._compile import njit

CODE, CHANNELS, HEIGHT, WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, STRIDE = range(8)
WEIGHT, BIAS, TARGET, ADDS, SLOW, SLOW_DECAY, SLOW_STATE, FAN_OUT, PLACE = range(8, 17)
"""``FAN_OUT``: where the weights that each input reaches begin; ``PLACE``: the operation's column among the counts"""
DECAY, THRESHOLD, STATE = WEIGHT, BIAS, SLOW_STATE
"""What neurons and the readout call the same columns"""
COLUMNS = 17

FROM_COUNTS, CONVOLVE, FIRE, READ = range(4)
"""Codes: convolution of the event counts, of spikes; neurons; readout"""


@njit(cache=True, nogil=True)
def run_steps(
    bins: Any,
    most: int,
    table: Any,
    weights: Any,
    fan_outs: Any,
    state: Any,
    buffers: Any,
    channels: Any,
    begins: Any,
    logits: Any,
    operations: Any,
    spikes: Any,
) -> None:
    """Run ``bins (T, 2, H, W)`` through ``table``; ``state`` is changed into that after the last step.

    ``most``: counts above are seen as this. ``buffers (2, N)`` hold currents, ``channels`` and ``begins`` the spikes
    of the layer at hand: those of position ``p`` are ``channels[begins[p] : begins[p + 1]]``. Written: ``logits
    (T, K)``, ``operations (T, S)`` synaptic ones by layer, ``spikes (T, L)`` by layer.
    """
    for t in range(bins.shape[0]):
        for row in table:
            code = row[CODE]
            if code == FIRE:
                spikes[t, row[PLACE]] = _fire(row, weights, state, buffers[row[TARGET]], channels, begins)
            elif code == READ:
                operations[t, row[PLACE]] = _read(row, weights, fan_outs, state, channels, begins, logits[t])
            else:
                current = buffers[row[TARGET]]
                _begin(row, weights, current)
                if code == FROM_COUNTS:
                    done = _add_counts(row, bins[t], most, weights, fan_outs, current)
                else:
                    done = _add_spikes(row, weights, fan_outs, channels, begins, current)
                operations[t, row[PLACE]] = done
                if row[SLOW] > 0:
                    _slow(row, weights, state, current)


@njit(cache=True, nogil=True)
def _begin(row: Any, weights: Any, current: Any) -> None:
    """Before the sums: the bias, or zeros where slow synapses come before it, or what a shortcut brings."""
    width, positions = row[OUT_CHANNELS], row[OUT_HEIGHT] * row[OUT_WIDTH]
    bias = weights[row[BIAS] : row[BIAS] + width]
    if row[ADDS]:
        for p in range(positions):
            at = current[p * width : (p + 1) * width]
            for o in range(width):
                at[o] += bias[o]
    elif row[SLOW] > 0:
        current[: positions * width] = 0.0
    else:
        for p in range(positions):
            current[p * width : (p + 1) * width] = bias


@njit(cache=True, nogil=True)
def _add_counts(row: Any, image: Any, most: int, weights: Any, fan_outs: Any, current: Any) -> int:
    """A convolution of event counts ``(2, H, W)``."""
    height, width, out, rows, columns = row[HEIGHT], row[WIDTH], row[OUT_CHANNELS], row[OUT_HEIGHT], row[OUT_WIDTH]
    shift = row[STRIDE] - 1
    done = 0
    for y in range(height):
        for x in range(width):
            for c in range(2):
                count = min(int(image[c, y, x]), most)
                if count == 0:
                    continue
                done += count * fan_outs[row[FAN_OUT] + (y * width + x) * 2 + c]
                value = weights.dtype.type(count)
                for k in range(3):
                    v = y + 1 - k
                    if v < 0 or v & shift or v >> shift >= rows:
                        continue
                    for l in range(3):  # noqa: E741
                        u = x + 1 - l
                        if u < 0 or u & shift or u >> shift >= columns:
                            continue
                        to = ((v >> shift) * columns + (u >> shift)) * out
                        of = row[WEIGHT] + ((k * 3 + l) * 2 + c) * out
                        target, weight = current[to : to + out], weights[of : of + out]
                        for o in range(out):
                            target[o] += value * weight[o]
    return done


@njit(cache=True, nogil=True)
def _add_spikes(row: Any, weights: Any, fan_outs: Any, channels: Any, begins: Any, current: Any) -> int:
    """A convolution of spikes: four rows of weights at a time, so that the target is read and written once for them."""
    height, width, depth, out = row[HEIGHT], row[WIDTH], row[CHANNELS], row[OUT_CHANNELS]
    shift, rows, columns = row[STRIDE] - 1, row[OUT_HEIGHT], row[OUT_WIDTH]
    done = 0
    for y in range(height):
        for x in range(width):
            p = y * width + x
            begin, end = begins[p], begins[p + 1]
            if begin == end:
                continue
            for i in range(begin, end):
                done += fan_outs[row[FAN_OUT] + p * depth + channels[i]]
            for k in range(3):
                v = y + 1 - k
                if v < 0 or v & shift or v >> shift >= rows:
                    continue
                for l in range(3):  # noqa: E741
                    u = x + 1 - l
                    if u < 0 or u & shift or u >> shift >= columns:
                        continue
                    to = ((v >> shift) * columns + (u >> shift)) * out
                    target = current[to : to + out]
                    of = row[WEIGHT] + (k * 3 + l) * depth * out
                    i = begin
                    while i + 4 <= end:
                        a = weights[of + channels[i] * out :][:out]
                        b = weights[of + channels[i + 1] * out :][:out]
                        c = weights[of + channels[i + 2] * out :][:out]
                        d = weights[of + channels[i + 3] * out :][:out]
                        for o in range(out):
                            target[o] += (a[o] + b[o]) + (c[o] + d[o])
                        i += 4
                    while i < end:
                        a = weights[of + channels[i] * out :][:out]
                        for o in range(out):
                            target[o] += a[o]
                        i += 1
    return done


@njit(cache=True, nogil=True)
def _slow(row: Any, weights: Any, state: Any, current: Any) -> None:
    """Slow synapses of the first channels, then the bias of all."""
    width, positions, slow = row[OUT_CHANNELS], row[OUT_HEIGHT] * row[OUT_WIDTH], row[SLOW]
    bias = weights[row[BIAS] : row[BIAS] + width]
    decay = weights[row[SLOW_DECAY] : row[SLOW_DECAY] + slow]
    for p in range(positions):
        at = current[p * width : (p + 1) * width]
        held = state[row[SLOW_STATE] + p * slow :][:slow]
        for o in range(slow):
            held[o] = decay[o] * held[o] + at[o]
            at[o] = held[o]
        for o in range(width):
            at[o] += bias[o]


@njit(cache=True, nogil=True)
def _fire(row: Any, weights: Any, state: Any, current: Any, channels: Any, begins: Any) -> int:
    """Neurons: ``h = βv + x``, a spike where ``h ≥ θ``, ``v = h − sθ``; the spikes are listed by position."""
    width, positions = row[CHANNELS], row[HEIGHT] * row[WIDTH]
    decay = weights[row[DECAY] : row[DECAY] + width]
    threshold = weights[row[THRESHOLD] : row[THRESHOLD] + width]
    number = 0
    for p in range(positions):
        begins[p] = number
        at = current[p * width : (p + 1) * width]
        held = state[row[STATE] + p * width :][:width]
        for c in range(width):
            held[c] = decay[c] * held[c] + at[c]
        for c in range(width):
            channels[number] = c
            number += held[c] >= threshold[c]
        for c in range(width):
            held[c] -= threshold[c] if held[c] >= threshold[c] else weights.dtype.type(0)
    begins[positions] = number
    return number


@njit(cache=True, nogil=True)
def _read(row: Any, weights: Any, fan_outs: Any, state: Any, channels: Any, begins: Any, logits: Any) -> int:
    """The readout: a leaky integrator of a linear layer of the last spikes."""
    classes, depth, positions = row[OUT_CHANNELS], row[CHANNELS], row[HEIGHT] * row[WIDTH]
    logits[:] = weights[row[BIAS] : row[BIAS] + classes]
    done = 0
    for p in range(positions):
        for i in range(begins[p], begins[p + 1]):
            place = p * depth + channels[i]
            done += fan_outs[row[FAN_OUT] + place]
            weight = weights[row[WEIGHT] + place * classes :][:classes]
            for k in range(classes):
                logits[k] += weight[k]
    decay = weights[row[SLOW_DECAY]]
    for k in range(classes):
        logits[k] += decay * state[row[STATE] + k]
        state[row[STATE] + k] = logits[k]
    return done
