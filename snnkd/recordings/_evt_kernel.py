"""The compiled decoders of Prophesee's streams: words in, events out, and all that is between them in ``state``.

A decoder ``decode(words, position, out, count, width, height, state)`` reads ``words`` from ``position`` on and
writes events, ``EVENT_DTYPE``, into ``out`` from ``count`` on. It returns both moved on, and stops at the end of the
words, when the next word might not fit into ``out``, or at a word that is wrong: then ``state[FAULT]`` says how, and
the position is that word's. ``state``, int64 ``(STATE,)`` by :func:`new_state`, holds what one word means to a later
one, so that a stream may be cut into blocks anywhere.

What the words mean is told in the modules that read the formats.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64
from numba.extending import intrinsic
from numpy.typing import NDArray

from snnkd.events._compile import njit

STATE = 32
FAULT, FAULT_X, FAULT_Y, FAULT_TIME = 0, 1, 2, 3
LAST = 4  # time of the last event
HIGH, LOW, LOOPS = 5, 6, 7  # time words, and how often their counter began anew
ROW, BASE, ON = 8, 9, 10  # EVT3: row, next column of a vector, its polarity; -1 where none was given yet
UNTIMED, UNPLACED, STALE = 11, 12, 13  # events that were left out, by reason
KINDS = 16  # words by the 4 bits of their type, from here on, of those that are neither event nor time nor place

OUTSIDE, BACKWARDS, POLARITY = 1, 2, 3  # faults

_NONE = np.iinfo(np.int64).min


def new_state() -> NDArray[np.int64]:
    """State before the first word."""
    state = np.zeros(STATE, np.int64)
    state[LAST] = _NONE
    state[[HIGH, ROW, BASE]] = -1
    return state


def _count_zeros(typingctx: Any, value: Any) -> Any:
    """Place of the lowest bit that is set, of an int64 that is not 0."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return int64(int64), emit


lowest_bit: Any = intrinsic(_count_zeros)


@njit(cache=True, nogil=True)
def wraps(before: int, now: int, bits: int) -> bool:
    """Whether a counter of so many bits has begun anew: it fell by at least 15/16 of its range.

    A bit that is flipped makes it fall by half the range at most.
    """
    return before - now >= 15 << (bits - 4)


@njit(cache=True, nogil=True)
def put(event: Any, x: int, y: int, time: int, on: bool) -> None:
    """Write one event of an array."""
    event["x"] = x
    event["y"] = y
    event["t"] = time
    event["p"] = on


@njit(cache=True, nogil=True)
def next_time_high(value: int, high: int, loops: int) -> tuple[int, int, int]:
    """EVT2 and EVT2.1: time high, its loops, and the time at which they begin, after the word ``value``."""
    if high >= 0 and wraps(high, value, 28):
        loops += 1
    return value, loops, (loops << 34) | (value << 6)


@njit(cache=True, nogil=True)
def decode_evt2(
    words: Any, position: int, out: Any, count: int, width: int, height: int, state: Any
) -> tuple[int, int]:
    """EVT2; ``words`` uint32 ``(N,)``, at most one event of each."""
    high, loops, last = state[HIGH], state[LOOPS], state[LAST]
    origin = (loops << 34) | (high << 6)
    room = out.shape[0] - 1
    while position < words.shape[0] and count <= room:
        word = int64(words[position])
        kind = word >> 28
        if kind <= 1:
            if high >= 0:
                time = origin | ((word >> 22) & 0x3F)
                x, y = (word >> 11) & 0x7FF, word & 0x7FF
                if x >= width or y >= height or time < last:
                    state[FAULT] = BACKWARDS if time < last else OUTSIDE
                    state[FAULT_X], state[FAULT_Y], state[FAULT_TIME] = x, y, time
                    break
                put(out[count], x, y, time, kind == 1)
                count += 1
                last = time
            else:
                state[UNTIMED] += 1
        elif kind == 8:
            high, loops, origin = next_time_high(word & 0xFFFFFFF, high, loops)
        else:
            state[KINDS + kind] += 1
        position += 1
    state[HIGH], state[LOOPS], state[LAST] = high, loops, last
    return position, count


@njit(cache=True, nogil=True)
def decode_evt21(
    words: Any, position: int, out: Any, count: int, width: int, height: int, state: Any
) -> tuple[int, int]:
    """EVT2.1; ``words`` uint32 ``(N, 2)``, the half with the type first; at most 32 events of each."""
    high, loops, last = state[HIGH], state[LOOPS], state[LAST]
    origin = (loops << 34) | (high << 6)
    room = out.shape[0] - 32
    while position < words.shape[0] and count <= room:
        word = int64(words[position, 0])
        kind = word >> 28
        if kind <= 1:
            valid = int64(words[position, 1])
            if high >= 0 and valid != 0:
                time = origin | ((word >> 22) & 0x3F)
                x, y = (word >> 11) & 0x7FF, word & 0x7FF
                if y >= height or time < last:
                    state[FAULT] = BACKWARDS if time < last else OUTSIDE
                    state[FAULT_X], state[FAULT_Y], state[FAULT_TIME] = x + lowest_bit(valid), y, time
                    break
                while valid != 0:
                    column = x + lowest_bit(valid)
                    if column >= width:
                        state[FAULT], state[FAULT_X] = OUTSIDE, column
                        state[FAULT_Y], state[FAULT_TIME] = y, time
                        break
                    valid &= valid - 1
                    put(out[count], column, y, time, kind == 1)
                    count += 1
                if valid != 0:
                    break
                last = time
            else:
                while valid != 0:
                    valid &= valid - 1
                    state[UNTIMED] += 1
        elif kind == 8:
            high, loops, origin = next_time_high(word & 0xFFFFFFF, high, loops)
        else:
            state[KINDS + kind] += 1
        position += 1
    state[HIGH], state[LOOPS], state[LAST] = high, loops, last
    return position, count


@njit(cache=True, nogil=True)
def decode_dat(words: Any, position: int, out: Any, count: int, width: int, height: int, state: Any) -> tuple[int, int]:
    """DAT; ``words`` uint32 ``(N, 2)``, the time first; one event of each."""
    before, loops, last = state[LOW], state[LOOPS], state[LAST]
    room = out.shape[0] - 1
    while position < words.shape[0] and count <= room:
        low, word = int64(words[position, 0]), int64(words[position, 1])
        if wraps(before, low, 32):
            loops += 1
        before = low
        time = (loops << 32) | low
        x, y, polarity = word & 0x3FFF, (word >> 14) & 0x3FFF, word >> 28
        if x >= width or y >= height or time < last or polarity > 1:
            state[FAULT] = BACKWARDS if time < last else POLARITY if polarity > 1 else OUTSIDE
            state[FAULT_X], state[FAULT_Y], state[FAULT_TIME] = x, y, time
            break
        put(out[count], x, y, time, polarity == 1)
        count += 1
        last = time
        position += 1
    state[LOW], state[LOOPS], state[LAST] = before, loops, last
    return position, count


@njit(cache=True, nogil=True)
def largest(events: Any, x: int, y: int) -> tuple[int, int]:
    """Largest column and row of events, and of ``x`` and ``y``."""
    for i in range(events.shape[0]):
        x = max(x, events[i]["x"])
        y = max(y, events[i]["y"])
    return x, y
