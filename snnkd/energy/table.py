"""Reports for the terminal."""

from typing import TYPE_CHECKING

from snnkd.terminal import as_text, plain_table

if TYPE_CHECKING:
    from snnkd.energy.comparison import Comparison
    from snnkd.energy.hardware import Hardware
    from snnkd.energy.report import EnergyReport

BAR = 10


def report_table(report: "EnergyReport", width: int = 110, every: bool = False) -> str:
    """A row a layer, with its share of the energy."""
    from snnkd.energy.report import joules_text

    total = report.joules or 1.0
    how = "" if report.method == "exact" else ", by the published rate formula (an approximation)"
    table = plain_table(f"Energy per sample on {report.hardware.name}{how}")
    table.add_column("layer", overflow="fold")
    table.add_column("input", no_wrap=True)
    for heading in ("nonzero", "syn. ops", "MACs", "updates", "energy"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("share", no_wrap=True)
    hidden = 0
    for layer in report.layers:
        small = layer.joules is not None and layer.joules < 1e-3 * total
        if small and not every and not layer.dense_operations and layer.kind != "LIF":
            hidden += 1
            continue
        joules = layer.joules
        share = (joules or 0.0) / total
        table.add_row(
            layer.name,
            layer.input,
            f"{layer.input_rate:.1%}" if layer.inputs else "",
            count_text(layer.synaptic_operations),
            count_text(layer.macs),
            count_text(layer.neuron_updates),
            "no figure" if joules is None else joules_text(joules),
            "" if joules is None else f"{'█' * round(BAR * share):<{BAR}} {share:4.0%}",
        )
    table.add_section()
    table.add_row(
        "total",
        "",
        "",
        count_text(report.synaptic_operations),
        count_text(report.macs),
        count_text(report.neuron_updates),
        joules_text(report.joules),
        "",
    )
    return as_text(table, *_notes(report, hidden), width=width)


def _notes(report: "EnergyReport", hidden: int) -> list[str]:
    from snnkd.energy.report import joules_text

    notes = []
    if hidden:
        notes.append(f"{hidden} rows of less than 0.1% are not shown.")
    folded = sum(layer.folded for layer in report.layers)
    if folded:
        price = (report.hardware.joules("mac") or 0.0) / 2
        unfolded = f", {joules_text(folded * price)} if they were not" if price else ""
        notes.append(
            f"Folded into weights or events: {count_text(folded)} sums and products of norms, means{unfolded}."
        )
    if report.uncounted:
        notes.append(f"Not counted, in elements per thousand dense operations: {'; '.join(report.uncounted)}.")
    if report.unpriced:
        notes.append(f"{report.hardware.name} has no figure for {', '.join(report.unpriced[:4])}: not in the total.")
    return notes


def comparison_table(comparison: "Comparison", names: tuple[str, str], width: int = 110) -> str:
    """This network, the other, and dense ones of this one's shape."""
    from snnkd.energy.comparison import DENSE
    from snnkd.energy.report import joules_text

    report = comparison.report
    table = plain_table(
        "Beside others, energy per sample",
        f"{report.steps} steps; events make {comparison.event_share:.1%} of the dense operations; "
        f"{report.steps} binary steps carry as much as {comparison.bits} bits.",
    )
    for heading in ("", "energy", "times", "cheaper below"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    table.add_row(f"{names[0]}, {report.hardware.name}", joules_text(report.joules), "1", "")
    if comparison.other is not None and comparison.times is not None:
        other = comparison.other
        table.add_row(f"{names[1]}, {other.hardware.name}", joules_text(other.joules), _times(comparison.times), "")
    for name, hardware in DENSE.items():
        for label, steps in ((f"{name}, each step", None), (f"{name}, once a clip", 1)):
            joules = comparison.dense_joules(hardware, steps)
            limit = comparison.break_even(hardware, steps)
            said = "" if limit is None else "never" if limit <= 0 else f"{limit:.1%}" if limit < 1 else "always"
            table.add_row(label, joules_text(joules), _times(joules / report.joules), said)
    return as_text(
        table, "Cheaper below: the share of dense operations that events may use for this network to win.", width=width
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.2g}×"


def count_text(number: float) -> str:
    """A count, short."""
    if number >= 1e9:
        return f"{number / 1e9:.3g} G"
    if number >= 1e5:
        return f"{number / 1e6:.3g} M"
    return f"{number:,.0f}" if number else "·"


def samples_text(report: "EnergyReport") -> str:
    """How many clips, how they differ, how many neurons fire."""
    from snnkd.energy.report import joules_text, mean_interval, spread

    joules = report.per_sample("joules")
    found = spread(joules)
    text = f"{report.samples} clip{'s' * (report.samples != 1)} of {report.steps} steps"
    if report.samples > 1:
        low, high = (joules_text(x) for x in mean_interval(joules))
        text += (
            f"; from {joules_text(found['least'])} to {joules_text(found['most'])}, standard deviation "
            f"{joules_text(found['deviation'])}, the mean within {low} to {high} (95%)"
        )
    rate = "" if report.spike_rate is None else f" {report.spike_rate:.1%} of neurons fire per step."
    return f"{text}.{rate}"


def hardware_table(profiles: "list[Hardware]", width: int = 110) -> str:
    """Every profile with its constants and where they are from."""
    from snnkd.energy.report import joules_text

    table = plain_table("Hardware profiles", "A file of your own: give its path. Its form is in docs/energy.rst.")
    for heading, right in (("name", False), ("operation", False), ("energy", True), ("source and note", False)):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for profile in profiles:
        name, last = profile.name, ""
        rows = [(key, constant) for key, constant in profile.constants.items()]
        rows += [(f"{level.bits} bit, {level.name}", level.energy) for level in profile.memory]
        for key, constant in rows:
            source = "″" if constant.source == last else constant.source
            note = f" ({constant.note})" if constant.note else ""
            table.add_row(name, key.replace("_", " "), joules_text(constant.joules), f"{source}{note}")
            name, last = "", constant.source
        table.add_section()
    return as_text(table, width=width)
