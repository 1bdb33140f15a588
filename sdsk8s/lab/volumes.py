"""The lab's storage: keeps free local volumes at hand, and empties and reuses those whose claim was deleted.

Runs as a part of the lab: `python -m sdsk8s.lab.volumes STATE_FOLDER`.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sdsk8s.errors import ClusterError
from sdsk8s.lab.api import Api
from sdsk8s.lab.objects import STORAGE_CLASS, volume
from sdsk8s.lab.record import load
from sdsk8s.model import kube

PATH = "/api/v1/persistentvolumes"
AT_LEAST = 24
SPARE = 8


def to_create(volumes: Iterable[dict[str, Any]]) -> list[int]:
    """Numbers of volumes to make: AT_LEAST in all, SPARE of them free."""
    mine = [v for v in volumes if v["spec"].get("storageClassName") == STORAGE_CLASS]
    used = {int(name[4:]) for v in mine if (name := kube.name(v)).startswith("lab-") and name[4:].isdigit()}
    free = sum(1 for v in mine if v.get("status", {}).get("phase", "Available") in ("Available", "Pending"))
    count = max(AT_LEAST - len(mine), SPARE - free, 0)
    fresh: list[int] = []
    number = 1
    while len(fresh) < count:
        if number not in used:
            fresh.append(number)
        number += 1
    return fresh


def to_recycle(one: dict[str, Any], folder: Path) -> Path | None:
    """The volume's folder when its claim was deleted and the lab made the volume."""
    path = one["spec"].get("local", {}).get("path", "")
    if one.get("status", {}).get("phase") != "Released" or kube.deleted(one):
        return None
    # By name as well: `..` has the right parent too.
    ours = path and Path(path).parent == folder and re.fullmatch(r"lab-\d+", Path(path).name)
    return Path(path) if ours else None


def recycle(api: Api, one: dict[str, Any], path: Path) -> None:
    """Empty the folder, then let go of the claim: the volume is Available again."""
    name = kube.name(one)
    policy = api.request("GET", f"/apis/storage.k8s.io/v1/storageclasses/{one['spec']['storageClassName']}")
    if policy.get("reclaimPolicy") != "Delete":
        return
    fresh(path)
    # The version makes sure that nothing has happened to the volume since we looked.
    patch = {
        "metadata": {"resourceVersion": one["metadata"]["resourceVersion"]},
        "spec": {"claimRef": None},
    }
    api.request("PATCH", f"{PATH}/{name}", patch, kind="application/merge-patch+json")
    print(f"{name}: emptied, available again", flush=True)


def fresh(path: Path) -> None:
    """Make an empty folder that belongs to root; delete anything of that name first."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)


def look(api: Api, folder: Path) -> str:
    """Create and recycle what is due; returns the resource version that a watch can go on from."""
    answer = api.request("GET", PATH)
    for number in to_create(answer["items"]):
        path = folder / f"lab-{number:03d}"
        fresh(path)
        api.request("POST", PATH, volume(number, str(path)))
        print(f"lab-{number:03d}: made", flush=True)
    for one in answer["items"]:
        path_or_none = to_recycle(one, folder)
        if path_or_none:
            recycle(api, one, path_or_none)
    return str(answer["metadata"]["resourceVersion"])


def main(state: Path) -> None:
    lab = load(state)
    api = Api(lab, "volumes")
    folder = state / "volumes"
    while True:
        try:
            for event in api.watch(PATH, look(api, folder)):
                phase = event.get("object", {}).get("status", {}).get("phase")
                if event.get("type") == "ERROR" or phase in ("Released", "Bound"):
                    break
        except ClusterError as err:
            print(err, flush=True)
            time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
