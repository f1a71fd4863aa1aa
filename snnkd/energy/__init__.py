"""Energy of a network, estimated from the spikes that it really fired."""

from snnkd.energy.counting import Counter, LayerCount
from snnkd.energy.hardware import Hardware, available_hardware, load_hardware
from snnkd.energy.report import EnergyReport, LayerReport, joules_text, make_report, profile

__all__ = [
    "Counter",
    "EnergyReport",
    "Hardware",
    "LayerCount",
    "LayerReport",
    "available_hardware",
    "joules_text",
    "load_hardware",
    "make_report",
    "profile",
]
