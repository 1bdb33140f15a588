"""Answers and failures of an API server in an operator's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import ClusterError

_CONFLICT = re.compile(r'conflict with "(?P<manager>[^"]*)"')


@dataclass(frozen=True)
class FieldConflict:
    """A field of ours that another field manager has set to another value. field: path such as .spec.replicas."""

    field: str
    manager: str


class ApiError(ClusterError):
    """An answer of the API server other than success.

    code       HTTP status
    reason     reason of the Status object (NotFound, AlreadyExists, Conflict, Expired, ...)
    conflicts  of a refused server-side apply: each field and who owns it
    """

    def __init__(
        self, what: str, *, code: int, reason: str, conflicts: tuple[FieldConflict, ...] = (), **kw: str
    ) -> None:
        super().__init__(what, **kw)
        self.code = code
        self.reason = reason
        self.conflicts = conflicts


def true_code(code: int, status: Mapping[str, Any]) -> int:
    """API servers call a field that is not in the schema an internal error when it is applied server-side."""
    return 422 if code == 500 and "typed patch object" in str(status.get("message", "")) else code


def status_of(data: bytes) -> dict[str, Any]:
    """The Status object of an answer. What is not a JSON object (a proxy's page, a cut answer) becomes its message."""
    try:
        parsed = json.loads(data)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"message": data.decode(errors="replace").strip()[:500]}


def refused(code: int, status: Mapping[str, Any], target: str, hint: str = "") -> ApiError:
    """The error for an answer. hint: more words of ours, such as those of a credentials plug-in."""
    reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    causes = (status.get("details") or {}).get("causes") or ()
    lines = [f"{c.get('field', '')}: {c.get('message', '')}" for c in causes if str(c.get("message")) not in message]
    conflicts = tuple(
        FieldConflict(str(c.get("field", "")), found["manager"])
        for c in causes
        if (found := _CONFLICT.search(str(c.get("message", ""))))
    )
    what, cure = _explain(code, reason, conflicts)
    return ApiError(
        what,
        code=code,
        reason=reason,
        conflicts=conflicts,
        target=target,
        words="\n".join(dict.fromkeys(x for x in [message, *lines, hint] if x)),
        next=cure,
    )


def _explain(code: int, reason: str, conflicts: tuple[FieldConflict, ...]) -> tuple[str, str]:
    if conflicts:
        owners = ", ".join(sorted({c.manager for c in conflicts}))
        return (
            f"{len(conflicts)} fields of this object are owned by {owners}",
            "leave those fields out of the manifest, or apply with force to take them over",
        )
    if reason == "AlreadyExists":
        return "the object exists already", ""
    if code == 404 and not reason:
        return "this address is not a Kubernetes API server", "check `server` in the kubeconfig: kubectl config view"
    table = {
        400: ("the API server rejected the request as malformed", ""),
        401: (
            "the API server rejected the credentials: expired, or of another cluster",
            "log in again, or check --context",
        ),
        403: ("this account may not do that", "sdsk8s doctor lists what is missing, as a Role to apply"),
        404: ("the object does not exist", "sdsk8s status"),
        409: ("the object was changed by someone else in the meantime", "run the verb again"),
        422: ("the API server rejected the object as invalid", "correct the manifest"),
        429: ("rate limited by the API server (429); retries exhausted", "try again in a minute"),
    }
    return table.get(code, (f"the API server answered {code}", ""))


def unreachable(err: Exception, host: str) -> ClusterError:
    """The error for no answer at all, with the system's own words."""
    if is_tls(err):
        return ClusterError(
            "no trusted connection to the API server", target=host, words=_root(err),
            next="check certificate-authority and client-certificate of the kubeconfig: kubectl config view",
        )  # fmt: skip
    return ClusterError(
        "the API server does not answer", target=host, words=_root(err),
        next="sdsk8s lab status, or check the context: kubectl config current-context",
    )  # fmt: skip


def is_tls(err: BaseException | None) -> bool:
    """True for certificate and other TLS trouble, which no second attempt cures.

    A handshake that is cut off is none: that is a server in the middle of a restart.
    """
    return any("SSL" in type(e).__name__ and "EOF occurred" not in str(e) for e in _chain(err)[-1:])


_NEVER_SENT = {"NewConnectionError", "ConnectTimeoutError", "ConnectionRefusedError"}
"""By name: the library of the first two is loaded when a cluster is connected to, not for these words."""


def never_sent(err: BaseException | None) -> bool:
    """True when no byte of the request can have arrived: safe to send again whatever it is."""
    return any(_NEVER_SENT & {kind.__name__ for kind in type(e).__mro__} for e in _chain(err))


def _chain(err: BaseException | None) -> list[BaseException]:
    """The exception and what is inside of it: libraries hide the cause in `reason`, `__cause__` or an argument."""
    out: list[BaseException] = []
    while isinstance(err, BaseException) and err not in out:
        out.append(err)
        inner = [getattr(err, "reason", None), err.__cause__, *err.args]
        err = next((e for e in inner if isinstance(e, BaseException)), None)
    return out


def _root(err: Exception) -> str:
    """The innermost words: "Connection refused" says more than the name of a pool object."""
    words = [str(e) for e in _chain(err)]
    plain = [w.rpartition(": ")[2] if "object at 0x" in w or "Connection(" in w else w for w in words if w]
    return plain[-1] if plain else type(err).__name__
