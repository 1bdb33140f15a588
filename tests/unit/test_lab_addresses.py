"""Labs that are brought up at the same time: each gets addresses of its own, looked at before they are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdsk8s.errors import RefusedError
from sdsk8s.lab import lifecycle, net, plan, record
from sdsk8s.lab.plan import Lab


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(plan, "STATE_ROOT", tmp_path / "labs")
    monkeypatch.setattr(net, "host_routes", lambda *_: [])


def say(words: str) -> None:
    raise AssertionError(words)


def test_a_lab_whose_addresses_were_taken_meanwhile_gets_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Lab] = []
    monkeypatch.setattr(lifecycle, "check", lambda which, _: looked.append(which))
    mine, yours = lifecycle.choose("mine", 1), lifecycle.choose("yours", 1)
    assert mine.index == yours.index
    assert lifecycle.reserve(mine, say) == mine and looked == []
    other = lifecycle.reserve(yours, say)
    assert other.index != mine.index and looked == [other]
    assert record.taken() == {"mine": mine.index, "yours": other.index}
    assert lifecycle.reserve(mine, say) == mine and lifecycle.reserve(other, say) == other


def test_addresses_that_cannot_be_used_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: Lab, _: object) -> None:
        raise RefusedError("in use", target=which.name)

    monkeypatch.setattr(lifecycle, "check", refuse)
    mine, yours = lifecycle.choose("mine", 1), lifecycle.choose("yours", 1)
    lifecycle.reserve(mine, say)
    with pytest.raises(RefusedError):
        lifecycle.reserve(yours, say)
    assert record.taken() == {"mine": mine.index}
