"""The grammar of targets."""

from __future__ import annotations

import pytest

from sdsk8s.errors import UsageError
from sdsk8s.model.target import Target, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("mozart", Target("mozart")),
        ("all", Target("all")),
        ("mozart/mozart-api", Target("mozart", "mozart-api")),
        ("verdi/verdi-queue:job_worker-large", Target("verdi", "verdi-queue", "job_worker-large")),
        ("verdi/verdi-queue:*", Target("verdi", "verdi-queue", "*")),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert str(parse_target(text)) == text


@pytest.mark.parametrize("text", ["", "/", "a/", "/b", "a/b/c", "a:b", "a/b:", "-a", "a b", "all/x", "a/b:c:d", "a\n"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(UsageError):
        parse_target(text)
