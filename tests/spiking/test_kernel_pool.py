"""Kernels on a pool of Python's threads: memory that they work in outlives them, whatever goes wrong meanwhile."""

import threading
import time
from array import array

import pytest

from snnkd.spiking.backends.cpu import team
from snnkd.spiking.backends.cpu import words as w

pytestmark = pytest.mark.timeout(60, method="thread")

THREADS = 3


class Kernel:
    """Counts who came and who left. Others than the first thread stay until they are let go, a while later."""

    def __init__(self):
        self.caller = threading.current_thread()
        self.came, self.left = [], []
        self.inside, self.let_go = threading.Event(), threading.Event()

    def ctypes(self, address):
        me = threading.current_thread()
        self.came.append(me)
        if me is not self.caller:
            self.inside.set()
            assert self.let_go.wait(30)
        self.at_work(me)
        self.left.append(me)

    def at_work(self, me):
        if me is self.caller:
            assert self.inside.wait(30)

    def soon_let_go(self):
        threading.Timer(0.2, self.let_go.set).start()


@pytest.fixture
def run(monkeypatch):
    """``run(kernel)`` on a pool of its own."""
    monkeypatch.setattr(team, "_openmp", lambda process: None)
    monkeypatch.setattr(team.torch, "get_num_threads", lambda: THREADS)
    team._pool.cache_clear()
    words = array("q", bytes(8 * w.WORDS))
    words[w.CHUNKS], words[w.TILE] = 8, 64
    yield lambda kernel: team.run(kernel, words, team.MIN_PARALLEL)
    team._pool.cache_clear()


def flush(pool):
    """Have all that is queued begin and end."""
    for future in [pool.submit(time.sleep, 0.01) for _ in range(2 * THREADS)]:
        future.result()


def test_a_thread_that_cannot_start(run, monkeypatch):
    kernel, start, started = Kernel(), threading.Thread.start, []

    def refused(thread):
        if thread.name.startswith("snnkd"):
            started.append(thread)
            if len(started) == 2:
                assert kernel.inside.wait(30)
                kernel.soon_let_go()
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run(kernel)
    assert len(kernel.left) == len(kernel.came) == 1
    # The pool had queued the call for the thread that it could not start.
    flush(team._pool(team.os.getpid(), THREADS - 1))
    assert len(kernel.came) == 1


@pytest.mark.parametrize("moment", ["at work", "waiting", "waiting again"])
def test_an_interruption_waits_for_the_other_threads(run, monkeypatch, moment):
    kernel, wait, waits = Kernel(), team.wait, []

    def interrupted(futures):
        waits.append(futures)
        if len(waits) <= {"at work": 0, "waiting": 1, "waiting again": 2}[moment]:
            raise KeyboardInterrupt
        kernel.soon_let_go()
        return wait(futures)

    monkeypatch.setattr(team, "wait", interrupted)
    if moment == "at work":

        def at_work(me):
            if me is kernel.caller:
                assert kernel.inside.wait(30)
                raise KeyboardInterrupt

        kernel.at_work = at_work
    with pytest.raises(KeyboardInterrupt):
        run(kernel)
    others = [thread for thread in kernel.came if thread is not kernel.caller]
    assert len(others) >= 1
    assert set(others) <= set(kernel.left)
    flush(team._pool(team.os.getpid(), THREADS - 1))
    assert len(kernel.came) == 1 + len(others)


def test_a_call_that_did_not_begin_is_not_waited_for(run):
    kernel = Kernel()
    pool, stuck = team._pool(team.os.getpid(), THREADS - 1), threading.Event()
    blocked = [pool.submit(stuck.wait, 30) for _ in range(THREADS - 1)]
    kernel.inside.set()
    run(kernel)
    assert kernel.came == kernel.left == [kernel.caller]
    stuck.set()
    assert all(future.result() for future in blocked)
    flush(pool)
    assert len(kernel.came) == 1
