"""The CPU's kernels on whatever threads there are: the same bits from any number, and no waiting for one that is not.

A kernel may have phases, of which the next one begins when all tiles of the one before are finished.
"""

import ctypes
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from snnkd.spiking import lif, norm_lif
from snnkd.spiking.backends.cpu import team
from snnkd.spiking.backends.cpu import words as w

# A kernel that waits for ever is native code, where no signal's handler runs: a thread ends the process instead.
pytestmark = pytest.mark.timeout(120, method="thread")


def in_a_forked_child(good):
    """Whether ``good()`` there; a child that does not end is killed."""
    child = os.fork()
    if child == 0:
        found = False
        try:
            found = good()
        finally:
            os._exit(0 if found else 1)
    for _ in range(3000):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the forked child did not end within 30 s")


def test_threads_of_python_and_forked_children_get_the_same():
    x = torch.randn(16, 4, 8, 32, 32)
    expected = lif(x)[0]
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(lif_result, expected) for lif_result in pool.map(lambda _: lif(x)[0], range(24)))
    summed = expected.numpy().sum()
    assert in_a_forked_child(lambda: lif(x)[0].numpy().sum() == summed)


def test_kernels_run_without_openmp(monkeypatch):
    x = torch.randn(16, 4, 8, 32, 32)
    expected = lif(x)[0]
    monkeypatch.setattr(team, "_openmp", lambda process: None)
    assert torch.equal(lif(x)[0], expected)


LAYOUTS = {"rows": (16, 4, 8, 16, 16), "channels last": (16, 4, 16, 16, 8), "far from the mean": (16, 4, 8, 16, 16)}


def given(layout):
    """Input, the four values per channel, and the gradient from above."""
    numbers = torch.Generator().manual_seed(0)  # of this call, as several run at once
    x, grad = (torch.randn(LAYOUTS[layout], generator=numbers) for _ in range(2))
    if layout == "channels last":
        x, grad = x.movedim(-1, 2), grad.movedim(-1, 2)
    if layout == "far from the mean":
        x = 1e-3 * x
        images = x.flatten(0, 1)
        images[0, :, 0, 0] = images[31, :, 0, 0] = 100  # two of the three values of which the pivot is the middle one
    return x, *(torch.rand(8, generator=numbers) + 0.5 for _ in range(4)), grad


def forward(x, weight, bias, beta, threshold):
    mean, variance = torch.zeros(8), torch.ones(8)
    spikes, state = norm_lif(x, mean, variance, weight, bias, beta, threshold, training=True)
    return [spikes, state, mean, variance]


def normed(layout):
    """Every result of batch norm and neuron in one: forward has two phases, or three, and backward two."""
    *leaves, grad = given(layout)
    results = forward(*(leaf.requires_grad_() for leaf in leaves))
    return [*results, *torch.autograd.grad(results[0], leaves, grad)]


def same(ours, expected):
    return all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def expected(layout):
    """What one thread computes, which waits for nobody; the test itself has two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    results = normed(layout)
    torch.set_num_threads(2)
    yield results
    torch.set_num_threads(before)


def test_three_phases_run_where_the_pivots_are_far_from_the_mean(layout, monkeypatch):
    far, run = [], team.run

    def watched(kernel, a, *rest, **options):
        run(kernel, a, *rest, **options)
        far.append(a[w.FAR])

    monkeypatch.setattr(team, "run", watched)
    *values, _ = given(layout)
    forward(*values)
    assert far == [int(layout == "far from the mean")]


def test_phases_give_the_same_on_any_number_of_threads(layout, expected):
    for threads in (2, 3, 7):
        torch.set_num_threads(threads)
        assert same(normed(layout), expected)


def test_phases_run_side_by_side_and_without_openmp(layout, expected, monkeypatch):
    with ThreadPoolExecutor(4) as pool:
        assert all(same(ours, expected) for ours in pool.map(normed, [layout] * 12))
    monkeypatch.setattr(team, "_openmp", lambda process: None)
    assert same(normed(layout), expected)


def test_phases_run_in_a_forked_child(layout, expected):
    *values, _ = given(layout)
    arrays = [value.detach().numpy() for value in expected[:4]]

    def good():
        # Nothing of torch's own here: its operations would wait for threads that a child does not have.
        return all((a.numpy() == b).all() for a, b in zip(forward(*values), arrays, strict=True))

    assert in_a_forked_child(good)


def on_one(run, threads):
    """A runtime that gives one thread, whatever is asked for."""
    run()


def one_after_the_other(run, threads):
    """Threads of which each comes when the one before has finished everything."""
    for _ in range(threads):
        run()


def all_at_once(run, threads):
    """Threads more than there are processors, which run in turns."""
    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


@pytest.mark.parametrize("start", [on_one, one_after_the_other, all_at_once])
def test_phases_wait_for_work_and_not_for_threads(layout, start, expected, monkeypatch):
    torch.set_num_threads(6)

    def parallel(kernel, arguments, threads, flags):
        start(lambda: ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel)(arguments), threads)

    monkeypatch.setattr(team, "_openmp", lambda process: parallel)
    assert same(normed(layout), expected)


class Withheld:
    """A runtime of two threads: the first does all chunks, but one of a phase counts as not finished, as if another
    thread were at it; the second, which comes when the first was seen to wait, does that one again and finishes it.
    """

    def __init__(self, phase, written):
        self.phase, self.written = phase, written
        self.waited = self.untouched = False

    def __call__(self, kernel, arguments, threads, flags):
        a = np.ctypeslib.as_array(ctypes.cast(arguments, ctypes.POINTER(ctypes.c_int64)), (w.WORDS,))
        size = int(a[w.STEPS] * a[w.NEURONS])
        out = np.ctypeslib.as_array(ctypes.cast(int(a[self.written]), ctypes.POINTER(ctypes.c_float)), (size,))
        finished, chunks = w.FINISHED + self.phase, int(a[w.CHUNKS])
        assert chunks > 1
        out[:] = -7
        a[finished] = -1
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel)
        first, second = (threading.Thread(target=run, args=(arguments,)) for _ in range(2))
        first.start()
        while first.is_alive() and a[finished] != chunks - 1:
            time.sleep(0.001)
        before = out.copy()
        first.join(0.3)
        self.waited, self.untouched = first.is_alive(), bool((out == before).all())
        self.sentinel = bool((out == -7).all())
        a[w.TAKEN + self.phase] = chunks - 1
        second.start()
        second.join()
        first.join()


WAYS = [(layout, 0, way) for layout in LAYOUTS for way in ("forward", "backward")]


@pytest.mark.parametrize(("layout", "phase", "way"), [*WAYS, ("far from the mean", 1, "forward")], indirect=["layout"])
def test_no_phase_begins_before_the_last_chunk_of_the_one_before(layout, phase, way, expected, monkeypatch):
    *leaves, grad = given(layout)
    runtime = Withheld(phase, w.OUT if way == "forward" else w.GRAD_X)
    if way == "forward":
        monkeypatch.setattr(team, "_openmp", lambda process: runtime)
    results = forward(*(leaf.requires_grad_() for leaf in leaves))
    monkeypatch.setattr(team, "_openmp", lambda process: runtime if way == "backward" else None)
    results += torch.autograd.grad(results[0], leaves, grad)
    assert runtime.waited
    assert runtime.untouched
    # Backward writes the current's gradients there before it waits.
    assert runtime.sentinel == (way == "forward")
    assert same(results, expected)


def test_words_may_be_used_again(monkeypatch):
    x, run = torch.randn(16, 4, 8, 32, 32), team.run
    expected = lif(x)[0]

    def twice(kernel, a, *rest, **options):
        run(kernel, a, *rest, **options)
        size = a[w.STEPS] * a[w.NEURONS]
        ctypes.memset(a[w.OUT], 0xFF, 4 * size)
        run(kernel, a, *rest, **options)

    monkeypatch.setattr(team, "run", twice)
    assert torch.equal(lif(x)[0], expected)


def test_a_refused_call_leaves_nothing_for_the_next_of_its_shape():
    x, bad = torch.randn(4, 2, 3, 5, 5), torch.full((4, 2, 3, 5, 5), float("nan"))
    ones, zeros = torch.ones(3), torch.zeros(3)
    for run in (lif, lambda x: norm_lif(x, zeros.clone(), ones.clone(), ones, zeros, training=True)):
        expected = run(x)
        with pytest.raises(ValueError, match="x must be finite, got 600 NaN"):
            run(bad)
        assert same(run(x), expected)
