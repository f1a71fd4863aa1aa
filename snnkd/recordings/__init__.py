"""Recordings: one file per format behind one function, and the sensor model that turns frames into events."""

from snnkd.recordings.aedat2 import Aedat2Recording
from snnkd.recordings.aedat4 import Aedat4Recording
from snnkd.recordings.arrays import NpyRecording, write_npz
from snnkd.recordings.convert import convert
from snnkd.recordings.dat import DatRecording
from snnkd.recordings.evbeye import EvbeyeRecording
from snnkd.recordings.event_simulator import EventSimulator
from snnkd.recordings.evt2 import Evt2Recording, Evt21Recording
from snnkd.recordings.evt3 import Evt3Recording
from snnkd.recordings.hdf5 import Hdf5Recording, write_hdf5
from snnkd.recordings.hdf5_layouts import Hdf5LayoutRecording
from snnkd.recordings.hdf5_writer import Hdf5Writer
from snnkd.recordings.images import ImageFolderRecording
from snnkd.recordings.npz import NpzRecording
from snnkd.recordings.recording import Frames, Recording, Window
from snnkd.recordings.registry import Format, is_recording, known_formats, open_recording, register_format
from snnkd.recordings.see import SeeRecording
from snnkd.recordings.sensor import simulate_events
from snnkd.recordings.sensor_fit import compare_events, fit_sensor
from snnkd.recordings.sensor_model import SensorModel
from snnkd.recordings.simulate import simulate_recording
from snnkd.recordings.text import TextRecording
from snnkd.recordings.video import VideoRecording

__all__ = [
    "Aedat2Recording",
    "Aedat4Recording",
    "DatRecording",
    "EvbeyeRecording",
    "EventSimulator",
    "Evt2Recording",
    "Evt3Recording",
    "Evt21Recording",
    "Format",
    "Frames",
    "Hdf5LayoutRecording",
    "Hdf5Recording",
    "Hdf5Writer",
    "ImageFolderRecording",
    "NpyRecording",
    "NpzRecording",
    "Recording",
    "SeeRecording",
    "SensorModel",
    "TextRecording",
    "VideoRecording",
    "Window",
    "compare_events",
    "convert",
    "fit_sensor",
    "is_recording",
    "known_formats",
    "open_recording",
    "register_format",
    "simulate_events",
    "simulate_recording",
    "write_hdf5",
    "write_npz",
]
