"""A pod of the small API server whose commands run for real, in a process of this machine, over the exec protocol."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fake_apiserver import FakeApiServer, Handler

PODS = "/api/v1/namespaces/sds/pods"
PIECE = 16 * 1024


def add_pod(api: FakeApiServer, name: str, folder: Path, component: str = "box", **labels: str) -> dict[str, Any]:
    """A ready pod with `folder` as an empty volume of its only container; its commands run here."""
    pod: dict[str, Any] = {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"sdsk8s/component": component, **labels}},
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "main", "image": "box", "volumeMounts": [{"name": "data", "mountPath": str(folder)}]}
            ],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {}}, "containerID": "c1"}],
        },
    }
    api.objects.setdefault(PODS, {})
    api.put(PODS, pod)
    if run_command not in api.faults:
        api.faults.append(run_command)
    return pod


def run_command(handler: Handler) -> bool:
    """A fault that answers `exec` requests by running the command."""
    parts = urlsplit(handler.path)
    if not parts.path.endswith("/exec"):
        return False
    argv = parse_qs(parts.query)["command"]
    assert "os.kill" not in " ".join(argv), "process 1 of this machine is no container's"
    if argv[0] == "python3":
        argv[0] = sys.executable
    elif argv[0].endswith("/supervisorctl"):
        argv = ["true"]
    handler.upgrade("v5.channel.k8s.io")
    try:
        done = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as err:
        handler.frame(3, json.dumps({"status": "Failure", "message": str(err), "code": 500}).encode())
        return True
    lock = threading.Lock()
    pumps = [
        threading.Thread(target=_pump, args=(handler, lock, channel, stream), daemon=True)
        for channel, stream in ((1, done.stdout), (2, done.stderr))
    ]
    for pump in pumps:
        pump.start()
    threading.Thread(target=_feed, args=(handler, done.stdin), daemon=True).start()
    for pump in pumps:
        pump.join()
    code = done.wait()
    status: dict[str, Any] = {"status": "Success"}
    if code:
        status = {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}
    with suppress(OSError):
        handler.frame(3, json.dumps(status).encode())
        handler.wfile.write(b"\x88\x00")
    return True


def _pump(handler: Handler, lock: threading.Lock, channel: int, stream: Any) -> None:
    while data := stream.read1(PIECE):
        try:
            with lock:
                handler.frame(channel, data)
        except OSError:
            return


def _feed(handler: Handler, stdin: Any) -> None:
    """Frames of the client to the command's input, until it says that there is no more, or goes."""
    with suppress(OSError, ValueError):
        while True:
            opcode, data = read_frame(handler.rfile)
            if opcode == 8 or data[:1] == b"\xff":
                break
            if data[:1] == b"\x00":
                stdin.write(data[1:])
                stdin.flush()
    with suppress(OSError):
        stdin.close()


def read_frame(file: Any) -> tuple[int, bytes]:
    """(opcode, payload) of a masked frame. ValueError at the end."""
    head = file.read(2)
    if len(head) < 2:
        raise ValueError("the connection has ended")
    size = head[1] & 0x7F
    if size > 125:
        size = int.from_bytes(file.read(2 if size == 126 else 8))
    mask = file.read(4)
    data = file.read(size)
    pad = (mask * (size // 4 + 1))[:size]
    return head[0] & 0x0F, (int.from_bytes(data) ^ int.from_bytes(pad)).to_bytes(size)
