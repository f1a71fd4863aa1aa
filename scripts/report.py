"""Write the tables of README.md from the JSON files under assets/results/; no figure there is typed by hand.

Usage: python scripts/report.py [--check]      (--check: fail where README.md is not what would be written)
"""

import json
import re
import sys
from pathlib import Path

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


BLOCKS = {"demo": demo}


def render(text: str) -> str:
    """Return ``text`` with each ``<!-- NAME -->`` … ``<!-- /NAME -->`` block filled anew."""
    for name, make in BLOCKS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, count = re.subn(pattern, lambda m, make=make: m[1] + make() + "\n" + m[2], text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"README.md: block {name} stands there {count} times instead of once")
    return text


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


if __name__ == "__main__":
    main()
