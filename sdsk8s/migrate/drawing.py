"""Where the parts of a site stand in the drawing of the report: queues, components, stores, and lines between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.queue import worker_queues
from sdsk8s.model.site import Site
from sdsk8s.render.objects import queue_object_name

COLUMNS = (10, 400, 850)
WIDTHS = (280, 340, 200)
HEAD, ROW, GAP = 34, 18, 16
"""Pixels: a box's title, one line in it, what is between boxes."""
COLOURS = ("#2b6cb0", "#b7791f", "#2f855a", "#805ad5", "#c53030", "#0987a0")
LONGEST = 42


@dataclass(frozen=True)
class Line:
    """One line of text in a box; kind: shipped, program or timer."""

    text: str
    kind: str


@dataclass(frozen=True)
class Box:
    """In pixels. kind: queue, component or store; note: where it is, if not in the cluster."""

    name: str
    kind: str
    x: int
    y: int
    width: int
    height: int
    note: str = ""
    lines: tuple[Line, ...] = ()
    colour: str = "#4a5568"

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


@dataclass(frozen=True)
class Edge:
    """A curve from (x1, y1) to (x2, y2)."""

    x1: int
    y1: int
    x2: int
    y2: int
    colour: str
    title: str

    @property
    def path(self) -> str:
        bend = (self.x2 - self.x1) // 2
        return f"M{self.x1},{self.y1} C{self.x1 + bend},{self.y1} {self.x2 - bend},{self.y2} {self.x2},{self.y2}"


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def draw(site: Site, catalogue: Catalogue, served: Mapping[str, Sequence[str]]) -> Drawing:
    """served: {workload: queues} of imported programs; those of `per_queue` components come from the configuration."""
    parts = [c for c in catalogue.ordered() if not c.store]
    stores = [c for c in catalogue.ordered() if c.store]
    lines = {c.name: _lines(c, site) for c in parts}
    # queues in the order of the components that serve them: lines cross less
    named = []
    for c in parts:
        own = [kube.name(m) for m in c.manifests if m["kind"] in WORKLOADS]
        named += [(q, c.name) for workload in own for q in served.get(workload, ())]
        named += [(q.name, c.name) for q in worker_queues(site.config) if c.per_queue]
    pairs = list(dict.fromkeys(named))
    queues = list(dict.fromkeys(q for q, _ in pairs))
    heights = ([ROW + 8] * len(queues), [HEAD + ROW * len(lines[c.name]) for c in parts], [HEAD + ROW] * len(stores))
    tallest = max(sum(h) + GAP * (len(h) + 1) for h in heights)
    places = [_column(h, tallest) for h in heights]
    (qx, cx, sx), (qw, cw, sw) = COLUMNS, WIDTHS
    boxes = {("queue", q): Box(q, "queue", qx, y, qw, h) for q, (y, h) in zip(queues, places[0], strict=True)}
    for c, (y, h) in zip(parts, places[1], strict=True):
        note = "not managed here" if c.stub else _note(site, c)
        boxes["component", c.name] = Box(c.name, "component", cx, y, cw, h, note, lines[c.name])
    for i, (c, (y, h)) in enumerate(zip(stores, places[2], strict=True)):
        colour = COLOURS[i % len(COLOURS)]
        boxes["store", c.name] = Box(c.name, "store", sx, y, sw, h, _note(site, c) or "in the cluster", (), colour)
    edges = [_edge(boxes["queue", q], boxes["component", c], "#718096", 0, 1) for q, c in pairs]
    for c in parts:
        needs = [s for s in stores if s.name in c.needs]
        for i, s in enumerate(needs):
            edges.append(_edge(boxes["component", c.name], boxes["store", s.name], "", i, len(needs)))
    return Drawing(sx + sw + 10, tallest, tuple(boxes.values()), tuple(edges))


def _lines(component: Component, site: Site) -> tuple[Line, ...]:
    found = []
    for obj in component.manifests:
        name = kube.name(obj)
        imported = kube.label(obj, kube.PART_LABEL) == "imported"
        if obj["kind"] == "CronJob":
            found.append(Line(f"{name}  {obj['spec']['schedule']}", "timer"))
        elif obj["kind"] in WORKLOADS and name == component.per_queue:
            found += [Line(queue_object_name(name, q.name), "shipped") for q in worker_queues(site.config)]
        elif obj["kind"] in WORKLOADS:
            replicas = obj["spec"].get("replicas", 1)
            text = name if replicas == 1 else f"{name}  x {replicas}"
            found.append(Line(text, "program" if imported else "shipped"))
    return tuple(Line(_short(line.text), line.kind) for line in found)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _note(site: Site, component: Component) -> str:
    return {"kubernetes": "", "ssh": "on machines", "external": "outside"}[site.where(component.name)]


def _column(heights: Sequence[int], tallest: int) -> list[tuple[int, int]]:
    """(top, height) of every box of a column, spread over its height."""
    gap = (tallest - sum(heights)) / (len(heights) + 1)
    out, at = [], 0.0
    for height in heights:
        at += gap
        out.append((round(at), height))
        at += height
    return out


def _edge(left: Box, right: Box, colour: str, number: int, count: int) -> Edge:
    """number of count: its place among the lines that leave the same box."""
    start = left.y + left.height * (number + 1) // (count + 1)
    title = f"{left.name} - {right.name}"
    return Edge(left.x + left.width, start, right.x, right.middle, colour or right.colour, title)
