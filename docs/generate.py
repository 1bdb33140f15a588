"""Writes the pages that are made of data: `python docs/generate.py`. A test holds the checked-in pages to it.

From legacy_shim/help.yaml: reference/operators-guide.md and reference/sds.1. From tests/cases/contract.yaml:
reference/contract.md.
"""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

from legacy_shim.verbs.help import HelpEntry, entries
from sdsk8s.verbs.options import TWINS

DOCS = Path(__file__).parent
CASES = DOCS.parent / "tests" / "cases"
VARIABLES = ", ".join(TWINS.values())
CODES = {"0": "done, or the question was answered with no", "1": "failed", "2": "bad command line"}


def guide(verbs: list[HelpEntry]) -> str:
    out = [
        "# Operator's guide: the old verbs and what they do now",
        "",
        "```",
        "sds help stop                 # this page, for one verb",
        "sds stop mozart --dry-run     # what it would do, each step with the nearest kubectl line",
        "sds stop mozart --print-kubectl",
        "```",
        "",
        *lines(
            "Made by `docs/generate.py`. NS is the site's namespace, C a component, W one of its workloads. "
            "`--print-kubectl` prints the exact commands of a plan, ready to run."
        ),
        "",
        *lines(
            f"Exit codes: {'; '.join(f'{k} {v}' for k, v in CODES.items())}. Results go to stdout, progress and errors "
            "to stderr. Variables set the options that `sds` has no letter for: " + VARIABLES + "."
        ),
        "",
        "Completion: put one of these lines into the start file of the shell.",
        "",
        "```",
        "source <(sds completion bash)          # bash 4.4 or later; zsh: sds completion zsh",
        "sds completion fish | source           # fish; `sdsk8s completion SHELL` does the same for sdsk8s",
        "```",
        "",
    ]
    for e in verbs:
        usage = lines(e.usage, "    ", "        ")
        out += [f"## {e.verb}", "", *usage, "", *lines(f"Before: {e.old}"), "", *lines(f"Now: {e.new}"), ""]
        if e.kubectl:
            out += ["kubectl:", "", *(f"    {c}" for c in e.kubectl), ""]
    return "\n".join(out).rstrip() + "\n"


def lines(text: str, first: str = "", others: str = "") -> list[str]:
    """The text in lines below 120 columns; an option of a usage line is not cut."""
    return textwrap.wrap(
        text, 118, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def man(verbs: list[HelpEntry]) -> str:
    out = [
        '.TH SDS 1 "" "sdsk8s" "User Commands"',
        ".SH NAME",
        r"sds \- operate a science data system on Kubernetes with the legacy verbs",
        ".SH SYNOPSIS",
        r".B sds",
        r"[\-d] VERB [WORDS]",
        ".SH VERBS",
    ]
    for e in verbs:
        out += [
            ".SS " + roff(e.verb),
            ".B " + roff(e.usage),
            ".PP",
            "Before: " + roff(e.old),
            ".PP",
            "Now: " + roff(e.new),
        ]
        if e.kubectl:
            out += [".PP", ".nf", *(roff(c) for c in e.kubectl), ".fi"]
    out += [".SH EXIT STATUS", *(line for k, v in CODES.items() for line in (".TP", k, v))]
    out += [".SH ENVIRONMENT", VARIABLES + ": as the options of sdsk8s with these names."]
    return "\n".join(out) + "\n"


def roff(text: str) -> str:
    return re.sub(r"^([.'])", r"\\&\1", text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga"))


def contract(rows: list[dict[str, Any]]) -> str:
    out = [
        "# The legacy contract, row by row",
        "",
        "Made by `docs/generate.py` from `tests/cases/contract.yaml`. Rows of the checklist (6.3) say what must",
        "be kept, rows of defects (6.1) what must not be repeated.",
        "",
        "| row | what | held by |",
        "|---|---|---|",
    ]
    for row in rows:
        held = "<br>".join(f"`{t}`" for t in row["tests"])
        out.append(f"| {row['row']} | {row['what']} | {held} |")
    return "\n".join(out) + "\n"


def pages() -> dict[str, str]:
    """{path below docs/: text}"""
    site = os.environ.pop("SDS_HOME", None)
    os.environ["SDS_HOME"] = os.devnull  # the components of no site, only the shipped ones
    verbs = entries()
    os.environ.pop("SDS_HOME")
    os.environ |= {"SDS_HOME": site} if site else {}
    rows = yaml.safe_load((CASES / "contract.yaml").read_text())
    return {
        "reference/operators-guide.md": guide(verbs),
        "reference/sds.1": man(verbs),
        "reference/contract.md": contract(rows),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
        print(f"docs/{name}")
