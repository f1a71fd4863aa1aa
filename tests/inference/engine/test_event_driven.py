"""The event-driven engine: what the network computes, spike by spike, operation by operation, joule by joule."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from snnkd.energy import Counter, available_hardware, load_hardware, step_joules
from snnkd.errors import ConfigError, ModelError
from snnkd.inference.engine import Dense, EventDriven, graphed, make_engine
from snnkd.models import EventStudent, FrameTeacher
from snnkd.spiking import LIF

STEPS = 14
SHAPES = [
    {"size": "nano"},
    {"size": "small"},
    {"channels": (6, 8, 10), "blocks": (1, 0, 2), "slow": 0.0, "binary_input": True, "input_size": (33, 21)},
    {"channels": (5, 7), "slow": 1.0, "input_size": (16, 50), "max_count": 15},
]


def made(options):
    """A student that fires, some of whose weights are zero, and counts for it with a silence in them."""
    torch.manual_seed(1)
    network = EventStudent(**options)
    width, height = network.input_size
    x = torch.poisson(torch.full((STEPS, 2, 2, height, width), 0.2))
    with torch.no_grad():
        for _ in range(5):
            network(x)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight[torch.rand_like(module.weight) < 0.2] = 0
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(-1, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    x = x[:, :1]
    x[4:7] = 0
    x[0, 0, 0, 0, 0] = 60_000
    return network.eval(), x, x[:, 0].numpy().astype(np.uint16)


@pytest.mark.parametrize("options", SHAPES)
def test_it_computes_what_the_network_computes(options):
    network, x, bins = made(options)
    spikes = []
    for module in network.modules():
        if isinstance(module, LIF):
            module.register_forward_hook(lambda _, __, output: spikes.append(output[0][:, 0].numpy() > 0))
    with torch.no_grad():
        logits = network(x)[:, 0].numpy()
    engine = EventDriven(network)
    counts = engine.count(bins, engine.rest())
    np.testing.assert_allclose(counts.logits, logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(counts.logits.argmax(1), logits.argmax(1))
    maps = engine.spike_maps(bins, engine.rest())
    assert [each.shape for each in maps] == [each.shape for each in spikes]
    fired = sum(int(each.sum()) for each in spikes)
    assert fired > 1000
    assert sum(int((a != b).sum()) for a, b in zip(maps, spikes, strict=True)) <= fired * 1e-5
    np.testing.assert_array_equal(counts.spikes.T, [each.reshape(STEPS, -1).sum(1) for each in maps])


@pytest.mark.parametrize("options", SHAPES)
def test_how_the_steps_are_cut_changes_no_bit(options):
    network, _, bins = made(options)
    engine = EventDriven(network)
    state = engine.rest()
    whole = engine.run(bins, state)
    for cuts in ([1] * STEPS, [3, 1, 10], [13, 1]):
        again, parts, begin = engine.rest(), [], 0
        for number in cuts:
            parts.append(engine.run(bins[begin : begin + number], again).logits)
            begin += number
        assert np.concatenate(parts).tobytes() == whole.logits.tobytes()
        assert again.tobytes() == state.tobytes()


@pytest.mark.parametrize("options", SHAPES)
def test_operations_and_energy_are_those_of_the_profile(options):
    network, x, bins = made(options)
    for name in available_hardware():
        hardware = load_hardware(name)
        counter = Counter(network, "events")
        with torch.no_grad():
            counter.run(network.run, x)
        engine = EventDriven(network, hardware)
        np.testing.assert_allclose(
            engine.run(bins, engine.rest()).joules, step_joules(counter, hardware)[:, 0], rtol=1e-9
        )
    rows = [row.totals["accumulates"][:, 0] for row in counter.layers.values() if row.kind in ("Conv2d", "Linear")]
    np.testing.assert_array_equal(engine.count(bins, engine.rest()).operations, torch.stack(rows, 1).long())


class Other(EventStudent):
    """A student of somebody's own."""


def test_what_it_does_not_know_is_run_by_pytorch():
    network, _, bins = made({"size": "nano"})
    assert isinstance(make_engine(network), EventDriven)
    other = Other(size="nano").eval()
    other.load_state_dict(network.state_dict())
    engine = make_engine(other, load_hardware("45nm-fp32"))
    assert isinstance(engine, Dense)
    steps, ours = engine.run(bins, engine.rest()), EventDriven(network, load_hardware("45nm-fp32"))
    np.testing.assert_allclose(steps.logits, ours.run(bins, ours.rest()).logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(steps.joules, ours.run(bins, ours.rest()).joules, rtol=1e-6)
    state = engine.rest()
    parts = [engine.run(bins[:5], state), engine.run(bins[5:], state)]
    np.testing.assert_allclose(np.concatenate([p.logits for p in parts]), steps.logits, rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="Other: is not run event by event"):
        make_engine(other, kind="event-driven")
    with pytest.raises(ModelError, match="FrameTeacher"):
        EventDriven(FrameTeacher())
    with pytest.raises(ConfigError, match="backend: must be one of auto, event-driven, dense"):
        make_engine(network, kind="fast")


def test_neurons_of_other_kinds_and_counts_that_are_no_events_are_left_to_pytorch():
    network = EventStudent(size="nano", max_count=16)
    assert isinstance(make_engine(network), EventDriven)
    assert isinstance(make_engine(network, load_hardware("45nm-fp32")), Dense)
    network = EventStudent(size="nano")
    network.stages[1].lif.reset = "zero"
    assert isinstance(make_engine(network), Dense)


@pytest.mark.parametrize(
    "on", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]
)
def test_a_graph_replays_the_step(on, monkeypatch):
    """On the CPU the step itself is replayed, which shows that input, state and logits are where it looks for them."""
    network, _, bins = made({"size": "nano"})
    network = network.to(on)
    if on == "cpu":
        monkeypatch.setattr(graphed, "capture", lambda step: step)
    engine, dense = graphed.Graphed(network), Dense(network)
    expected = dense.run(bins, dense.rest()).logits
    state = engine.rest()
    # Alone, together, and alone again: one state goes through both.
    cuts = [0, 1, 2, 6, 7, len(bins)]
    parts = [engine.run(bins[a:b], state).logits for a, b in itertools.pairwise(cuts)]
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(engine.run(bins[:1], engine.rest()).logits, parts[0], rtol=1e-4, atol=1e-5)
    if on == "cuda":
        assert isinstance(make_engine(network), graphed.Graphed)
