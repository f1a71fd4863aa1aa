"""Threads: how many, errors that come back, and worker processes of every kind."""

import multiprocessing
import os
import sys
import threading
import time
import types

import numpy as np
import pytest

from snnkd.events import _layout, _threads, bin_by_span, make_events

N = 50_000


def some_events():
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 1_000_000, N))
    return make_events(rng.integers(0, 40, N), rng.integers(0, 30, N), t, rng.integers(0, 2, N))


def bin_in_worker(queue, forced):
    told = _threads.threads()
    if forced:
        _layout.threads = lambda: 3
        _layout.MIN_PARALLEL = 0
    queue.put((told, bin_by_span(some_events(), (40, 30), 50)))


@pytest.mark.parametrize("forced", [False, True], ids=["alone", "with threads of its own"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_gets_the_same_bins(method, forced, monkeypatch):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    monkeypatch.setattr(_layout, "threads", lambda: 3)
    monkeypatch.setattr(_layout, "MIN_PARALLEL", 0)
    expected = bin_by_span(some_events(), (40, 30), 50)  # the parent's pool is running when it forks
    assert any(thread.name.startswith("snnkd-kernel") for thread in threading.enumerate())
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    worker = context.Process(target=bin_in_worker, args=(queue, forced))
    worker.start()
    told, bins = queue.get(timeout=120)
    worker.join(timeout=60)
    assert worker.exitcode == 0
    assert told == 1
    np.testing.assert_array_equal(bins, expected)


@pytest.mark.parametrize(("wanted", "allowed", "expected"), [(3, 8, 3), (16, 4, 4), (1, 4, 1)])
def test_the_number_is_torchs_and_never_more_than_allowed(monkeypatch, wanted, allowed, expected):
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(get_num_threads=lambda: wanted))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    assert _threads.threads() == expected


def test_without_torch_the_number_is_numbas(monkeypatch):
    from numba.core import config

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert _threads.threads() == 2


@pytest.mark.parametrize("count", [1, 2, 4])
def test_results_are_in_the_order_of_the_tasks(count):
    assert _threads.run([lambda i=i: i * i for i in range(50)], count) == [i * i for i in range(50)]
    assert _threads.run([], count) == []


@pytest.mark.parametrize("count", [1, 3])
def test_an_error_in_a_task_comes_back(count):
    def fail():
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        _threads.run([lambda: 1, fail, lambda: 2, fail], count)


@pytest.mark.parametrize("fails_in_main", [True, False])
def test_an_error_comes_back_from_whichever_thread_it_is_in(fails_in_main):
    both = threading.Barrier(2, timeout=60)

    def task():
        both.wait()  # so that each of the two threads has one of the two tasks
        if (threading.current_thread() is threading.main_thread()) == fails_in_main:
            raise MemoryError("no room")
        return 1

    with pytest.raises(MemoryError, match="no room"):
        _threads.run([task, task], 2)


def test_a_thread_that_has_not_begun_is_not_waited_for():
    done = threading.Event()
    busy = _threads._pool(os.getpid(), 1).submit(done.wait, 60)  # the one helper is taken
    try:
        assert _threads.run([lambda: 1, lambda: 2, lambda: 3], 2) == [1, 2, 3]
        assert not busy.done()
    finally:
        done.set()


@pytest.mark.parametrize("while_waiting", [False, True])
def test_an_interrupt_waits_for_the_threads_too(monkeypatch, while_waiting):
    begun, finished = threading.Event(), threading.Event()

    def task():
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            time.sleep(0.3)
            finished.set()
        else:
            assert begun.wait(60)
            if not while_waiting:
                raise KeyboardInterrupt

    interrupts = [KeyboardInterrupt, KeyboardInterrupt] if while_waiting else []

    def interrupted_wait(others):
        if interrupts:
            raise interrupts.pop()
        return wait(others)

    wait = _threads.wait
    monkeypatch.setattr(_threads, "wait", interrupted_wait)
    with pytest.raises(KeyboardInterrupt):
        _threads.run([task, task], 2)
    assert finished.is_set()
