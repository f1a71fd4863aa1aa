"""Energy of a network, estimated from the spikes that it really fired."""

from snnkd.energy.comparison import Comparison
from snnkd.energy.counting import Counter
from snnkd.energy.hardware import Hardware, available_hardware, load_hardware
from snnkd.energy.memory import MemoryEstimate
from snnkd.energy.profiling import Profiler, profile, step_joules
from snnkd.energy.report import EnergyReport, LayerReport, joules_text

__all__ = [
    "Comparison",
    "Counter",
    "EnergyReport",
    "Hardware",
    "LayerReport",
    "MemoryEstimate",
    "Profiler",
    "available_hardware",
    "joules_text",
    "load_hardware",
    "profile",
    "step_joules",
]
