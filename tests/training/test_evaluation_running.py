"""Which clips a network is shown, and what is read from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnkd.datasets import EMOTIONS, LIGHTINGS, EyeDataset
from snnkd.datasets.sample import Sequence, Windows
from snnkd.errors import ConfigError, DatasetError, ModelError
from snnkd.models import EventStudent, FrameTeacher, predict
from snnkd.training.evaluation import clip_starts, evaluate, run, score
from snnkd.training.evaluation.clips import random_starts, whole_starts

SIZE = 16


class Memory(EyeDataset):
    """Sequences of noise, of unequal lengths, that count how often each was read."""

    split_keys = ()
    root = Path("memory")
    population, split_config = "memory", {}

    def __init__(self, lengths, steps=4, stride=2, labels=None):
        self._set_clip(steps, stride, 1000, "centre")
        self.input_size = (SIZE, SIZE)
        labels = labels or [EMOTIONS[i % 7] for i in range(len(lengths))]
        self.sequences = [
            Sequence(f"s{i}", f"p{i % 3}", label, LIGHTINGS[i % 4], length)
            for i, (length, label) in enumerate(zip(lengths, labels, strict=True))
        ]
        rng = np.random.default_rng(0)
        self.data = [
            Windows(
                (rng.random((n, 2, SIZE, SIZE)) < 0.2).astype(np.uint8),
                rng.integers(0, 256, (n, SIZE, SIZE), np.uint8),
            )
            for n in lengths
        ]
        self.reads = []

    def read(self, index, windows):
        self.reads.append(index)
        return Windows(self.data[index].events[windows], self.data[index].frames[windows])

    def sources(self, index):
        return []

    def reading(self):
        return {}


@pytest.fixture(params=["events", "frames"])
def network(request):
    torch.manual_seed(0)
    kind = {"events": EventStudent, "frames": FrameTeacher}[request.param]
    net = kind((SIZE, SIZE), (4, 8))
    for module in net.modules():  # lively enough that answers differ
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=1.0)
    return net.eval()


@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 5))
def test_the_whole_sequence_is_every_window_that_a_clip_can_reach(extra, steps, stride):
    span = (steps - 1) * stride + 1
    length = span + extra - 1
    starts = whole_starts(length, steps, stride)
    assert starts.min() >= 0
    assert starts.max() + span <= length
    assert (np.diff(starts) > 0).all()
    windows = stride * np.arange(steps)
    reached = {int(w) for start in range(length - span + 1) for w in start + windows}
    assert {int(w) for start in starts for w in start + windows} == reached
    assert len(starts) <= length / steps + 2 * stride  # consecutive, not every one


def test_whole_and_centre_by_hand():
    # 11 windows, clips of windows s, s+2, s+4: those from 0 and 6; of the odd ones 1 and, at the end, 5.
    assert whole_starts(11, 3, 2).tolist() == [0, 1, 5, 6]
    assert whole_starts(5, 3, 2).tolist() == [0]
    assert clip_starts("centre", "x", 11, 3, 2).tolist() == [[3]]
    with pytest.raises(ConfigError, match="unknown protocol 'half'"):
        clip_starts("half", "x", 11, 3, 2)


def test_random_starts_are_even_and_belong_to_seed_and_name():
    drawn = np.concatenate([random_starts(f"s{i}", 20, 4, 4, 20, 0) for i in range(400)])
    counts = np.bincount(drawn, minlength=8)
    assert len(counts) == 8  # 0..7, all that fit
    assert (abs(counts - 1000) < 150).all()  # five standard deviations
    one = random_starts("a", 50, 4, 4, 20, 7).tolist()
    assert one == random_starts("a", 50, 4, 4, 20, 7).tolist()
    assert one != random_starts("b", 50, 4, 4, 20, 7).tolist()
    assert one != random_starts("a", 50, 4, 4, 20, 8).tolist()
    assert one[:5] == random_starts("a", 50, 4, 4, 5, 7).tolist()


@pytest.mark.parametrize("protocol", ["whole", "centre", "random-starts"])
def test_what_is_read_is_the_mean_over_clips_of_what_predict_reads(network, protocol):
    data = Memory([7, 9, 16, 8, 23])
    p = run(network, data, protocol, starts=3, seed=5, batch_size=1)
    assert p.steps.shape == (3 if protocol == "random-starts" else 1, 4, 5, 7)
    with torch.inference_mode():
        for n, sequence in enumerate(data.sequences):
            starts = clip_starts(protocol, sequence.name, sequence.length, 4, 2, runs=3, seed=5)
            for r, clips in enumerate(starts):
                logits = [network(data.clip(n, s + 2 * np.arange(4))[network.modality].unsqueeze(1)) for s in clips]
                for t in range(4):
                    expected = torch.stack([predict(z[: t + 1])[0] for z in logits]).mean(0)
                    np.testing.assert_allclose(p.steps[r, t, n], expected, rtol=1e-5, atol=1e-6)
                last = torch.stack([predict(z)[0] for z in logits]).mean(0)
                assert p.told[r, n] == last.argmax()
                np.testing.assert_allclose(p.probabilities[r, n], last.softmax(-1), rtol=1e-5)


def test_a_sequence_is_read_once_whatever_the_protocol(network):
    data = Memory([7, 9, 30])
    run(network, data, "random-starts", starts=20)
    assert data.reads == [0, 1, 2]


def test_batches_and_workers_change_nothing_but_speed():
    torch.manual_seed(0)
    network = FrameTeacher((SIZE, SIZE), (4, 8)).eval()
    data = Memory([7, 9, 16, 8, 23])
    one = run(network, data, batch_size=1)
    for other in (run(network, data, batch_size=7), run(network, data, batch_size=32, workers=2)):
        np.testing.assert_allclose(other.steps, one.steps, rtol=1e-4, atol=1e-5)


def test_the_curve_ends_at_the_score(network):
    s = score(run(network, Memory([8, 9, 16, 8, 23, 12, 9, 30]), "random-starts", starts=4))
    assert len(s.steps) == 4
    for name in ("war", "uar"):
        assert s.steps[-1][name] == pytest.approx(s.headline[name])


def test_the_centre_is_what_the_light_evaluation_scores(network):
    data = Memory([8, 9, 16, 8, 23, 12, 9, 30])
    light = evaluate(network, data, batch_size=8)
    s = score(run(network, data, "centre", batch_size=8))
    assert s.confusion.tolist() == light.confusion.tolist()
    assert s.headline["uar"].value == pytest.approx(light.uar)


def test_the_network_is_left_in_the_mode_it_was_in(network):
    for training in (True, False):
        network.train(training)
        run(network, Memory([8]))
        assert network.training == training


def test_a_network_that_gives_nan_is_no_result(network):
    with torch.no_grad():
        next(m for m in network.modules() if isinstance(m, torch.nn.Linear)).bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN or infinite logits, for one of s0 to s1"):
        run(network, Memory([8, 9]))


def test_recordings_without_a_label_are_not_scored(network):
    with pytest.raises(DatasetError, match=r"memory: 1 of 2 sequences have no label \(s1"):
        run(network, Memory([8, 9], labels=["fear", None]))


def test_progress_counts_sequences(network):
    seen = []
    run(network, Memory([8, 9, 10]), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_sequences_of_one_name_are_refused(network):
    data = Memory([8, 9])
    data.sequences[1] = data.sequences[0]
    with pytest.raises(DatasetError, match="two sequences are named 's0'"):
        run(network, data)


def test_frames_that_are_not_there_are_not_shown(network):
    data = Memory([9, 9])
    data.has_frames = False
    for scored in (lambda: run(network, data), lambda: evaluate(network, data)):
        if network.modality == "events":
            scored()
        else:
            with pytest.raises(DatasetError, match="memory: some of its recordings have no frames"):
                scored()
