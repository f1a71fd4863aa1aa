"""The surrogate-gradient core: leaky integrate-and-fire neurons as pure functions and thin layers."""

from snnkd.spiking.backends import BACKENDS
from snnkd.spiking.functional import RESETS, li, lif
from snnkd.spiking.layers import LI, LIF
from snnkd.spiking.surrogate import SURROGATES, Surrogate

__all__ = ["BACKENDS", "LI", "LIF", "RESETS", "SURROGATES", "Surrogate", "li", "lif"]
