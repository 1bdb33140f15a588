"""An HTTP service that sites run: requests that are checked, with the server's own words in the error."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import urllib3

from sdsk8s.errors import SdsError

log = logging.getLogger("sdsk8s.http")
SECONDS = urllib3.Timeout(connect=10, read=60)


class HttpError(SdsError):
    """The service does not answer, or answers with an error; `code` is the HTTP status, 0 without an answer."""

    code = 0


class Http:
    """base: http(s)://host:port[/path]. user and password are sent when both are given."""

    def __init__(self, base: str, user: str = "", password: str = "", *, verify: bool = True) -> None:
        self.base = base.rstrip("/")
        headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user and password else {}
        checks: dict[str, Any] = {} if verify else {"cert_reqs": "CERT_NONE"}
        if not verify:
            urllib3.disable_warnings()
        self._pool = urllib3.PoolManager(headers=headers, timeout=SECONDS, retries=False, **checks)

    def send(self, method: str, path: str, body: Any = None, *, headers: Any = None, ok: tuple[int, ...] = ()) -> Any:
        """The answer's JSON (its text where it has none). HttpError for a status of 400 or above not in `ok`."""
        return self.exchange(method, path, body, headers=headers, ok=ok)[0]

    def exchange(
        self, method: str, path: str, body: Any = None, *, headers: Any = None, ok: tuple[int, ...] = (),
        raw: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The same with the headers of the answer; raw: its text as it is. Redirects are not followed."""
        data, more = self._body(body)
        began = time.monotonic()
        try:
            answer = self._pool.request(
                method, f"{self.base}{path}", body=data, redirect=False,
                headers={**self._pool.headers, **more, **(headers or {})},
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as err:
            raise HttpError(f"{self.base} does not answer", words=str(err), next="sds status") from None
        log.debug("%s %s%s: %d in %.0f ms", method, self.base, path, answer.status, (time.monotonic() - began) * 1000)
        text = answer.data.decode(errors="replace")
        parsed = text if raw else _parsed(text)
        if answer.status >= 400 and answer.status not in ok:
            failure = HttpError(
                f"{method} {path.partition('?')[0]} ended with {answer.status}", target=self.base, words=_words(parsed)
            )
            failure.code = answer.status
            raise failure
        return parsed, answer.headers

    @staticmethod
    def _body(body: Any) -> tuple[bytes | None, dict[str, str]]:
        if body is None:
            return None, {}
        if isinstance(body, bytes):
            return body, {}
        return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _words(answer: Any) -> str:
    """The reason in an answer of the engine or of its dashboards."""
    if isinstance(answer, dict):
        error = answer.get("error", answer)
        if isinstance(error, dict):
            causes = error.get("root_cause") or [{}]  # the outer reason is often only "all shards failed"
            return str(causes[0].get("reason") or error.get("reason") or error.get("message") or error)[:1000]
        return f"{error}: {answer['message']}"[:1000] if answer.get("message") else str(error)[:1000]
    return str(answer or "")[:1000]
