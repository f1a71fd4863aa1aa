"""Offline inference: recordings in, emotions over time out."""

from snnkd.inference.loading import load
from snnkd.inference.many import recognize_all
from snnkd.inference.recognizer import Live, Recognizer
from snnkd.inference.request import Request
from snnkd.inference.session import Reading
from snnkd.inference.settings import Settings
from snnkd.inference.smoothing import Smoothing
from snnkd.inference.timeline import Segment, Timeline
from snnkd.inference.windowing import Validity

__all__ = [
    "Live",
    "Reading",
    "Recognizer",
    "Request",
    "Segment",
    "Settings",
    "Smoothing",
    "Timeline",
    "Validity",
    "load",
    "recognize_all",
]
