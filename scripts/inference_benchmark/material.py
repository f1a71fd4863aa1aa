"""What is recognised: a student whose neurons fire as a trained one's do, and recordings of known rate and length."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from snnkd.datasets import EMOTIONS
from snnkd.datasets.eyesim import simulate_session
from snnkd.events import Events, bin_events, centre_square
from snnkd.models import EventStudent, save_model
from snnkd.spiking import LIF

SENSOR = (346, 260)
WINDOW_US = 33_333


def near_eye(seconds: float, rate: float) -> Events:
    """Events of a simulated eye on a DAVIS346, played faster until there are ``rate`` of them a second, and again."""
    made = simulate_session(0, 0, ["happiness", "surprise", "anger"], size=SENSOR, seconds_each=1.0, rest_s=0.4)
    events = made.events.copy()
    length = len(events) / rate * 1e6
    events["t"] = ((events["t"] - events["t"][0]) * (length / np.ptp(events["t"]))).astype(np.int64)
    times = -(-int(seconds * rate) // len(events))
    whole = np.tile(events, times)
    whole["t"] += np.repeat(np.arange(times) * int(length + 1), len(events))
    return whole[: int(seconds * rate)]


def student(events: Events, folder: Path, rate: float, size: str = "small") -> Path:
    """Save a student that was not trained and fires at ``rate``: its thresholds are multiplied until it does."""
    torch.manual_seed(0)
    network = EventStudent((64, 64), size=size)
    bins = bin_events(events, SENSOR, 0, WINDOW_US, 30, size=(64, 64), crop=centre_square(SENSOR))
    x = torch.from_numpy(bins.astype(np.float32)).unsqueeze(1)
    start = {name: value.clone() for name, value in network.state_dict().items() if name.endswith("threshold")}
    low, high = 0.25, 16.0
    with torch.no_grad():
        for _ in range(12):
            factor = (low * high) ** 0.5
            network.load_state_dict(network.state_dict() | {name: value * factor for name, value in start.items()})
            network.train()
            for _ in range(10):  # norms learn the statistics
                network(x)
            low, high = (factor, high) if fired(network.eval(), x) > rate else (low, factor)
    return save_model(network, folder, emotions=EMOTIONS, input={"window_us": WINDOW_US, "steps": 15})


def fired(network: EventStudent, x: torch.Tensor) -> float:
    """Share of neurons that fire in a step."""
    maps = spikes_of(network, x)
    return sum(int(each.sum()) for each in maps) / sum(each.size for each in maps)


def spikes_of(network: EventStudent, x: torch.Tensor) -> list[NDArray[np.bool_]]:
    """Spikes ``(T, C, H, W)`` of each layer of neurons, of the network as PyTorch runs it, on one sample."""
    spikes: list[NDArray[np.bool_]] = []
    handles = [
        module.register_forward_hook(lambda _, __, output: spikes.append(output[0][:, 0].numpy() > 0))
        for module in network.modules()
        if isinstance(module, LIF)
    ]
    with torch.inference_mode():
        network(x)
    for handle in handles:
        handle.remove()
    return spikes


def write_raw(path: Path, seconds: float, size_bytes: int) -> None:
    """Write an EVT2 file of that length and size: the events of :func:`near_eye`, over and over."""
    words_a_second = int(size_bytes / 4 / seconds)
    events = near_eye(1.0, words_a_second / 1.05)
    slots = 15_625  # of 64 µs, each behind a time-high word
    slot = np.minimum(events["t"] // 64, slots - 1)
    kind = events["p"].astype(np.uint32)
    words = kind << 28 | (events["t"] % 64).astype(np.uint32) << 22
    words |= events["x"].astype(np.uint32) << 11 | events["y"].astype(np.uint32)
    places = np.arange(len(events)) + slot + 1
    second = np.zeros(len(events) + slots, np.uint32)
    second[places] = words
    free = np.ones(len(second), np.bool_)
    free[places] = False
    heads = np.flatnonzero(free)
    with open(path, "wb") as file:
        file.write(f"% evt 2.0\n% geometry {SENSOR[0]}x{SENSOR[1]}\n% end\n".encode())
        for number in range(int(seconds)):
            second[heads] = 0x8 << 28 | (np.arange(slots) + number * slots).astype(np.uint32)
            file.write(second.tobytes())
