"""Jobs of a Jenkins server, over its REST API."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from sdsk8s.backends.http.client import Http, HttpError
from sdsk8s.errors import SdsError, WaitError

_POLL = 1.0
_XML = {"Content-Type": "application/xml; charset=utf-8"}


class Jenkins(Http):
    """base: http(s)://host:port[/prefix]; user and password (an API token) are needed for every change."""

    def has(self, job: str) -> bool:
        """Is there such a job?"""
        answer = self.send("GET", f"/job/{quote(job)}/api/json?tree=name", ok=(404,))
        return isinstance(answer, dict) and answer.get("name") == job

    def put(self, job: str, config: str) -> bool:
        """Make the job, or give it this configuration. True when it is new."""
        new = not self.has(job)
        path = f"/createItem?name={quote(job)}" if new else f"/job/{quote(job)}/config.xml"
        self.send("POST", path, config.encode(), headers={**_XML, **self._crumb()})
        return new

    def delete(self, job: str) -> None:
        """Remove the job and its builds."""
        self.send("POST", f"/job/{quote(job)}/doDelete", b"", headers=self._crumb())

    def build(self, job: str, say: Callable[[str], None], timeout: float) -> str:
        """Build, print the console as it grows, wait. Returns the result, such as SUCCESS or FAILURE."""
        _, headers = self.exchange("POST", f"/job/{quote(job)}/build", b"", headers=self._crumb())
        place = urlsplit(str(headers.get("Location") or "")).path
        if "/queue/item/" not in place:
            raise SdsError("the server did not queue a build", target=job, words=f"Location: {place or 'none'}")
        item = place[place.index("/queue/item/") :].rstrip("/")
        end = time.monotonic() + timeout
        number = self._number(job, item, end)
        start = 0
        while True:
            path = f"/job/{quote(job)}/{number}/logText/progressiveText?start={start}"
            text, headers = self.exchange("GET", path, raw=True)
            start = int(headers.get("X-Text-Size") or start)
            if text:
                say(text)
            if headers.get("X-More-Data") != "true":
                break
            self._patience(job, end)
        while True:
            found = self.send("GET", f"/job/{quote(job)}/{number}/api/json?tree=building,result")
            if not found.get("building"):
                return str(found.get("result"))
            self._patience(job, end)

    def _number(self, job: str, item: str, end: float) -> int:
        """The build's number, once it has left the queue."""
        while True:
            found = self.send("GET", f"{item}/api/json")
            if found.get("cancelled"):
                raise SdsError("the build was cancelled in the queue", target=job)
            if (found.get("executable") or {}).get("number"):
                return int(found["executable"]["number"])
            self._patience(job, end, str(found.get("why") or ""))

    def _patience(self, job: str, end: float, why: str = "") -> None:
        if time.monotonic() > end:
            raise WaitError("the build did not end in time; it is still running", target=job, words=why)
        time.sleep(_POLL)

    def _crumb(self) -> dict[str, str]:
        """The header that protects against forged requests; a server without that protection answers 404."""
        try:
            found = self.send("GET", "/crumbIssuer/api/json", ok=(404,))
        except HttpError as err:
            if err.code in (401, 403):
                err.next = "JENKINS_API_USER and JENKINS_API_KEY: a user's own API token"
            raise
        if not isinstance(found, dict) or "crumb" not in found:
            return {}
        return {str(found["crumbRequestField"]): str(found["crumb"])}
