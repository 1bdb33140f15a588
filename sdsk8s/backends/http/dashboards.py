"""Dashboards by the saved-objects API of Kibana and of OpenSearch Dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from urllib3.filepost import encode_multipart_formdata

from sdsk8s.backends.http.client import Http, HttpError

HEADER = {"elasticsearch": "kbn-xsrf", "opensearch": "osd-xsrf"}
"""The header that each asks for on every change."""
KINDS = ("index-pattern", "search", "visualization", "lens", "map", "dashboard", "query")


class Dashboards(Http):
    """engine: `elasticsearch` or `opensearch`, as the site's config says."""

    def __init__(self, base: str, engine: str, user: str = "", password: str = "", *, verify: bool = True) -> None:
        super().__init__(base, user, password, verify=verify)
        self._headers = {HEADER[engine]: "true"}

    def ready(self) -> str:
        """The version; HttpError while it does not answer."""
        answer = self.send("GET", "/api/status")
        return str((answer.get("version") or {}).get("number", "")) if isinstance(answer, dict) else ""

    def load(self, lines: Iterable[Mapping[str, Any]]) -> int:
        """Import objects, replacing those of the same id. Returns how many; HttpError names the first that failed."""
        text = "\n".join(json.dumps(line) for line in lines) + "\n"
        body, kind = encode_multipart_formdata({"file": ("objects.ndjson", text.encode(), "application/ndjson")})
        headers = {**self._headers, "Content-Type": kind}
        answer = self.send("POST", "/api/saved_objects/_import?overwrite=true", body, headers=headers)
        failed = answer.get("errors") or []
        if failed or not answer.get("success"):
            first = failed[0] if failed else answer
            raise HttpError(
                f"{len(failed) or 'some'} objects were not imported", target=self.base,
                words=f"{first.get('type', '')} {first.get('id', '')}: {first.get('error', first)}",
            )  # fmt: skip
        return int(answer.get("successCount", 0))

    def export(self) -> list[dict[str, Any]]:
        """All objects, in the order that an import takes."""
        body = {"type": list(self._known()), "includeReferencesDeep": True, "excludeExportDetails": True}
        answer = self.send("POST", "/api/saved_objects/_export", body, headers=self._headers)
        text = json.dumps(answer) if isinstance(answer, dict) else str(answer or "")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def delete(self, kind: str, object_id: str) -> bool:
        """Remove an object. False when there was none."""
        path = f"/api/saved_objects/{quote(kind)}/{quote(object_id, safe='')}"
        return self.send("DELETE", path, headers=self._headers, ok=(404,)) in ({}, None)

    def default_pattern(self, pattern_id: str) -> None:
        """Make an index pattern the default one."""
        name = "kibana" if HEADER["elasticsearch"] in self._headers else "opensearch-dashboards"
        self.send("POST", f"/api/{name}/settings", {"changes": {"defaultIndex": pattern_id}}, headers=self._headers)

    def _known(self) -> tuple[str, ...]:
        # Only the older kinds are known to both.
        return tuple(k for k in KINDS if HEADER["elasticsearch"] in self._headers or k not in ("lens", "map"))
