"""The surrogate-gradient core: leaky integrate-and-fire neurons as pure functions and thin layers."""

from snnkd.spiking.allocator import keep_freed_memory
from snnkd.spiking.backends import BACKENDS
from snnkd.spiking.backends.kernels import RESETS
from snnkd.spiking.functional import li, lif, norm_lif
from snnkd.spiking.layers import LI, LIF, NormLIF
from snnkd.spiking.packed_convolution import PackedConv2d
from snnkd.spiking.surrogate import SURROGATES, Surrogate

__all__ = [
    "BACKENDS",
    "LI",
    "LIF",
    "RESETS",
    "SURROGATES",
    "NormLIF",
    "PackedConv2d",
    "Surrogate",
    "keep_freed_memory",
    "li",
    "lif",
    "norm_lif",
]
