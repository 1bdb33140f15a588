"""The few calls that the lab itself makes to its API server: plain HTTPS with a client certificate."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any

from sdsk8s.errors import ClusterError
from sdsk8s.lab.plan import API_PORT, Lab


class NotFound(ClusterError):
    """The API server has no such object."""


class Api:
    """One identity (`user` is the name of a key pair in the lab's pki folder)."""

    def __init__(self, lab: Lab, user: str = "admin") -> None:
        self.host = lab.address
        self.context = ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))
        self.context.load_cert_chain(str(lab.pki / f"{user}.crt"), str(lab.pki / f"{user}.key"))

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The decoded answer. ClusterError carries the server's message; NotFound for 404."""
        connection = self.connect(timeout=20)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers={"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as err:
            raise ClusterError(
                "the API server does not answer", target=self.host, words=str(err), next="sdsk8s lab status"
            ) from err
        finally:
            connection.close()
        if answer.status >= 400:
            error = NotFound if answer.status == 404 else ClusterError
            raise error(f"{method} {path}: HTTP {answer.status}", target=self.host, words=message(text))
        return json.loads(text) if text[:1] in "{[" and text else text

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, API_PORT, timeout=timeout, context=self.context)

    def apply(self, path: str, obj: dict[str, Any]) -> Any:
        """Server-side apply; `path` is the object's own."""
        url = f"{path}?fieldManager=sdsk8s-lab&force=true"
        return self.request("PATCH", url, obj, kind="application/apply-patch+yaml")

    def ready(self) -> bool:
        try:
            return str(self.request("GET", "/readyz")).strip() == "ok"
        except ClusterError:
            return False

    def watch(self, path: str, version: str, seconds: int = 240) -> Iterator[dict[str, Any]]:
        """Events since a resource version until the server ends the watch."""
        connection = self.connect(timeout=seconds + 30)
        try:
            connection.request("GET", f"{path}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise ClusterError(f"watch of {path}: HTTP {answer.status}", words=message(answer.read().decode()))
            while line := answer.readline():
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise ClusterError(f"watch of {path} ended", words=str(err)) from err
        finally:
            connection.close()


def message(text: str) -> str:
    """The server's own words in an error answer."""
    try:
        return str(json.loads(text).get("message", text))
    except (ValueError, AttributeError):
        return text.strip()
