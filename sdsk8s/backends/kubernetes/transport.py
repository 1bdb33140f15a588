"""HTTP to one API server: credentials, bounded repetition, streams. Knows nothing of kinds and objects."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3

from sdsk8s.backends.kubernetes.failures import ApiError, is_tls, never_sent, refused, status_of, true_code, unreachable
from sdsk8s.backends.kubernetes.library import RESTClientObject

AGENT = "sdsk8s"
JSON = "application/json"
RETRY_SECONDS = 15.0
# Until the server has answered once, a wrong address is likelier than a restart: nobody waits long for that.
FIRST_SECONDS = 5.0
_CONNECT_SECONDS = 5
_READ_SECONDS = 30

Load = Callable[[], tuple[Any, str]]
"""Reads credentials: (configuration, what a plug-in said)."""


class Transport:
    """Safe to use from several threads. Watches and logs hold a connection each."""

    def __init__(self, configuration: Any, load: Load | None = None) -> None:
        self.configuration = configuration
        self._load = load
        self._lock = threading.Lock()
        self._reloading = threading.Lock()
        self._client = RESTClientObject(configuration)
        self._answered = False
        self._skew = timedelta()
        self._hint = ""

    @property
    def host(self) -> str:
        return str(self.configuration.host).rstrip("/")

    def now(self) -> datetime:
        """The server's clock, to a second: operators' machines need not agree on the time."""
        return datetime.now(UTC) + self._skew

    def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = JSON,
        accept: str = JSON,
        retry: bool = True,
    ) -> dict[str, Any]:
        """One JSON request, tried again for a bounded time. retry False: only when the server has not acted on it."""
        response = self._persist(
            method, url, retry, lambda: self._raw(method, url, query=query, body=body, content=content, accept=accept)
        )
        try:
            parsed = json.loads(response.data) if response.data else {}
            if not isinstance(parsed, dict):
                raise ValueError
        except ValueError:
            raise ApiError(
                "the API server's answer is no JSON object", code=int(response.status), reason="",
                target=f"{method} {url} at {self.host}", words=bytes(response.data).decode(errors="replace")[:300],
                next="check `server` and proxies in the kubeconfig: kubectl config view",
            ) from None  # fmt: skip
        return parsed

    def stream(self, url: str, *, query: Mapping[str, str], read_timeout: float | None) -> Any:
        """An open GET whose body is read with lines(). The caller closes it."""
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout)
        return self._persist("GET", url, True, lambda: self._raw("GET", url, query=query, timeout=timeout, keep=True))

    def once(self, method: str, url: str, timeout: float) -> tuple[int, bytes]:
        """(status, body) of one try, whatever the status: for what answers behind the API server."""
        try:
            response = self._raw(method, url, timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout))
        except urllib3.exceptions.HTTPError as err:
            raise unreachable(err, self.host) from None
        return int(response.status), bytes(response.data)

    def auth_headers(self) -> dict[str, str]:
        """Bearer token or basic login, refreshed by the library's hook when it is about to expire."""
        with self._lock:  # a credentials plug-in must not be run by eight threads at once
            settings = self.configuration.auth_settings()
        found = {s["key"].lower(): s["value"] for s in settings.values() if s and s.get("in") == "header"}
        return {k: v for k, v in found.items() if v}

    def reload(self, used: Mapping[str, str]) -> bool:
        """Read the credentials again after a 401 for `used`. False when there are none to read.

        A source that now names another server is not followed: a run must not change clusters on its way.
        """
        if self._load is None:
            return False
        with self._reloading:
            if self.auth_headers() != used:
                return True  # another thread was faster
            try:
                fresh, self._hint = self._load()
            except Exception:
                return False
            if str(fresh.host).rstrip("/") != self.host:
                return False
            with self._lock:
                self.configuration = fresh
                self._client = RESTClientObject(fresh)
            return True

    def _persist(self, method: str, url: str, retry: bool, attempt: Callable[[], Any]) -> Any:
        """A successful response of `attempt`, or the error in an operator's words."""
        start, pause, renewed = time.monotonic(), 0.2, False
        while True:
            used = self.auth_headers()
            try:
                response = attempt()
            except (urllib3.exceptions.HTTPError, OSError) as err:  # OSError: a certificate file that is not there
                again = (retry or never_sent(err)) and not is_tls(err) and not isinstance(err, OSError)
                failure, wanted = unreachable(err, self.host), 0.0
            else:
                code = int(response.status)
                self._learn(response)
                if code < 300:
                    return response
                if code == 401 and not renewed and self.reload(used):
                    renewed = True
                    continue
                status = status_of(_body(response))
                code = true_code(code, status)
                again = code == 429 or (retry and code >= 500)
                failure = refused(code, status, f"{method} {url} at {self.host}", self._hint)
                wanted = _seconds(response.headers.get("Retry-After"))
            left = start + (RETRY_SECONDS if self._answered else FIRST_SECONDS) - time.monotonic()
            wait = max(pause, wanted)
            if not again or wait > left:
                raise failure
            time.sleep(wait)
            pause = min(pause * 2, 3)

    def _learn(self, response: Any) -> None:
        self._answered = True
        try:
            # The header has whole seconds, rounded down.
            served = parsedate_to_datetime(str(response.headers["Date"])) + timedelta(seconds=0.5)
            skew = served - datetime.now(UTC)
        except (KeyError, TypeError, ValueError):
            return
        # Below two seconds it is the header's own coarseness; a clock that jitters would be worse.
        self._skew = skew if abs(skew) > timedelta(seconds=2) else timedelta()

    def _raw(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = JSON,
        accept: str = JSON,
        timeout: urllib3.Timeout | None = None,
        keep: bool = False,
    ) -> Any:
        headers = {"Accept": accept, "User-Agent": AGENT, **self.auth_headers()}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body).encode()
        return self._client.pool_manager.request(
            method,
            self.host + url + ("?" + urlencode(query) if query else ""),
            headers=headers,
            body=data,
            timeout=timeout or urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            preload_content=not keep,
            redirect=False,
            retries=False,
        )


def lines(response: Any, *, partial: bool) -> Iterator[bytes]:
    """Lines of a stream until its end; being cut is an end like any other.

    partial: also what came of the last line (right for logs, wrong for events).
    """
    rest = b""
    try:
        for chunk in response.stream(65536, decode_content=True):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line for line in whole if line)
    except urllib3.exceptions.HTTPError:
        pass
    finally:
        response.close()
    if rest and partial:
        yield rest


def _body(response: Any) -> bytes:
    """Of a refusal, which is short also where a stream was asked for."""
    try:
        return bytes(response.data)
    except urllib3.exceptions.HTTPError as err:
        return str(err).encode()


def _seconds(retry_after: str | None) -> float:
    """Of a Retry-After header; its form as a date is not used by API servers and counts as none."""
    try:
        return max(0.0, float(retry_after or 0))
    except ValueError:
        return 0.0
