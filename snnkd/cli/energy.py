"""``snnkd energy``: what a model costs per clip of a dataset."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnkd.cli.models import open_for
from snnkd.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from snnkd.energy import EnergyReport, Hardware, Profiler
    from snnkd.inference import Recognizer
    from snnkd.models import EyeNetwork


def energy(options: argparse.Namespace) -> int:
    """Print what a model costs per clip, layer by layer, and beside others."""
    from snnkd.energy import available_hardware, load_hardware

    if options.list_hardware:
        from snnkd.energy.table import hardware_table

        print(hardware_table([load_hardware(name) for name in available_hardware()]))
        return 0
    if options.model is None or options.data is None:
        raise ConfigError("energy: a MODEL and --data are needed (or --list-hardware)")
    hardware = [load_hardware(name) for name in options.hardware]  # a wrong name is told before anything is run
    if options.output is not None and options.output.exists() and not options.output.is_dir():
        raise ConfigError(f"{options.output}: is a file: give a folder for the results")
    from snnkd.inference import load

    recognizer = load(options.model)
    profiler, clip = _profile(recognizer, options)
    if options.against is None:
        options.against = _teacher(recognizer)
    reports = [_report(profiler, each, options.method) for each in hardware]
    others: list[EnergyReport | None] = [None] * len(reports)
    if options.against is not None:
        other, _ = _profile(load(options.against), argparse.Namespace(**{**vars(options), "model": options.against}))
        others = [None if each.is_chip else _report(other, each, options.method) for each in hardware]
    measured = _measured(recognizer.network, clip) if options.measure else None
    if options.json:
        found = [_data(report, other, measured) for report, other in zip(reports, others, strict=True)]
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        _print(reports, others, options)
        if measured is not None:
            print(_measured_text(measured))
    if options.output is not None:
        _write(reports, others, measured, options)
    return 0


def _report(profiler: "Profiler", hardware: "Hardware", method: str) -> "EnergyReport":
    report = profiler.report(hardware)
    if method == "exact":
        return report
    from snnkd.energy.approximation import by_rate

    return by_rate(report, profiler.network)


def _data(report: "EnergyReport", other: "EnergyReport | None", measured: dict[str, Any] | None) -> dict[str, Any]:
    """What a report's JSON says, with the other network and what was measured."""
    data = report.to_json() | {"comparison": report.against(other).to_json()}
    return data if measured is None else data | {"measured": measured}


def _teacher(recognizer: "Recognizer") -> str | None:
    """The folder of the model's teacher, where the model says which and it is there."""
    said = recognizer.training.get("teacher")
    return said if isinstance(said, str) and Path(said).is_dir() else None


def _profile(recognizer: "Recognizer", options: argparse.Namespace) -> "tuple[Profiler, Tensor]":
    """What all clips cost, and one of them."""
    from snnkd.datasets import collate
    from snnkd.energy import Profiler
    from snnkd.terminal import bar

    dataset = open_for(recognizer, options)
    number = len(dataset) if options.clips is None else min(options.clips, len(dataset))
    places = [i * len(dataset) // number for i in range(number)]  # spread over persons and emotions
    profiler = Profiler(recognizer.network)
    with bar() as progress:
        task = progress.add_task("counting", total=number, note="")
        for start in range(0, number, options.batch_size):
            part = places[start : start + options.batch_size]
            batch = recognizer.network.take(collate([dataset[i] for i in part]))
            profiler.add(batch)
            progress.advance(task, len(part))
    return profiler, batch[:, :1]


def _print(reports: "list[EnergyReport]", others: "list[EnergyReport | None]", options: argparse.Namespace) -> None:
    from snnkd.energy.table import comparison_table, samples_text

    for report, other in zip(reports, others, strict=True):
        print(report.table())
        print(f"{samples_text(report)}\n")
        if not report.hardware.is_chip:
            names = (_name(options.model), "" if options.against is None else _name(options.against))
            print(comparison_table(report.against(other), names))
        if report.hardware.memory:
            memory = report.memory()
            parts = ", ".join(f"{what} {_joules(value)}" for what, value in memory.by("what").items())
            print(f"Memory, event-driven at {memory.bits} bit, would add {_joules(memory.joules)}: {parts}.")
        print(f"Constants: {'; '.join(report.hardware.sources)}.")


def _measured(network: "EyeNetwork", clip: "Tensor") -> dict[str, Any]:
    """What this machine draws for one clip, or why that cannot be told."""
    import torch

    from snnkd.energy.measured import Unavailable, find_meter, measure

    try:
        meter = find_meter()
        with torch.inference_mode():
            return vars(measure(lambda: network(clip), meter))
    except Unavailable as error:
        return {"unavailable": str(error)}


def _measured_text(measured: dict[str, Any]) -> str:
    if "unavailable" in measured:
        return f"Measured here: not available. {measured['unavailable']}."
    above = measured["joules"] - measured["idle_watts"] * measured["seconds"]
    return (
        f"Measured here, on no spiking chip ({measured['meter']}, {measured['inferences']} inferences): "
        f"{_joules(measured['joules'])} a clip in {measured['seconds'] * 1e3:.1f} ms, {_joules(max(above, 0.0))} of it "
        f"above the {measured['idle_watts']:.1f} W that it draws at rest."
    )


def _joules(value: float) -> str:
    from snnkd.energy import joules_text

    return joules_text(value)


def _name(model: str) -> str:
    """What a model is called beside another: its folder, with the one before it where that says nothing."""
    path = Path(model)
    return f"{path.parent.name}/{path.name}" if path.name == "model" and path.parent.name else path.name


def _write(
    reports: "list[EnergyReport]",
    others: "list[EnergyReport | None]",
    measured: dict[str, Any] | None,
    options: argparse.Namespace,
) -> None:
    from snnkd.energy.drawing import draw_beside
    from snnkd.inference.drawing import png_bytes
    from snnkd.inference.timeline import write_whole

    options.output.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    for report, other in zip(reports, others, strict=True):
        stem = report.hardware.name.lower().replace("/", "-")
        files[f"{stem}.json"] = (json.dumps(_data(report, other, measured), indent=1) + "\n").encode()
        files[f"{stem}.csv"] = report.to_csv().encode()
        files[f"{stem}.png"] = png_bytes(report.plot())
        if other is not None:
            files[f"{stem}-beside.png"] = png_bytes(
                draw_beside({_name(options.model): report, _name(options.against): other})
            )
    for path, data in files.items():
        write_whole(options.output / path, data)
    if not options.json:
        print(f"wrote {len(files)} files into {options.output}")
