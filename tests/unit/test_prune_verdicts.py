"""Which stored images may go: every reason to keep one is a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sdsk8s.model.prune import Stored, Verdict, freed, mentions, verdicts
from sdsk8s.planner.images_prune import plan_prune
from sdsk8s.planner.steps import RemoveImage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REPO, DIGEST = "r.example:5000/demo/web", f"sha256:{'a' * 64}"
MONTH = timedelta(days=30)


def image(digest: str = DIGEST, *tags: str, days: int | None = 90, blobs: dict[str, int] | None = None) -> Stored:
    created = None if days is None else NOW - timedelta(days=days)
    return Stored(REPO, digest, tags or ("0123456789ab",), created, blobs or {"layer": 10})


@pytest.mark.parametrize(
    ("stored", "reasons", "kept"),
    [
        (image(), {}, ""),
        (image(), {f"{REPO}@{DIGEST}": "runs"}, "runs"),
        (image(), {f"{REPO}:0123456789ab": "runs"}, "runs"),
        (image(), {REPO: "cannot be judged"}, "cannot be judged"),
        (image(), {f"{REPO}-2@{DIGEST}": "runs", f"{REPO}:other": "runs"}, ""),
        (image(DIGEST, "0123456789ab", "1.0"), {}, "is tagged 1.0"),
        (image(days=29), {}, "is younger than 30 days"),
        (image(days=None), {}, "has no creation time"),
    ],
)
def test_why_an_image_stays(stored: Stored, reasons: dict[str, str], kept: str) -> None:
    assert verdicts([stored], reasons, NOW, MONTH) == [Verdict(stored, kept)]


def test_an_image_without_an_age_goes_when_age_does_not_matter() -> None:
    assert verdicts([image(days=None)], {}, NOW, timedelta())[0].kept == ""


def test_what_a_kept_image_lies_over_stays_too() -> None:
    over = Stored(f"{REPO}-site", DIGEST, ("0123456789ab",), NOW - 2 * MONTH, below=f"{REPO}:000000000001")
    middle = Stored(REPO, f"sha256:{'c' * 64}", ("000000000001",), NOW - 2 * MONTH, below="r.example/base:000000000002")
    base = Stored("r.example/base", f"sha256:{'d' * 64}", ("000000000002",), NOW - 2 * MONTH)
    stays = "is the base of an image that is kept"
    found = verdicts([base, middle, over], {over.ref: "runs"}, NOW, MONTH)
    assert [v.kept for v in found] == [stays, stays, "runs"]
    assert [v.kept for v in verdicts([base, middle, over], {}, NOW, MONTH)] == ["", "", ""]


def test_references_are_found_wherever_an_object_has_them() -> None:
    pod = {
        "spec": {
            "containers": [{"image": f"{REPO}:0123456789ab@{DIGEST}"}],
            "initContainers": [{"image": f"{REPO}:1"}],
        },
        "status": {"containerStatuses": [{"imageID": f"{REPO}@{DIGEST}"}]},
        "metadata": {"annotations": {"old": f'{{"image":"{REPO}:2"}}', "not ours": f"{REPO}-2:3 x/{REPO}/y:4"}},
    }
    found = mentions([pod], [REPO])
    assert found == {f"{REPO}:0123456789ab", f"{REPO}@{DIGEST}", f"{REPO}:1", f"{REPO}:2"}
    assert mentions([pod], []) == set()


def test_what_is_freed_are_layers_that_nobody_else_has() -> None:
    gone = Verdict(image(blobs={"base": 100, "code": 7}), "")
    twin = Verdict(image(blobs={"code": 7, "more": 1}), "")
    stays = Verdict(image(blobs={"base": 100}), "runs")
    assert freed([gone, twin, stays]) == 8


def test_the_plan_removes_the_oldest_first_by_digest_and_says_what_stays() -> None:
    other = f"sha256:{'b' * 64}"
    rows = [Verdict(image(days=40), ""), Verdict(image(other, days=50), ""), Verdict(image(days=90), "runs")]
    plan = plan_prune(rows, [f"{REPO}:0123456789ab"], "sds")
    steps = [s for s in plan.steps() if isinstance(s, RemoveImage)]
    assert [(s.where, s.ref) for s in steps] == [
        ("registry", f"{REPO}@{other}"), ("registry", f"{REPO}@{DIGEST}"), ("engine", f"{REPO}:0123456789ab"),
    ]  # fmt: skip
    assert "1 are kept: each runs" in plan.notes
    assert plan_prune([rows[2]], [], "sds").empty
