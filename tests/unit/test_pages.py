"""The documents as a reader uses them: links lead somewhere, shown commands parse, how-tos begin with a sample."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from legacy_shim.main import run
from sdsk8s.cli.group import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").glob("*/README.md")])
IDS = [str(p.relative_to(ROOT)) for p in PAGES]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
WIDTH = 120

# What pages write in the place of a value, and a value that parses.
PLACEHOLDERS = {
    "C": "mozart",
    "COMPONENT": "mozart",
    "ROLE": "mozart",
    "REPLICAS": "2",
    "REV": "3",
    "VERB": "stop",
    "SHELL": "bash",
    "STATUS": "job-failed",
    "QUEUE": "my-queue",
    "W": "mozart-api",
}


def plain(text: str) -> str:
    """Page text without code."""
    return re.sub(r"`[^`]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_relative_links_lead_to_a_file_and_to_a_heading(page: Path) -> None:
    for target in LINK.findall(plain(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target}: no such file"
        if heading:
            assert heading in headings(file), f"{target}: no such heading"


def headings(page: Path) -> set[str]:
    """Anchors of the page, as GitHub makes them."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.S | re.M)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def test_every_page_is_reached_from_the_readme() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        found = [t.partition("#")[0] for t in LINK.findall(page.read_text()) if not re.match(r"[a-z]+:", t)]
        todo += [(page.parent / t).resolve() for t in found if t]
    assert {p for p in PAGES if p.is_relative_to(DOCS)} <= seen


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_lines_are_short(page: Path) -> None:
    """Rows of tables excepted: Markdown cannot break them."""
    long = [line for line in page.read_text().splitlines() if len(line) > WIDTH and not line.lstrip().startswith("|")]
    assert not long


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda p: p.stem)
def test_a_how_to_begins_with_a_sample_and_has_headings(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if line]
    assert lines[0].startswith("# ") and lines[1].startswith("```")
    assert sum(line.startswith("## ") for line in lines) >= 1
    section = 0
    for line in lines:
        section = 0 if line.startswith("#") else section + 1
        assert section < 45, f"{line}: more than 45 lines below one heading"


MANNERED = (
    r"\b(is|are) wanted\b",
    r"\bmade anew\b",
    r"\b(is|are) told\b",
    r"\bwhat is there\b",
    r"\bgoes round\b",
    r"\bgives? way\b",
    r"\bmend(s|ed)?\b",
    r"\bas ever\b",
    r"\bwhat has become of\b",
    r"\bspeaks no\b",
    r"\bas it (always )?was\b",
)
"""Riddles and inversions that operators stumbled over."""


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_words_are_plain(page: Path) -> None:
    text = " ".join(plain(page.read_text()).split())
    assert not [m.group(0) for p in MANNERED for m in re.finditer(p, text, re.I)]


# -- commands


def commands(page: Path) -> Iterator[tuple[str, bool]]:
    """(line, whole) of code blocks and code spans that begin with one of our two commands.

    A span may only mention a verb: then it is not whole, and words may be missing.
    """
    text = page.read_text()
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.S | re.M)
    outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
    blocks += re.findall(r"^    (.+)$", outside, re.M)
    for block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            yield from ((part, True) for part in parts(line))
    for span in re.findall(r"`([^`]+)`", outside):
        yield from ((part, False) for part in parts(" ".join(span.split())))


def parts(line: str) -> Iterator[str]:
    for part in re.split(r"&&|<\(|\$\(|\| |;", line.split(" #")[0]):
        words = re.sub(r"\s<\s.*|\s>\s.*|\)$", "", part.strip())
        if re.match(r"(sds|sdsk8s) [a-z-]", words) and "..." not in words.split()[-1]:
            yield words


def expanded(line: str) -> list[str]:
    """The words of a shown command, with values for placeholders; of `a|b` the first, `[X]` as if typed."""
    words = shlex.split(re.sub(r"\[/\w+\]|\[|\]|\.\.\.", "", line))
    return [PLACEHOLDERS.get(w, w.split("|")[0]) for w in words]


SHOWN = sorted({(line.split()[0], line, whole) for page in PAGES for line, whole in commands(page)})


def shown(program: str) -> list[tuple[str, bool]]:
    return [(line, whole) for name, line, whole in SHOWN if name == program]


def test_commands_are_found() -> None:
    assert len(shown("sds")) > 60 and len(shown("sdsk8s")) > 90


@pytest.mark.parametrize(("line", "whole"), shown("sdsk8s"))
def test_shown_commands_of_sdsk8s_parse(line: str, whole: bool) -> None:
    try:
        parse(cli, "sdsk8s", expanded(line)[1:])
    except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
        assert not whole, line


def parse(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> None:
    """Walk to the last command; nothing is called. Values that name files are not looked at."""
    ctx = command.make_context(name, list(words), parent=parent)
    if isinstance(command, click.Group) and (rest := [*ctx._protected_args, *ctx.args]):
        child_name, child, args = command.resolve_command(ctx, rest)
        assert child is not None and child_name is not None
        parse(child, child_name, args, ctx)


@pytest.mark.parametrize(("line", "whole"), shown("sds"))
def test_shown_commands_of_sds_parse(line: str, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty home and without a terminal a right line ends at the missing configuration, a wrong one with 2."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDS_HOME", str(tmp_path / "sds"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("sys.stdin", (tmp_path / "stdin").open("w+"))
    words = expanded(line)[1:]
    assert run(words) != 2 or (not whole and run([*words, "-h"]) == 0), line


@pytest.mark.parametrize("line", ["sdsk8s start --fast mozart", "sdsk8s images bild", "sdsk8s scale mozart"])
def test_a_wrong_command_would_be_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(cli, "sdsk8s", expanded(line)[1:])
