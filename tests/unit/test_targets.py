"""A place where commands run: what supervisord says is asked the same way in pods and on hosts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sdsk8s.backends.supervisord import host_programs, pod_programs
from sdsk8s.backends.target import LARGEST, CommandTarget, Ended, check_size, expanded, quoted
from sdsk8s.errors import RefusedError
from sdsk8s.model.supervisord import SupervisedProgram


class Scripted:
    """A target that answers by the first word of a command line, and keeps what it was asked."""

    def __init__(self, *, pod: bool = True, **answers: Ended) -> None:
        self.name, self.pod = "a-1", pod
        self.answers = answers
        self.asked: list[list[str]] = []

    def run(self, argv: Sequence[str], timeout: float | None = None) -> Ended:
        self.asked.append(list(argv))
        return self.answers[argv[0].rpartition("/")[2]]

    def shell(self, line: str, timeout: float | None = None) -> Ended:
        return self.run(line.split(" "), timeout)

    def write(self, data: bytes, path: str, mode: int) -> None:
        raise NotImplementedError

    def read(self, path: str) -> bytes:
        raise NotImplementedError


SAID = Ended(3, "one RUNNING pid 7\ntwo FATAL Exited too quickly\n", "")
PROGRAMS = [
    SupervisedProgram("a-1", "one", "RUNNING", "pid 7"),
    SupervisedProgram("a-1", "two", "FATAL", "Exited too quickly"),
]
YES, NO = Ended(0, "", ""), Ended(1, "", "")


def test_a_pods_programs() -> None:
    """supervisorctl ends with 3 when one program is down: that is an answer like any other."""
    target = Scripted(supervisorctl=SAID)
    assert pod_programs(target, 5) == PROGRAMS
    assert target.asked == [["/opt/sds/venv/bin/supervisorctl", "-c", "/opt/sds/etc/supervisord.conf", "status"]]


def test_a_hosts_programs() -> None:
    target = Scripted(pod=False, test=YES, supervisorctl=SAID)
    assert host_programs(target, "/home/ops/mozart", 5) == PROGRAMS
    ctl = ["/home/ops/mozart/bin/supervisorctl", "-c", "/home/ops/mozart/etc/supervisord.conf", "status"]
    assert target.asked == [["test", "-S", "/home/ops/mozart/run/supervisor.sock"], ctl]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Scripted(test=NO), "supervisord not running on a-1 (no /h/run/supervisor.sock)"),
        (Scripted(test=YES, supervisorctl=Ended(4, "", "unix:///x refused connection\n")), "refused connection"),
        (Scripted(test=YES, supervisorctl=Ended(4, "no such file\n", "")), "no such file"),
    ],
)
def test_a_supervisord_that_does_not_answer_is_words(target: CommandTarget, words: str) -> None:
    found = host_programs(target, "/h", 5)
    assert isinstance(found, str) and words in found


def test_home_is_that_of_the_target() -> None:
    assert quoted("~/a b") == "~/'a b'" and quoted("/a b") == "'/a b'"
    target = Scripted(printf=Ended(0, "/home/ops/x", ""))
    assert expanded(target, "~/x") == "/home/ops/x"
    assert expanded(target, "/x") == "/x" and len(target.asked) == 1


def test_a_file_for_cp_is_refused() -> None:
    check_size(LARGEST, "f")
    with pytest.raises(RefusedError, match="larger than 64 MiB"):
        check_size(LARGEST + 1, "f")
