"""Encoders of Prophesee's formats, written from their documentation: what the readers are held against.

Each makes the words of a stream that a camera could have sent for the events, (x, y, t, p) as columns of equal
length with ``t`` in order. ``clutter`` is the share of places where words come that carry no events.
"""

import numpy as np

TRIGGER, OTHERS, CONTINUED_4, CONTINUED_12 = 0xA, 0xE, 0x7, 0xF


def header(*lines, end=True):
    return "".join(f"% {line}\n" for line in (*lines, *(["end"] if end else []))).encode()


EVT3_HEADER = header("evt 3.0", "format EVT3;height=720;width=1280", "geometry 1280x720")
EVT2_HEADER = header("evt 2.0", "geometry 1280x720")
DAT_HEADER = header("Data file containing CD events", "Version 2", "Width 1280", "Height 720", end=False) + b"\x0c\x08"


def evt21_header(order):
    return header("evt 2.1", f"format EVT21;height=720;width=1280;endianness={order}")


class Evt3:
    """Word after word of an EVT3 stream; remembers what was sent, and sends again only what is another."""

    def __init__(self, rng=None, clutter=0.0):
        self.words = []
        self.rng = rng or np.random.default_rng(0)
        self.clutter = clutter
        self.high = self.low = self.row = None

    def word(self, kind, value):
        self.words.append(kind << 12 | value)

    def noise(self):
        """Now and then what is no event: a repeated time high, a trigger with a time low of its own, a counter."""
        if self.rng.random() >= self.clutter:
            return
        which = self.rng.integers(5)
        if which == 0 and self.high is not None:
            self.word(8, self.high & 0xFFF)
            if self.low is not None:
                self.word(6, self.low)
        elif which == 1 and self.low is not None:
            self.word(6, int(self.rng.integers(self.low + 1)))
            self.word(TRIGGER, int(self.rng.integers(2)) | int(self.rng.integers(2)) << 8)
            self.word(6, self.low)
        elif which == 2:
            self.word(OTHERS, 0x14)
            self.word(CONTINUED_12, int(self.rng.integers(4096)))
            self.word(CONTINUED_12, int(self.rng.integers(4096)))
            self.word(CONTINUED_4, int(self.rng.integers(16)))
        elif which == 3:
            self.word(int(self.rng.choice([0x9, 0xB, 0xC, 0xD])), int(self.rng.integers(4096)))
        elif self.row is not None:
            self.word(0, self.row)

    def time(self, t):
        high, low = t >> 12, t & 0xFFF
        if high != self.high:
            # A camera says its time in silence, too: no step is over the counter's range.
            for passed in range(high if self.high is None else self.high + 100, high, 100):
                self.word(8, passed & 0xFFF)
            self.word(8, high & 0xFFF)
        if high != self.high or low != self.low:
            self.word(6, low)
        self.high, self.low = high, low

    def at_row(self, y):
        if y != self.row:
            self.word(0, y)
        self.row = y

    def event(self, x, p):
        self.word(2, p << 11 | x)

    def vector(self, x, p, valid, width=32):
        """A vector of 32 (12 + 12 + 8) pixels, 12 or 8, after its base."""
        self.word(3, p << 11 | x)
        for kind, bits in {32: ((4, 12), (4, 12), (5, 8)), 12: ((4, 12),), 8: ((5, 8),)}[width]:
            self.word(kind, valid & (1 << bits) - 1)
            valid >>= bits

    def add(self, x, y, t, p):
        """Events in order: those of one time, row and polarity with growing x may go into one vector."""
        i = 0
        while i < len(x):
            self.noise()
            self.time(int(t[i]))
            self.at_row(int(y[i]))
            same = 1
            while i + same < len(x) and (t[i + same], y[i + same], p[i + same]) == (t[i], y[i], p[i]):
                if not x[i + same - 1] < x[i + same] < x[i] + 32:
                    break
                same += 1
            self.noise()
            if same == 1 and self.rng.random() < 0.8:
                self.event(int(x[i]), int(p[i]))
            else:
                offsets = [int(x[i + k] - x[i]) for k in range(same)]
                valid = sum(1 << k for k in offsets)
                narrow = 8 if offsets[-1] < 8 else 12 if offsets[-1] < 12 else 32
                self.vector(int(x[i]), int(p[i]), valid, narrow if self.rng.random() < 0.5 else 32)
            i += same
        return self

    def data(self):
        return np.array(self.words, "<u2").tobytes()


def evt3(x, y, t, p, clutter=0.0, seed=0):
    return Evt3(np.random.default_rng(seed), clutter).add(x, y, t, p).data()


def _time_highs(t, period):
    """For each event the time highs that come before it: its own where it changed, and those passed in silence."""
    last = None
    for now in (np.asarray(t, np.int64) >> 6).tolist():
        if last is None:
            yield [now % period]
        elif now == last:
            yield []
        else:
            steps = range(last + (1 << 22), now, 1 << 22)
            yield [*(n % period for n in steps), now % period]
        last = now


def _clutter(rng, share):
    """EVT2 words that are no events: a trigger, or others with a word more."""
    if rng.random() >= share:
        return []
    kind = rng.choice([TRIGGER, OTHERS, 0x5, 0xC])
    more = [0xF << 28 | int(rng.integers(1 << 28))] if kind == OTHERS else []
    return [int(kind) << 28 | int(rng.integers(1 << 28)), *more]


def evt2(x, y, t, p, clutter=0.0, seed=0):
    rng, words = np.random.default_rng(seed), []
    high = 0
    for a, b, now, on, highs in zip(x, y, t, p, _time_highs(t, 1 << 28), strict=True):
        for high in highs:
            words.append(8 << 28 | high)
        if rng.random() < clutter:
            words.append(8 << 28 | high)  # said again
        words += _clutter(rng, clutter)
        words.append(int(on) << 28 | (int(now) & 63) << 22 | int(a) << 11 | int(b))
    return np.array(words, "<u4").tobytes()


def evt21(x, y, t, p, order="little", clutter=0.0, seed=0):
    rng, words = np.random.default_rng(seed), []
    highs, i = list(_time_highs(t, 1 << 28)), 0
    while i < len(x):
        for high in highs[i]:
            words.append((8 << 28 | high, 0))
        words += [(word, int(rng.integers(1 << 32))) for word in _clutter(rng, clutter)]
        same = 1
        while i + same < len(x) and (t[i + same], y[i + same], p[i + same]) == (t[i], y[i], p[i]):
            if not x[i + same - 1] < x[i + same] < x[i] + 32:
                break
            same += 1
        valid = sum(1 << int(x[i + k] - x[i]) for k in range(same))
        words.append((int(p[i]) << 28 | (int(t[i]) & 63) << 22 | int(x[i]) << 11 | int(y[i]), valid))
        i += same
    if order == "legacy":
        return np.array(words, "<u4").tobytes()
    return np.array([upper << 32 | lower for upper, lower in words], "<u8").tobytes()


def dat(x, y, t, p):
    records = np.empty(len(x), [("t", "<u4"), ("place", "<u4")])
    records["t"] = np.asarray(t, np.int64) % (1 << 32)
    x, y, p = (np.asarray(column, np.uint32) for column in (x, y, p))
    records["place"] = p << 28 | y << 14 | x
    return records.tobytes()
