"""Rows of measurements: a printed table, a results file beside the others, and one picture of all of them.

A benchmark is a module with `measure(...) -> list[Row]`; `publish("rollouts", rows)` prints them, writes
benchmarks/results/rollouts.json and draws docs/performance.svg anew from every file in benchmarks/results/.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

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
    """Print the rows and keep them."""
    print(table(rows))
    keep(name, rows)


def keep(name: str, rows: Sequence[Row]) -> None:
    """Write benchmarks/results/NAME.json and draw the picture again."""
    RESULTS.mkdir(exist_ok=True)
    body = {
        "benchmark": name,
        "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
        "rows": [{**asdict(r), "value": round(r.value, 3), "met": r.met} for r in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=2) + "\n")
    draw(load(), PICTURE)


def load(folder: Path = RESULTS) -> list[Row]:
    """Rows of every results file, in the order of the files' names."""
    rows = []
    for file in sorted(folder.glob("*.json")):
        for data in json.loads(file.read_text())["rows"]:
            rows.append(Row(**{k: v for k, v in data.items() if k not in ("value", "met")}))
    return rows


def draw(rows: Sequence[Row], to: Path) -> None:
    """A bar per row with a limit: how much of it is used (of a throughput: limit / value), and a line at the limit."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "sdsk8s"  # the same numbers make the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: a small file
    from matplotlib import pyplot

    rows = [r for r in rows if r.wanted and r.value]
    shares = [r.wanted / r.value if r.more else r.value / r.wanted for r in rows if r.wanted]
    figure, axes = pyplot.subplots(figsize=(10, 0.6 + 0.32 * len(rows)), layout="constrained")
    bars = axes.barh(range(len(rows)), shares, color=["#2e8b57" if r.met else "#c0392b" for r in rows])
    axes.bar_label(bars, [f"{r.value:.2f}, wanted {r.limit}" for r in rows], padding=4, fontsize=8)
    axes.set_yticks(range(len(rows)), [r.work for r in rows], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color="black", linestyle="--", linewidth=1)
    axes.set_xlim(0, 1.3 * max([1.0, *shares]))
    axes.set_xlabel("share of the limit that is used; what ends left of the line meets it")
    figure.savefig(to, metadata={"Date": None})
    pyplot.close(figure)
