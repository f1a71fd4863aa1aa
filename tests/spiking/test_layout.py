"""The order of axes in memory that kernels keep."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from snnkd.spiking.layout import dense_strides, ordered


@given(st.permutations(range(1, 5)), st.lists(st.integers(1, 4), min_size=5, max_size=5))
def test_the_order_of_axes_stays_with_and_without_gaps(order, sizes):
    big = torch.empty([size + 1 for size in sizes]).permute(0, *order).contiguous()
    back = [0] * 5
    for place, axis in enumerate((0, *order)):
        back[axis] = place
    big = big.permute(back)
    for x in (big, big[:, : sizes[1]], big[..., : sizes[-1]], big[: sizes[0], :, 1 : 1 + sizes[2]]):
        strides = dense_strides(x.shape, x.stride())
        dense = torch.empty_strided(x.shape, strides)
        assert dense.untyped_storage().nbytes() == 4 * x.numel()
        long = [axis for axis in range(1, 5) if x.shape[axis] > 1]
        assert sorted(long, key=lambda a: strides[a]) == sorted(long, key=lambda a: x.stride(a))
        torch.testing.assert_close(ordered(torch.ones_like(x), strides), torch.ones(x.shape))


def test_elements_on_top_of_each_other_become_contiguous():
    x = torch.ones(3, 1, 4).expand(3, 5, 4)
    assert dense_strides(x.shape, x.stride()) == (20, 4, 1)
    overlapping = torch.arange(12.0).as_strided((2, 3, 3), (3, 1, 2))
    assert dense_strides(overlapping.shape, overlapping.stride()) == (9, 3, 1)
