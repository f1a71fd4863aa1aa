"""Recordings: one file per format behind one function, and the sensor model that turns frames into events."""

from snnkd.recordings.aedat4 import Aedat4Recording
from snnkd.recordings.evbeye import EvbeyeRecording
from snnkd.recordings.hdf5 import Hdf5Recording, write_hdf5
from snnkd.recordings.recording import Frames, Recording, Window
from snnkd.recordings.registry import Format, known_formats, open_recording, register_format
from snnkd.recordings.sensor import EventSimulator, SensorModel, simulate_events

__all__ = [
    "Aedat4Recording",
    "EvbeyeRecording",
    "EventSimulator",
    "Format",
    "Frames",
    "Hdf5Recording",
    "Recording",
    "SensorModel",
    "Window",
    "known_formats",
    "open_recording",
    "register_format",
    "simulate_events",
    "write_hdf5",
]
