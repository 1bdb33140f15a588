"""Every line of the grammar table through the legacy tool and through ours: exit code, streams, parsed values.

Runs when SDSK8S_LEGACY_SDS names the legacy tool's `sds` (installed in an environment of its own); `compare.py` prints
the table of differences. Both tools see an empty home and no terminal, so that a right line ends at the missing
configuration.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compare import Result, compare, reasons

LEGACY = os.environ.get("SDSK8S_LEGACY_SDS", "")
pytestmark = pytest.mark.skipif(not LEGACY, reason="SDSK8S_LEGACY_SDS does not name the legacy tool's sds")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return compare(Path(LEGACY), tmp_path_factory.mktemp("home"))


def test_same_answers_wherever_no_difference_is_documented(result: Result) -> None:
    assert result.compared >= 400 and result.understood >= 400
    assert result.differing == []


def test_every_documented_difference_is_one(result: Result) -> None:
    """A line that is marked, but that both tools answer in the same way, is marked in error."""
    assert result.marked_in_error == []
    assert {d.reason for d in result.documented} <= set(reasons())
