"""Rows of measurements: a printed table, a results file beside the others, and one picture of all of them.

A benchmark makes Rows and calls `publish("rollout", rows)`: it prints them, writes benchmarks/results/rollout.json and
draws docs/performance.svg anew from every file in benchmarks/results/.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "performance.svg"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    work, against  what is measured, and what it is compared with ("" for an absolute number)
    ours, theirs   medians in `unit` (theirs None without a comparison); for times smaller is better
    wanted         limit of `value`
    more           True: `value` is wanted at least `wanted` (a throughput); else at most
    runs           how many turns the medians are of
    """

    work: str
    against: str
    ours: float
    theirs: float | None
    wanted: float | None = None
    unit: str = "s"
    more: bool = False
    runs: int = 1

    @property
    def value(self) -> float:
        """The ratio ours / theirs, or ours alone."""
        return self.ours if self.theirs is None else self.ours / self.theirs

    @property
    def met(self) -> bool | None:
        if self.wanted is None:
            return None
        return self.value >= self.wanted if self.more else self.value <= self.wanted

    @property
    def limit(self) -> str:
        if self.wanted is None:
            return "-"
        return f"{'>=' if self.more else '<='} {self.wanted:g}" + ("" if self.theirs is not None else f" {self.unit}")


def table(rows: Sequence[Row]) -> str:
    """Markdown, as docs/performance.md shows it."""
    lines = ["| work | against | ours | theirs | ratio | wanted | met |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        theirs = "-" if r.theirs is None else f"{r.theirs:.2f} {r.unit}"
        ratio = "-" if r.theirs is None else f"{r.value:.2f}"
        met = {True: "yes", False: "no", None: "-"}[r.met]
        lines.append(
            f"| {r.work} | {r.against or '-'} | {r.ours:.2f} {r.unit} | {theirs} | {ratio} | {r.limit} | {met} |"
        )
    return "\n".join(lines)


def publish(name: str, rows: Sequence[Row]) -> None:
    """Print the rows, keep them under benchmarks/results/NAME.json, draw the picture again."""
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    body = {
        "benchmark": name,
        "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "rows": [{**asdict(r), "value": round(r.value, 3), "met": r.met} for r in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=2) + "\n")
    PICTURE.write_text(picture(load()))


def load(folder: Path = RESULTS) -> list[Row]:
    """Rows of every results file, in the order of the files' names."""
    rows = []
    for file in sorted(folder.glob("*.json")):
        for data in json.loads(file.read_text())["rows"]:
            rows.append(Row(**{k: v for k, v in data.items() if k not in ("value", "met")}))
    return rows


def picture(rows: Sequence[Row]) -> str:
    """SVG: a bar per row with a limit, its length the value as a share of the limit, and a line at the limit."""
    rows = [r for r in rows if r.wanted]
    left, width, high = 360, 420, 26
    end = left + width * 1.6
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{end + 150:.0f}" height="{high * len(rows) + 50}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for n, r in enumerate(rows):
        y = 30 + n * high
        share = min(r.value / r.wanted if r.wanted else 0.0, 1.55)
        colour = "#2e8b57" if r.met else "#c0392b"
        number = f"{r.value:.2f}" if r.theirs is not None else f"{r.ours:.1f} {r.unit}"
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(r.work[:54])}</text>')
        out.append(f'<rect x="{left}" y="{y + 2}" width="{share * width:.0f}" height="16" fill="{colour}"/>')
        out.append(
            f'<text x="{left + max(share, 1.0) * width + 8:.0f}" y="{y + 14}">{number} '
            f"(wanted {escape(r.limit)})</text>"
        )
    line = left + width
    bottom = 30 + len(rows) * high
    out.append(f'<line x1="{line}" y1="22" x2="{line}" y2="{bottom}" stroke="black" stroke-dasharray="4 3"/>')
    out.append(f'<text x="{line}" y="16" text-anchor="middle">limit (at least for throughputs, else at most)</text>')
    return "\n".join([*out, "</svg>", ""])
