"""Write the tables of README.md from the JSON files under assets/results/; no figure there is typed by hand.

Usage: python scripts/report.py [--check]      (--check: fail where README.md is not what would be written)
"""

import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from snnkd.energy import joules_text

ROOT = Path(__file__).parents[1]


def demo() -> str:
    """The demo's table."""
    result = json.loads((ROOT / "assets" / "results" / "demo.json").read_text())
    rows, teacher = result["rows"], result["rows"][0]
    heads = ["network", "sees", "WAR", "UAR", "weights", "firing", "energy per clip", "less than the teacher by"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for row in rows:
        rate = "" if row["spike_rate"] is None else f"{row['spike_rate']:.1%}"
        less = "" if row is teacher else f"{teacher['joules'] / row['joules']:,.0f}×"
        lines.append(
            f"| {row['name']} | {row['sees']} | {row['war']:.1%} | {row['uar']:.1%} | {row['parameters']:,} "
            f"| {rate} | {joules_text(row['joules'])} | {less} |"
        )
    clips, persons = result["test_clips"], result["test_persons"]
    lines += [
        "",
        f"Synthetic eyes, {result['settings']['persons']} persons, one seed. {clips} test clips of {persons} persons "
        f"never seen in training: one clip is {1 / clips:.1%}, and differences of a few clips mean little. Firing is "
        "spikes per neuron and step; energy the arithmetic of one clip at 45 nm and fp32, from the spikes that fired.",
    ]
    return "\n".join(lines)


def spiking() -> str:
    """The spiking core against its peers, on the CPU and on a GPU."""
    folder = ROOT / "assets" / "results"
    tables = [spiking_table(json.loads((folder / f"spiking-{device}.json").read_text())) for device in ("cpu", "cuda")]
    return "\n\n".join(tables)


def spiking_table(result: dict[str, Any]) -> str:
    """What one run told."""
    peers = {
        "spikingjelly": "SpikingJelly",
        "snntorch": "snnTorch",
        "norse": "Norse",
        "compiled_reference": "torch.compile",
    }
    cases: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for row in result["rows"]:
        # The peers as they come; the rows in which they keep freed memory as ours does are in the JSON.
        if not (row["contender"] in peers and row["keeps_memory"]) or row["contender"] == "compiled_reference":
            case = (row["case"], str(row["shape"]), row["dtype"])
            cases.setdefault(case, {})[row["contender"]] = row
    names = {"lif": "LIF", "linear": "Linear + LIF", "student": "student, training step", "norm": "batch norm + LIF"}
    peers = {name: told for name, told in peers.items() if any(name in rows for rows in cases.values())}
    heads = ["", "shape", "dtype", "snnkd", "of the memory bound", *peers.values(), "BatchNorm2d, then LIF"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for (case, shape, dtype), rows in cases.items():
        ours = rows["norm_lif" if case == "norm" else "snnkd"]

        def times(name: str, rows: dict[str, dict[str, Any]] = rows, ours: dict[str, Any] = ours) -> str:
            return f"{rows[name]['times']['median'] / ours['times']['median']:.1f}×" if name in rows else ""

        bound = f"{ours['times_bound']:.1f}×" if "times_bound" in ours and case == "lif" else ""
        lines.append(
            f"| {names[case]} | {shape} | {dtype} | {ours['times']['median'] * 1e3:.1f} ms | {bound} | "
            f"{' | '.join(times(name) for name in [*peers, 'norm_then_lif'])} |"
        )
    return "\n".join([*lines, "", spiking_note(result["machine"])])


def spiking_note(machine: dict[str, Any]) -> str:
    """What the table was measured on, and how to read it."""
    names = {
        "torch": "torch",
        "spikingjelly": "SpikingJelly",
        "snntorch": "snnTorch",
        "norse": "Norse",
        "triton": "Triton",
    }
    versions = ", ".join(
        f"{told} {machine['versions'][name]}" for name, told in names.items() if name in machine["versions"]
    )
    where = machine["gpu"] or f"{machine['cpu']}, {machine['threads']} threads"
    whole = (
        f"Forward and backward, {where}, {versions}: medians of one run, the others as multiples of ours. The memory "
        "bound copies and adds what must be read and written. "
    )
    if machine["gpu"] is None:
        return whole + (
            "The machine is used by others, too, and figures move from run to run; in busy ones our lead is smaller."
        )
    return whole + (
        "Each call is waited for, so that what the launches cost on the processor is in it; below 1× the other is "
        "faster. SpikingJelly is taken as it comes: in fp32 that is its Triton kernels, in half precision its PyTorch "
        "reference."
    )


def recordings() -> str:
    """How fast the readers are, beside others on the same files."""
    result = json.loads((ROOT / "assets" / "results" / "recordings.json").read_text())
    rates: dict[str, dict[str, float]] = {}
    for row in result["readers"]:
        rates.setdefault(row["format"], {})[row["reader"]] = row["million_events_per_second"]
    others = sorted({name for row in rates.values() for name in row} - {"snnkd"})
    lines = [f"| million events a second | snnkd | {' | '.join(others)} |", f"|{' --- |' * (len(others) + 2)}"]
    for kind, row in rates.items():
        cells = [f"{row[name]:.0f}" if name in row else "" for name in ("snnkd", *others)]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines += [
        "",
        "Files made by other code than that which reads them, medians of one run on two cores that others use too. "
        "Ours are checked as well: every event inside the sensor, time never backwards. Binning of 5 million events to "
        f"300×2×260×346 took {statistics.median(result['binning']['seconds']['snnkd']) * 1e3:.0f} ms, "
        f"tonic's `ToFrame` {result['binning']['times_tonic']:.0f} times that.",
    ]
    simulated = {row["frames"]: row for row in result.get("sensor_model", [])}
    if simulated:
        rates = " and ".join(f"{row['frames_per_second']:.0f} {kind}" for kind, row in simulated.items())
        events = simulated["uint8"]["events_per_simulated_second"]
        lines[-1] += (
            f" The sensor model with all its noise took in {rates} frames a second, at 346×260 and 300 frames a second "
            f"of a moving eye that make {events / 1e6:.2f} million events a second."
        )
    return "\n".join(lines)


def eyesim() -> str:
    """How hard the synthetic standard set is."""
    result = json.loads((ROOT / "assets" / "results" / "eyesim.json").read_text())
    parts, standard = result["parts"], result["standard"]
    others = result["more"]["persons"]
    rows = [
        ("mean frame, linear probe", parts["probes"]["mean frame"]),
        ("event counts, linear probe", parts["probes"]["event counts"]),
        ("frame at the apex, linear probe", parts["probes"]["apex frame"]),
        ("its change from the first frame, linear probe", parts["probes"]["apex frame less the first"]),
        (
            "that change in whole steps of the sensor's threshold, linear probe",
            parts["probes"]["apex frame less the first, in steps of the threshold"],
        ),
        ("events up to the apex, ON less OFF, linear probe", parts["probes"]["events up to the apex, ON less OFF"]),
        ("`nano` student, events, on labels", parts.get("student")),
        (f"the same on {others} other persons", parts.get("more")),
        ("teacher, frames, on labels", parts.get("teacher")),
        ("true action units, linear", parts["probes"]["action units"]),
    ]
    lines = ["| EyeSim's standard set | UAR | 95% | normal | overexposed | low-light | HDR |", f"|{' --- |' * 7}"]
    for name, row in rows:
        if row is None:
            continue
        uar, light = row["uar"], row["lightings"]
        cells = [f"{light[key]:.0%}" for key in ("normal", "overexposed", "low-light", "HDR")]
        lines.append(f"| {name} | {uar['value']:.1%} | {uar['low']:.0%} to {uar['high']:.0%} | {' | '.join(cells)} |")
    lines += [
        "",
        f"{standard['persons']} synthetic persons, seven emotions, {standard['takes']} takes, four lightings, each "
        "take scored by what never saw its person (five folds); intervals over persons; accuracy under each lighting. "
        "Chance is 14.3%.",
    ]
    return "\n".join(lines)


def data() -> str:
    """What brings data to a training."""
    result = json.loads((ROOT / "assets" / "results" / "data.json").read_text())
    lines = ["| | measured | goal |", "| --- | --- | --- |"]
    for row in result["rows"]:
        at_least = "at least" if row["reached"] == (row["value"] >= (row["goal"] or 0)) else "at most"
        goal = "" if row["goal"] is None else f"{at_least} {row['goal']:,g}"
        digits = 0 if row["value"] >= 100 else 1 if row["value"] >= 1 else 2
        lines.append(f"| {row['what']} | {row['value']:,.{digits}f} {row['unit']} | {goal} |")
    machine = result["machine"]
    lines += ["", f"{machine['processor']}, {machine['cores']} cores that others use too, medians of one run."]
    return "\n".join(lines)


def energy() -> str:
    """What profiling costs."""
    result = json.loads((ROOT / "assets" / "results" / "energy.json").read_text())
    lines = ["| profiled | time, times a plain pass | peak memory, times a plain pass |", "| --- | --- | --- |"]
    lines += [f"| {row['network']} | {row['times']:.2f}× | {row['memory_times']:.2f}× |" for row in result["rows"]]
    goals = result["goals"]
    lines += [
        "",
        f"Batches of {result['batch']} clips of {result['steps']} steps, one thread, medians of {result['rounds']} "
        f"pairs; goals {goals['time']:g}× and {goals['memory']:g}×.",
    ]
    return "\n".join(lines)


def inference() -> str:
    """What recognising costs."""
    result = json.loads((ROOT / "assets" / "results" / "inference.json").read_text())
    goals, live, memory = result["goals"], result["live"], result["memory"]
    ours = live["event-driven"]
    rows = [
        (
            "live, `small` student, from a window's events to its label",
            f"median {ours['median_ms']:.2f} ms, 99th percentile {ours['percentile_99_ms']:.2f} ms",
            f"{goals['live_median_ms']:g} and {goals['live_99_ms']:g} ms",
        ),
        ("the same network by PyTorch", f"median {live['dense']['median_ms']:.2f} ms", ""),
        ("SEEN, a clip of four steps for each window", f"median {live['SEEN']['median_ms']:.1f} ms", ""),
    ]
    for kind, row in result["offline"].items():
        rate = row["events"] / row["recording_s"] / 1e6
        rows.append(
            (
                f"offline, from {kind}, {rate:.2f} million events a second at 346×260",
                f"{row['times_real_time']:.0f}× real time",
                f"{goals['times_real_time']:g}×",
            )
        )
    if near := result.get("near_eye"):
        rows.append(
            (
                "a near-eye recording of 5.4 s, from file to CSV",
                f"{near['file_to_csv_s']:.1f} s, {near['after_load_s']:.2f} s of it after imports and model",
                f"{goals['file_to_csv_s']:g} and {goals['after_load_s']:g} s",
            )
        )
    rows += [
        (
            f"peak memory, {row['recording_s'] / 60:.0f} minutes in {row['file_bytes'] / 1e9:.1f} GB",
            f"{row['peak_mb']:.0f} MB",
            f"{goals['peak_mb']:g} MB",
        )
        for row in memory
    ]
    lines = ["| | measured | goal |", "| --- | --- | --- |"]
    lines += [f"| {what} | {measured} | {goal} |" for what, measured, goal in rows]
    machine, agreement = result["machine"], result["agreement"]
    lines += [
        "",
        f"{machine['processor']}, two cores, windows of 33 ms; the `small` student was "
        f"{'trained' if result['trained'] else 'not trained, and fires'} at {agreement['spike_rate']:.0%} of its "
        f"neurons a step. Of {agreement['neuron_steps']:,} neuron-steps beside PyTorch's multi-step forward "
        f"{agreement['spikes_that_differ']:.1%} of the spikes differed.",
    ]
    return "\n".join(lines)


def study() -> str:
    """Which objective buys what."""
    from report_study import study as table

    return table(ROOT / "configs" / "study" / "eyesim.yaml", ROOT / "assets" / "results" / "study")


def seen() -> str:
    """What SEEN costs beside the student."""
    result = json.loads((ROOT / "assets" / "results" / "seen.json").read_text())
    others, goals = ("SEEN", "SEEN, all windows"), result["goals"]
    energy = {name: row["joules"] for name, row in result["energy"].items()}
    times, training = result["recognising_ms"], result["training_ms"]
    rows = [("energy of a take", energy, "student", joules_text, "energy")]
    rows += [("to recognise a take", times, "student", "{:.1f} ms".format, "recognising")]
    rows += [
        (f"to train on a take, {how}", training, f"student, {how}", "{:.1f} ms".format, "training")
        for how in ("distilled", "labels alone")
    ]
    steps = result["clips"]["SEEN"]["steps"]
    lines = [f"| | `small` student | SEEN, {steps} images | SEEN, all {result['clips']['student']['steps']} | goal |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for what, values, ours, told, goal in rows:
        told_others = " | ".join(f"{told(values[o])}, {values[o] / values[ours]:.1f}×" for o in others)
        lines.append(f"| {what} | {told(values[ours])} | {told_others} | {goals[goal]}× |")
    share = result["energy"]["SEEN"]["joules_of_macs"] / energy["SEEN"]
    lines += [
        "",
        f"{result['machine']['processor']}, {result['machine']['threads']} threads, medians of one run. SEEN as its "
        f"authors train it sees {steps} images of a take, the student all windows. SEEN is untrained here: "
        f"{share:.0%} of its energy are multiplications, which no spike saves; the student is `{result['student']}` of "
        "the study.",
    ]
    return "\n".join(lines)


BLOCKS = {
    "data": data,
    "demo": demo,
    "energy": energy,
    "eyesim": eyesim,
    "inference": inference,
    "recordings": recordings,
    "seen": seen,
    "spiking": spiking,
    "study": study,
}


def render(text: str) -> str:
    """Return ``text`` with each ``<!-- NAME -->`` … ``<!-- /NAME -->`` block filled anew."""
    for name, make in BLOCKS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, count = re.subn(pattern, lambda m, make=make: m[1] + make() + "\n" + m[2], text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"README.md: block {name} stands there {count} times instead of once")
    return text


def figures() -> dict[str, bytes]:
    """The pictures under assets/ that are drawn from results."""
    from report_figures import models, objectives, tradeoff
    from report_study import objectives as found_objectives
    from report_study import points
    from study_parts.plan import read_plan

    drawn = {}
    path = ROOT / "assets" / "results" / "energy_tradeoff.json"
    if path.exists():
        drawn["energy_tradeoff.png"] = tradeoff(json.loads(path.read_text()))
    plan, results = ROOT / "configs" / "study" / "eyesim.yaml", ROOT / "assets" / "results" / "study"
    rows = points(plan, results)
    if rows:
        drawn["energy_models.png"] = models(rows)
    alone = found_objectives(plan, results)
    if alone:
        drawn["objectives.png"] = objectives(alone, len(read_plan(plan).seeds))
    return drawn


def main() -> None:
    """Write or check."""
    path = ROOT / "README.md"
    text = path.read_text()
    rendered = render(text)
    if "--check" in sys.argv[1:]:
        if rendered != text:
            raise SystemExit("README.md does not say what assets/results/ holds: run python scripts/report.py")
    else:
        path.write_text(rendered)
        for name, data in figures().items():
            (ROOT / "assets" / name).write_bytes(data)


if __name__ == "__main__":
    main()
