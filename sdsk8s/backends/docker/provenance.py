"""Where the packages of an image come from: a git commit, `-dirty` behind it, or a hash of the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sdsk8s.errors import RefusedError

DIRTY = "-dirty"


def revision(folder: Path, files: Mapping[str, str]) -> str:
    """Commit of the git tree that the folder lies in, with `-dirty` when the folder differs from it; otherwise
    `tree:` and 12 hex digits of the files ({relative path: sha256}).
    """
    commit = _git(folder, "rev-parse", "HEAD")
    # a tree may lie, ignored, inside of a repository that is about something else
    if commit and _git(folder, "ls-files", "--", "."):
        changes = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
        return commit + (DIRTY if changes else "")
    text = "".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items()))
    return f"tree:{hashlib.sha256(os.fsencode(text)).hexdigest()[:12]}"  # a name need not be UTF-8


def refuse_unreleased(revisions: Mapping[str, str]) -> None:
    """RefusedError unless every package is a clean git tree: what is released can be made again."""
    bad = {
        name: "has uncommitted changes" if rev.endswith(DIRTY) else "is not in a git repository"
        for name, rev in revisions.items()
        if rev.endswith(DIRTY) or rev.startswith("tree:")
    }
    if bad:
        raise RefusedError(
            "a release is built from committed trees only",
            target=", ".join(sorted(bad)),
            words="\n".join(f"{name} {why}" for name, why in sorted(bad.items())),
            next="git status; commit, or build without --release",
        )


def _git(folder: Path, *argv: str) -> str:
    """Output of git, or "" when there is no git, no repository or no commit."""
    git = shutil.which("git")
    if git is None:
        return ""
    # a tree of another owner may be looked at, but none of its hooks may run
    command = [git, "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", str(folder), *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
