"""`status` for people: the legacy tool's sections in its order, with the cluster's facts in them."""

from __future__ import annotations

from collections.abc import Iterator

from sdsk8s.console.colour import paint
from sdsk8s.model.status import ACTIVE, ComponentStatus, Store, SystemStatus, Workload
from sdsk8s.model.supervisord import SupervisedProgram

WIDTH = 40
TPS, SUPERVISED = "third-party services", "supervised services"
GOOD_PROGRAMS = ("RUNNING", "EXITED")


def status_lines(status: SystemStatus, colour: bool) -> list[str]:
    """One section per component, in the order given."""
    return [line for c in status.components for line in _component(c, colour)]


def _component(c: ComponentStatus, colour: bool) -> Iterator[str]:
    for text in ("#" * WIDTH, c.name, "#" * WIDTH):
        yield paint(text, "cyan", colour)
    if c.programs:
        yield from _header(SUPERVISED, colour)
        width = max(len(_program_title(p)) for p in c.programs)
        for program in c.programs:
            yield _program(program, width, colour)
        return
    if c.state == "elsewhere" and not c.ok:
        yield paint(c.note, "red", colour)
        return
    if c.state in ("stub", "elsewhere"):
        yield f"{c.name}: {c.note}"
        return
    if c.stores:
        yield from _header(TPS, colour)
        for store in c.stores:
            yield from _store(store, colour)
    yield from _header(SUPERVISED, colour)
    if not c.workloads:
        yield f"{c.name} is not deployed"
    width = max((len(_title(w)) for w in c.workloads), default=0)
    program_width = max((len(_program_title(p)) for w in c.workloads for p in w.programs), default=0)
    for w in c.workloads:
        yield from _workload(w, width, colour)
        for program in w.programs:
            yield "    " + _program(program, program_width, colour)
    for url in c.urls:
        note = {True: "", False: "  (does not answer from here)", None: ""}[url.reachable]
        yield f"{url.service}: {url.url}{note}"


def _header(title: str, colour: bool) -> Iterator[str]:
    for text in ("-" * WIDTH, title, "-" * WIDTH):
        yield paint(text, "cyan", colour)


def _store(s: Store, colour: bool) -> Iterator[str]:
    if s.search:
        yield f"[{s.asked or s.store}] Pinging {s.label.capitalize()}"
    yield paint(f"{s.label}: {s.state}", "green" if s.state == ACTIVE else "red", colour) + _words(s.words)


def _title(w: Workload) -> str:
    return f"{w.kind}/{w.name}"


def _workload(w: Workload, width: int, colour: bool) -> Iterator[str]:
    good = w.state in ("ready", "stopped")
    state = paint(_state(w), "green" if w.state == "ready" else "" if good else "red", colour)
    facts = [
        f"up {age(w.age)}" if w.age is not None and w.desired else "",
        f"{w.restarts} restart{'' if w.restarts == 1 else 's'}" if w.desired and w.pods else "",
        f"on {', '.join(w.nodes)}" if w.nodes else "",
        f"image {w.image}" if w.image else "",
        f"bundle {w.bundle}" if w.bundle else "",
    ]
    yield "  ".join([f"{_title(w):<{width}}", state, *(f for f in facts if f)])
    if w.trouble:
        yield "    " + paint(w.trouble, "red", colour)
    for pod in w.pods:
        if pod.drift:
            yield "    " + paint(f"[{pod.name}] drifted: {pod.drift}", "yellow", colour)
        if not pod.ready and not (pod.reason == "ending" and not w.desired):
            node = f" on {pod.node}" if pod.node else ""
            yield "    " + paint(f"[{pod.name}] {pod.reason}", "red", colour) + node + _words(pod.words)


def _state(w: Workload) -> str:
    if w.state == "missing":
        return "missing"
    if w.state == "stopped":
        left = f", {len(w.pods)} pod{'' if len(w.pods) == 1 else 's'} ending" if w.pods else ""
        return "stopped" + (f" ({w.recorded} recorded)" if w.recorded is not None else "") + left
    text = f"{w.ready}/{w.desired} ready"
    return text + (f", {w.updated}/{w.desired} updated" if w.updated < w.desired else "")


def _program_title(p: SupervisedProgram) -> str:
    return f"[{p.pod}] {p.name}"


def _program(p: SupervisedProgram, width: int, colour: bool) -> str:
    good = p.state in GOOD_PROGRAMS
    state = paint(f"{p.state:<8}", "green" if good else "red", colour)
    return f"{_program_title(p):<{width}} {state} {p.words}".rstrip()


def _words(text: str) -> str:
    return f" ({' '.join(text.split())})" if text else ""


def age(seconds: int) -> str:
    """45s, 12m, 3h05m, 2d4h."""
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds // 60 % 60:02}m"
    return f"{seconds // 86400}d{seconds // 3600 % 24}h"
