r"""The neuron as PyTorch operators, so that compilation, export, autocast and data parallelism know what it is.

``snnkd::lif``
    the neuron; backward keeps its input and recomputes the membranes.
``snnkd::lif_two_bit``
    the neuron with the rectangular surrogate and a detached reset; backward keeps two bits a step.
``snnkd::norm_lif``
    batch norm with the batch's statistics, and the neuron; the normalised current is never written.
``snnkd::li``
    the leaky integrator.

``snnkd::pack_bits`` and ``snnkd::unpack_bits``
    spikes as bits, and back.

Each chooses the fused backend of its tensors' device. Their backward passes are operators, too, without a derivative of
their own: for second derivatives there is the reference backend.
"""

from snnkd.spiking.operators.li import li
from snnkd.spiking.operators.lif import lif
from snnkd.spiking.operators.norm_lif import norm_lif
from snnkd.spiking.operators.packing import pack_bits, unpack_bits
from snnkd.spiking.operators.two_bit import lif_two_bit

__all__ = ["li", "lif", "lif_two_bit", "norm_lif", "pack_bits", "unpack_bits"]
