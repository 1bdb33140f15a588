"""What is kept about a lab between calls: `lab.json` in its state folder."""

from __future__ import annotations

import json
from pathlib import Path

from sdsk8s.errors import RefusedError
from sdsk8s.lab import plan
from sdsk8s.lab.plan import Lab
from sdsk8s.lab.shell import write


def exists(name: str) -> bool:
    return (plan.STATE_ROOT / name / "lab.json").exists()


def load(state: Path) -> Lab:
    """The lab of a state folder. RefusedError when there is none."""
    try:
        data = json.loads((state / "lab.json").read_text())
        return Lab(name=state.name, index=int(data["index"]), node_count=int(data["nodes"]), state=state)
    except FileNotFoundError:
        raise RefusedError(
            f'no lab named "{state.name}"',
            target=str(state),
            next=f"sdsk8s lab up --name {state.name}",
        ) from None
    except PermissionError as err:
        raise RefusedError(
            "the lab belongs to root: run as root", target=str(state), words=str(err), next="sudo sdsk8s lab ..."
        ) from None
    except (ValueError, KeyError) as err:
        raise RefusedError(
            "the lab's record cannot be read",
            target=str(state / "lab.json"),
            words=str(err),
            next=f"sdsk8s lab down --purge --name {state.name}",
        ) from err


def fingerprint(lab: Lab) -> str:
    """Of the configuration that the lab was last started with; empty when it never was."""
    try:
        return str(json.loads(lab.record.read_text()).get("fingerprint", ""))
    except (OSError, ValueError):
        return ""


def save(lab: Lab, fingerprint: str = "") -> None:
    lab.state.mkdir(parents=True, exist_ok=True)
    data = {"name": lab.name, "index": lab.index, "nodes": lab.node_count, "fingerprint": fingerprint}
    write(lab.record, json.dumps(data, indent=2) + "\n")


def taken() -> dict[str, int]:
    """Index of every lab of this machine."""
    found = {}
    for file in plan.STATE_ROOT.glob("*/lab.json"):
        try:
            found[file.parent.name] = int(json.loads(file.read_text())["index"])
        except (OSError, ValueError, KeyError):
            continue
    return found
