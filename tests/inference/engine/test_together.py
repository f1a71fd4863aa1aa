"""Streams that share an engine: what each is told, who waits for whom, and what a failure does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from snnkd.energy import load_hardware
from snnkd.errors import ConfigError
from snnkd.inference.engine import Dense, Together, make_batch_engine
from snnkd.models import EventStudent, FrameTeacher

LENGTHS = (24, 24, 17, 5)
BLOCK = 8


@pytest.fixture
def network():
    torch.manual_seed(2)
    network = EventStudent((20, 16), (4, 6), (0, 1))
    with torch.no_grad():
        for _ in range(10):
            network(torch.poisson(torch.full((4, 2, 2, 16, 20), 0.4)))
    return network.eval()


def recordings():
    rng = np.random.default_rng(0)
    return [rng.poisson(0.4, (length, 2, 16, 20)).astype(np.uint16) for length in LENGTHS]


def run_blocks(engine, bins):
    state, parts = engine.rest(), []
    for begin in range(0, len(bins), BLOCK):
        parts.append(engine.run(bins[begin : begin + BLOCK], state))
    joules = [part.joules for part in parts if part.joules is not None]
    return np.concatenate([part.logits for part in parts]), np.concatenate(joules) if joules else None


def side_by_side(engine, every, work=run_blocks):
    """Run each recording in a thread of its own, all of which belong to the engine before the first block is run."""
    ready = threading.Barrier(len(every))

    def stream(bins):
        with engine.stream():
            ready.wait(10)
            return work(engine, bins)

    with ThreadPoolExecutor(len(every)) as threads:
        return [threads.submit(stream, bins) for bins in every]


class Watched(Dense):
    """Remembers the sizes of its batches."""

    def __init__(self, network, hardware=None):
        super().__init__(network, hardware)
        self.sizes = []

    def run_batch(self, bins, states):
        self.sizes.append((len(bins), len(bins[0])))
        return super().run_batch(bins, states)


@pytest.mark.parametrize("hardware", [None, "45nm-fp32"])
def test_each_stream_is_told_what_it_would_be_told_alone(network, hardware):
    priced = None if hardware is None else load_hardware(hardware)
    watched = Watched(network, priced)
    told = [future.result() for future in side_by_side(Together(watched), recordings())]
    assert sorted(watched.sizes, reverse=True) == [(3, 8), (3, 8), (2, 8), (1, 5), (1, 1)]
    for bins, (logits, joules) in zip(recordings(), told, strict=True):
        alone, energy = run_blocks(Dense(network, priced), bins)
        np.testing.assert_allclose(logits, alone, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(logits.argmax(1), alone.argmax(1))
        assert (joules is None) == (hardware is None)
        if energy is not None:
            np.testing.assert_allclose(joules, energy, rtol=1e-6)


def test_whoever_begins_later_is_at_rest_beside_those_that_go_on(network):
    first, _, later, _ = recordings()
    engine = Together(Dense(network))
    begun = threading.Event()

    def ahead(engine, bins):
        state = engine.rest()
        parts = [engine.run(bins[:8], state)]
        begun.set()
        assert joined.wait(10)
        parts += [engine.run(bins[8:16], state), engine.run(bins[16:], state)]
        return np.concatenate([part.logits for part in parts])

    joined = threading.Event()

    def stream(bins):
        with engine.stream():
            return ahead(engine, bins)

    def after(bins):
        assert begun.wait(10)
        with engine.stream():
            joined.set()
            return run_blocks(engine, bins)[0]

    with ThreadPoolExecutor(2) as threads:
        one, two = threads.submit(stream, first), threads.submit(after, later)
    for bins, told in ((first, one.result()), (later, two.result())):
        np.testing.assert_allclose(told, run_blocks(Dense(network), bins)[0], rtol=1e-4, atol=1e-5)


def test_a_stream_that_fails_is_no_longer_waited_for(network):
    def work(engine, bins):
        if len(bins) == LENGTHS[2]:
            raise OSError("the disk is gone")
        return run_blocks(engine, bins)

    futures = side_by_side(Together(Dense(network)), recordings(), work)
    assert isinstance(futures[2].exception(), OSError)
    for number in (0, 1, 3):
        assert len(futures[number].result()[0]) == LENGTHS[number]


def test_what_the_engine_raises_reaches_every_stream_of_the_batch(network):
    class Broken(Dense):
        def run_batch(self, bins, states):
            raise RuntimeError("CUDA out of memory")

    for future in side_by_side(Together(Broken(network)), recordings()):
        assert "out of memory" in str(future.exception())


def test_a_run_that_is_given_up_ends_every_stream(network):
    engine = Together(Dense(network))
    waits = threading.Event()

    def work(bins):
        with engine.stream():
            waits.set()
            engine.run(bins[:8], engine.rest())

    with ThreadPoolExecutor(1) as threads, engine.stream():  # this stream never asks
        waiting = threads.submit(work, recordings()[0])
        assert waits.wait(10)
        engine.close()
        assert "ended" in str(waiting.exception(10))


def test_rest_and_no_rest_are_no_batch(network):
    dense = Dense(network)
    bins = recordings()[0][:2]
    state = dense.rest()
    dense.run(bins, state)
    with pytest.raises(ValueError, match="at rest"):
        dense.run_batch([bins, bins], [state, dense.rest()])


def test_a_student_on_a_cpu_is_told_to_use_workers(network):
    with pytest.raises(ConfigError, match=r"batch: .*workers"):
        make_batch_engine(network)
    with pytest.raises(ConfigError, match=r"batch: .*workers"):
        make_batch_engine(network, kind="event-driven")
    assert isinstance(make_batch_engine(network, kind="dense"), Together)
    assert network.device == torch.device("cpu") == FrameTeacher((32, 32)).device
