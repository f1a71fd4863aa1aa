"""How threads share the tiles of neurons, and what is per channel gets into a tile and out of it.

Neurons come in samples of a period, after which the channels are the same again. A tile lies within one sample, and
those that lie in the same place of each, a column, follow each other. All neurons are one sample where there are no
parameters per channel, where a tile holds whole periods, and where a period is no multiple of a line of memory.

A kernel may go over its tiles in several phases. Who finds no chunk left waits until all are finished, and not until
all threads have come: fewer may run than were asked for. Each chunk that was taken is with a thread that runs, so that
waiting ends. Therefore nothing may raise between taking a chunk and announcing it: no allocation, no checked index, no
division that Python would refuse. A thread that left in between would keep all others waiting for ever.

What threads do before they take their first chunk, each for all, may be done again by one that comes late, while others
already read it: it may write nothing but the values that are there.
"""

from numba import carray

from snnkd.spiking.backends.cpu import steps
from snnkd.spiking.backends.cpu import words as w
from snnkd.spiking.backends.cpu.scalars import give_way, next_index, pause, pointer, seen
from snnkd.spiking.backends.cpu.words import compiled, summing

ADDITIONS = 2048
"""Values that are added up in the state's precision before fp64 takes the sum, or one tile's steps."""

POLLS = 16
"""Looks at a word that is waited for, before the processor is offered to others."""


@compiled
def columns(a):
    """Return how many tiles a sample has."""
    return (a[w.PERIOD] + a[w.TILE] - 1) // a[w.TILE]


@compiled
def word(a, index):
    """Return where one of the arguments is."""
    return pointer(a.ctypes.data + 8 * index)


@compiled
def next_chunk(a, phase):
    """Return the next run of tiles, ``(number, begin, end)``; empty when all are taken."""
    number = next_index(word(a, w.TAKEN + phase))
    total = columns(a) * a[w.SAMPLES]
    begin = min(number * a[w.CHUNK], total)
    return number, begin, min(begin + a[w.CHUNK], total)


@compiled
def place(a, index):
    """Return the first neuron of a tile and how many it has; tiles go through the samples, column after column."""
    offset = index // a[w.SAMPLES] * a[w.TILE]
    return index % a[w.SAMPLES] * a[w.PERIOD] + offset, min(a[w.TILE], a[w.PERIOD] - offset)


@compiled
def column(a, index):
    """Return a number that tiles share whose neurons have the same channels: parameters and sums serve all of them."""
    repeats = a[w.INNER] == 1 and a[w.TILE] % a[w.CHANNELS] == 0
    return 0 if repeats else index // a[w.SAMPLES]


@compiled
def closes(a, index, end):
    """Whether sums are to be gathered after the tile: the last of its column before ``end``, or one of many.

    What is added up in the state's precision between two gatherings is bounded, whatever the size.
    """
    often = max(1, ADDITIONS // max(a[w.STEPS], 1))
    return index + 1 == end or column(a, index + 1) != column(a, index) or (index + 1) % often == 0


@compiled
def array(address, size, one):
    """View ``size`` elements of the type of ``one``."""
    return carray(pointer(address), (size,), type(one))


@compiled
def workspace(a, one):
    """Return a thread's own scratch, and its number. Kernels allocate nothing: nobody could tell that it failed."""
    slot = next_index(word(a, w.SLOTS))
    size = steps.SCRATCH
    return array(a[w.SCRATCH], (slot + 1) * size, one)[slot * size :], slot


@compiled
def spread(S, offset, values, start, n, inner):
    """Spread values per channel over the tile that begins at neuron ``start``."""
    channels = values.size
    if inner == 1:
        # Channel after channel: written once, then copied in doubling pieces.
        done = min(channels, n)
        for j in range(done):
            S[offset + j] = values[(start + j) % channels]
        while done < n:
            more = min(done, n - done)
            S[offset + done : offset + done + more] = S[offset : offset + more]
            done += more
        return
    j = 0
    while j < n:
        run = min(inner - (start + j) % inner, n - j)
        value = values[((start + j) // inner) % channels]
        for i in range(run):
            S[offset + j + i] = value
        j += run


@compiled
def spread_parameters(S, a, start, n, one, per_channel, affine):
    """Fill the tile's parameters, where they differ between neurons."""
    channels, inner = a[w.CHANNELS], a[w.INNER]
    if per_channel:
        spread(S, steps.BETA, array(a[w.BETA], channels, one), start, n, inner)
        spread(S, steps.THRESHOLD, array(a[w.THRESHOLD], channels, one), start, n, inner)
    if affine:
        spread(S, steps.MEAN, array(a[w.MEAN], channels, one), start, n, inner)
        spread(S, steps.SCALE, array(a[w.SCALE], channels, one), start, n, inner)
        spread(S, steps.BIAS, array(a[w.BIAS], channels, one), start, n, inner)
        if a[w.SCALED]:
            S[steps.OUT : steps.OUT + n] = S[steps.SCALE : steps.SCALE + n]
        else:
            S[steps.OUT : steps.OUT + n] = one


@summing
def gather(S, quantity, totals, start, n, inner):
    """Add one quantity of the tile to the totals of its neurons' channels, fp64, and set it to zero."""
    channels = totals.size
    j = 0
    while j < n:
        if channels == 1:
            run = n
            totals[0] += add(S[quantity : quantity + n])
        elif inner == 1:
            first = (start + j) % channels
            run = min(channels - first, n - j)
            for i in range(run):
                totals[first + i] += S[quantity + j + i]
        else:
            run = min(inner - (start + j) % inner, n - j)
            totals[((start + j) // inner) % channels] += add(S[quantity + j : quantity + j + run])
        j += run
    S[quantity : quantity + n] = 0


@compiled
def is_last(a, phase):
    """Count a finished chunk; whether all now are."""
    return next_index(word(a, w.FINISHED + phase)) == a[w.CHUNKS] - 1


@compiled
def announce(a, phase):
    """Let those go on who wait for what follows from a phase."""
    next_index(word(a, w.READY + phase))


@compiled
def wait_for(a, phase):
    """Wait until that is there; without chunks there is nothing to wait for."""
    looks = 0
    while a[w.CHUNKS] > 0 and seen(word(a, w.READY + phase)) == 0:
        looks += 1
        if looks % POLLS == 0:
            give_way()
        else:
            pause()


@compiled
def add_up(totals, chunks, size):
    """Add the chunks' ``size`` totals into the first one's, in order: it does not depend on which thread was first."""
    for chunk in range(1, chunks):
        for i in range(size):
            totals[i] += totals[chunk * size + i]


@summing
def add(values):
    """Return the sum in fp64, in whatever order is quick."""
    total = 0.0
    for value in values:
        total += value
    return total


@compiled
def enter(S, quantity, address, start, n, total, one):
    """Read one quantity of the tile from ``total`` neurons' values; zeros where there are none (address 0)."""
    if address != 0:
        S[quantity : quantity + n] = array(address, total, one)[start : start + n]
    else:
        S[quantity : quantity + n] = 0
