"""Fit the sensor model to a recording that has both frames and events, and print how well it agrees.

Usage: python scripts/fit_sensor_model.py RECORDING [--linear-below DN ...] [--noiseless] [--seconds S] [--json]

Only the time that has frames counts. Pixels that are hot in it are left out on both sides. The noise is that of
``SensorModel.davis346()``, or none. The thresholds are fitted, and the end of the linear response is the one of the
values given (20, 40, 60, 70, 80, 90, 100, 120 DN when left out) whose events lie where the real ones do.
``SensorModel.davis346_near_eye()`` is what it found for the first recording of EVBEYE's user 9.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from snnkd.errors import RecordingError, SnnkdError
from snnkd.events import drop_pixels, empty_events, hot_pixels
from snnkd.recordings import Frames, SensorModel, open_recording, simulate_events
from snnkd.recordings.sensor_fit import compare_events, fit_sensor

KNEES = [20.0, 40.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0]


def fit(path: str, knees: list[float], noiseless: bool, seconds: float) -> dict[str, Any]:
    """Fit one recording; returns what is printed."""
    recording = open_recording(path)
    frames = recording.frames
    if frames is None or len(frames) < 2:
        raise RecordingError(f"{path}: has no frames to fit to")
    keep = frames.timestamps_us - frames.timestamps_us[0] <= seconds * 1e6
    frames = Frames(frames.images[keep], frames.timestamps_us[keep])
    start, end = (int(t) for t in frames.timestamps_us[[0, -1]])
    if end == start:
        raise RecordingError(f"{path}: has less than two frames in the first {seconds:g} s")
    # One window, the time of the frames: what comes after it is not read.
    windows = recording.windows(end - start, start_us=start + 1, end_us=end + 1)
    events = np.concatenate([empty_events(), *(window.events for window in windows)])
    hot = hot_pixels(events, recording.sensor_size)
    real = drop_pixels(events, hot)
    base = SensorModel.davis346()
    if noiseless:
        base = replace(SensorModel.noiseless(), refractory_us=base.refractory_us)
    sensor = fit_sensor(frames, real, base, linear_below=knees)
    made = drop_pixels(simulate_events(frames.images, frames.timestamps_us, sensor), hot)
    agreement = compare_events(real, made, frames.timestamps_us, recording.sensor_size)
    return {
        "recording": path,
        "frames": len(frames),
        "seconds": (end - start) * 1e-6,
        "hot_pixels": int(hot.sum()),
        "sensor": asdict(sensor),
        "agreement": asdict(agreement),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", help="any recording with frames and events")
    parser.add_argument("--linear-below", type=float, nargs="+", default=KNEES, metavar="DN", help="values to try")
    parser.add_argument("--noiseless", action="store_true", help="fit a sensor without noise and spread")
    parser.add_argument("--seconds", type=float, default=10.0, help="use the frames of so many seconds (10)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    try:
        result = fit(options.recording, options.linear_below, options.noiseless, options.seconds)
    except (SnnkdError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result))
        return 0
    sensor, figures = result["sensor"], result["agreement"]
    print(f"{result['recording']}: {result['frames']} frames over {result['seconds']:.2f} s, ", end="")
    print(f"{result['hot_pixels']} hot pixels left out")
    print(f"threshold_on {sensor['threshold_on']:.4f}   threshold_off {sensor['threshold_off']:.4f}", end="")
    print(f"   linear_below {sensor['linear_below']:g}")
    print(f"events               {figures['made']:,} made, {figures['real']:,} real", end="")
    print(f" ({figures['made'] / figures['real'] - 1:+.1%})")
    print(f"ON                   {figures['made_on']:.1%} made, {figures['real_on']:.1%} real")
    print(f"rate correlation     {figures['rate_correlation']:.3f} (per frame interval)")
    print(f"spatial correlation  {figures['spatial_correlation']:.3f} (per pixel, clipped at the 99th percentile)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
