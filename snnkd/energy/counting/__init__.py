"""Counting operations from the tensors that really flowed, whichever module or function they flowed through.

- :mod:`~snnkd.energy.counting.counter` watches a forward pass below the modules, operator by operator;
- :mod:`~snnkd.energy.counting.synapses` counts convolutions and matrix products, by
  :mod:`~snnkd.energy.counting.fan_out` and by what kind of input they saw (:mod:`~snnkd.energy.counting.levels`);
- :mod:`~snnkd.energy.counting.neurons` counts membranes, :mod:`~snnkd.energy.counting.elementwise` all else;
- :mod:`~snnkd.energy.counting.origin` carries along what is known of a tensor from where it came;
- :mod:`~snnkd.energy.counting.tally` keeps the counts, by layer, time step and sample.
"""

from snnkd.energy.counting.counter import Counter
from snnkd.energy.counting.levels import KINDS
from snnkd.energy.counting.tally import QUANTITIES, Tally

__all__ = ["KINDS", "QUANTITIES", "Counter", "Tally"]
