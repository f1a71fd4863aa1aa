"""The cache of a teacher's answers: the same numbers, asked for once."""

import pytest
import torch

from snnkd.distill import TeacherCache
from snnkd.distill.teacher_cache import network_hash
from snnkd.models import FrameTeacher


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return FrameTeacher((32, 32), (4, 6)).eval()


@torch.no_grad()
def test_answers_are_the_teachers_and_known_clips_are_not_asked_for_again(teacher):
    frames, index, seeds = torch.rand(3, 4, 1, 32, 32), torch.arange(4), torch.tensor([7, 7, 8, 2**60])
    cache = TeacherCache(teacher, ["stage2", "embedding"], 10**8)
    plain = teacher.run(frames)
    asked = []
    teacher.register_forward_pre_hook(lambda *_: None)
    run = teacher.run
    teacher.run = lambda x: asked.append(x.shape[1]) or run(x)
    for _ in range(2):
        got = cache.run(frames, index, seeds)
        torch.testing.assert_close(got.logits, plain.logits)
        assert set(got.features) == {"stage2", "embedding"}
        torch.testing.assert_close(got.features["stage2"], plain.features["stage2"])
    order = torch.tensor([2, 0])
    swapped = cache.run(frames[:, order], index[order], seeds[order])
    torch.testing.assert_close(swapped.logits, plain.logits[:, order])
    # Another seed, another sample: other clips. The rest of that batch is known.
    cache.run(frames, index, seeds + torch.tensor([1, 0, 0, 0]))
    assert asked == [4, 1]
    assert (cache.hits, cache.misses) == (4 + 2 + 3, 4 + 1)


@torch.no_grad()
def test_memory_is_bounded_and_answers_stay_right(teacher):
    frames = torch.rand(3, 6, 1, 32, 32)
    one = TeacherCache(teacher, ["embedding"], 10**8)
    one.run(frames[:, :1], torch.tensor([0]), torch.tensor([0]))
    cache = TeacherCache(teacher, ["embedding"], 2 * one.bytes + 1)
    for _ in range(2):
        for b in range(6):
            got = cache.run(frames[:, b : b + 1], torch.tensor([b]), torch.tensor([0]))
            torch.testing.assert_close(got.logits, teacher.run(frames[:, b : b + 1]).logits)
            assert cache.bytes <= cache.limit_bytes
    assert cache.hits == 2  # what there was room for stays


def test_other_weights_have_another_hash(teacher):
    before = network_hash(teacher)
    assert network_hash(teacher) == before
    with torch.no_grad():
        teacher.head.bias[0] += 1e-3
    assert network_hash(teacher) != before


def test_an_argument_that_is_no_weight_is_in_the_hash(teacher):
    other = FrameTeacher((32, 32), (4, 6), difference_gain=40.0)
    other.load_state_dict(teacher.state_dict())
    assert network_hash(other) != network_hash(teacher)
