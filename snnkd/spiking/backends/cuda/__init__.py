"""The CUDA backend: the functions of :mod:`snnkd.spiking.backends.kernels` as Triton kernels.

Importing it needs Triton and no GPU. With ``TRITON_INTERPRET=1`` set before the import, the kernels run on tensors of
the CPU, slowly: that is for tests.
"""

from snnkd.spiking.backends.cuda.backward import backward
from snnkd.spiking.backends.cuda.elementwise import pack, scaled_sum_, unpack
from snnkd.spiking.backends.cuda.forward import forward
from snnkd.spiking.backends.cuda.norm import norm_backward, norm_forward
from snnkd.spiking.backends.cuda.two_bit import backward_two_bit_, forward_two_bit

__all__ = [
    "backward",
    "backward_two_bit_",
    "forward",
    "forward_two_bit",
    "norm_backward",
    "norm_forward",
    "pack",
    "scaled_sum_",
    "unpack",
]
