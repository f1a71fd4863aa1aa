"""Offline inference: recordings in, emotions over time out."""

from snnkd.inference.recognizer import Recognizer, load
from snnkd.inference.smoothing import Smoothing
from snnkd.inference.timeline import Segment, Timeline

__all__ = ["Recognizer", "Segment", "Smoothing", "Timeline", "load"]
