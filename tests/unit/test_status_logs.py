"""What `logs` reads and how it orders it, and questions asked side by side (`status`, `doctor`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sdsk8s.backends.kubernetes.log_streams import Window, _since, read
from sdsk8s.errors import ClusterError, SdsError, UsageError
from sdsk8s.model.component import component_from_dict
from sdsk8s.model.logs import LogLine, LogSource, check_workload, container_state, order, parse_line, seconds, sources
from sdsk8s.model.parallel import together

MANIFEST = {"kind": "Deployment", "metadata": {"name": "alpha-api"}}
ALPHA = component_from_dict({"name": "alpha"}, "/cat/alpha/component.yaml", (MANIFEST,))
RUNNING = {"state": {"running": {}}, "containerID": "c1"}
WAITING: dict[str, Any] = {"state": {"waiting": {}}}


def pod(name: str, part: str, main: dict[str, Any], init: dict[str, Any] | None = None) -> dict[str, Any]:
    labels = {
        "sdsk8s/component": "alpha",
        "app.kubernetes.io/name": f"alpha-{part}",
        "app.kubernetes.io/component": part,
    }
    steps = [{"name": "wait"}] if init else []
    return {
        "metadata": {"name": name, "uid": "u-" + name, "labels": labels},
        "spec": {"containers": [{"name": "main"}], "initContainers": steps},
        "status": {
            "containerStatuses": [{"name": "main", **main}],
            "initContainerStatuses": [{"name": "wait", **init}] if init else [],
        },
    }


def test_sources_by_workload_and_container() -> None:
    over = {"state": {"terminated": {"exitCode": 0}}, "containerID": "i1"}
    stuck = {"state": {"running": {}}, "containerID": "i1"}
    pods = [pod("a", "api", RUNNING, over), pod("w", "work", RUNNING), pod("s", "slow", WAITING, stuck)]

    def names(workload: str = "", container: str = "") -> list[tuple[str, str]]:
        return [(s.pod, s.container) for s in sources(pods, ALPHA, workload, container)]

    assert names() == [("a", "main"), ("s", "wait"), ("w", "main")]
    assert names("api") == names("alpha-api") == names("a") == [("a", "main")]
    assert names("", "wait") == [("a", "wait"), ("s", "wait")]
    assert names("other") == []
    with pytest.raises(UsageError, match="did you mean"):
        check_workload(ALPHA, "wrk", pods)
    check_workload(ALPHA, "api", [])


def test_state_of_a_source() -> None:
    source = LogSource("u-a", "a", "main")
    assert container_state(pod("a", "api", RUNNING), source) == ("c1", "running")
    assert container_state(None, source) == ("", "gone")
    replaced = pod("a", "api", RUNNING)
    replaced["metadata"]["uid"] = "another"
    assert container_state(replaced, source) == ("", "gone")


def test_order_is_by_time_although_zeros_are_dropped() -> None:
    source = LogSource("u", "p", "c")
    stamps = [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.1Z",
        "2026-01-31T12:00:00.100000001Z",
        "2026-01-31T12:00:00.2Z",
    ]
    lines = [LogLine(source, s, "") for s in stamps]
    assert sorted(lines, key=order) == lines


def test_lines_and_what_the_kubelet_says_instead() -> None:
    source = LogSource("u", "p", "c")
    assert parse_line(source, "2026-01-31T12:00:00.1Z two words") == LogLine(
        source, "2026-01-31T12:00:00.1Z", "two words"
    )
    assert parse_line(source, "2026-01-31T12:00:00.1Z ") == LogLine(source, "2026-01-31T12:00:00.1Z", "")
    assert parse_line(source, "unable to retrieve container logs") == "unable to retrieve container logs"
    assert parse_line(source, "the rest", "2026-01-31T12:00:00.1Z") == LogLine(
        source, "2026-01-31T12:00:00.1Z", "the rest"
    )


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800)])
def test_lengths_of_time(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "m", "10 m", "1.5h", "-3", "tomorrow"])
def test_bad_lengths_of_time(text: str) -> None:
    with pytest.raises(UsageError):
        seconds(text)


def test_reading_again_starts_before_the_last_line() -> None:
    assert _since(("", "")) is None
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert _since((now, "000000000")) in (2, 3)


class Broken:
    """A cluster whose second container cannot be read."""

    def logs(self, pod: str, container: str, **_: Any) -> Iterator[str]:
        if container == "bad":
            raise ClusterError("refused", words="container is waiting to start")
        yield f"2026-01-31T12:00:0{len(pod)}Z {pod}"


def test_one_unreadable_container_does_not_hide_the_others() -> None:
    said: list[str] = []
    wanted = [LogSource("1", "ppp", "ok"), LogSource("2", "p", "bad"), LogSource("3", "pp", "ok")]
    lines = list(read(Broken(), wanted, Window(), said.append))  # type: ignore[arg-type]
    assert [line.text for line in lines] == ["pp", "ppp"]
    assert said == ["p bad: container is waiting to start"]


def test_questions_side_by_side() -> None:
    hang = threading.Event()

    def late() -> int:
        hang.wait(30)
        return 3

    def fails() -> int:
        raise ClusterError("away")

    def defect() -> int:
        raise ZeroDivisionError("x")

    start = time.monotonic()
    found = together({"ok": lambda: 1, "late": late, "fails": fails, "defect": defect}, 0.5)
    hang.set()
    assert time.monotonic() - start < 2
    assert list(found) == ["ok", "late", "fails", "defect"] and found["ok"] == 1
    assert isinstance(found["late"], SdsError) and "no answer within" in found["late"].what
    assert isinstance(found["fails"], ClusterError)
    assert isinstance(found["defect"], SdsError) and "ZeroDivisionError" in found["defect"].what
    assert together({}, 1) == {}
