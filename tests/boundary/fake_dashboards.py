"""A server that answers the saved-objects API as the dashboards' documentation says, checks and refusals included."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeDashboards:
    """objects: {(type, id): object}. header: what a change must carry. broken: ids that an import refuses."""

    def __init__(self, header: str) -> None:
        self.header = header
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.default = ""
        self.broken: set[str] = set()
        self.away = 0
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[FakeDashboards]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, answer = outer.answer(self.command, self.path, dict(self.headers), body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = handle_one

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if self.away:
            self.away -= 1
            return 503, {"statusCode": 503, "error": "Service Unavailable", "message": "not ready yet"}
        if path == "/api/status":
            return 200, {"version": {"number": "7.10.2"}}
        if self.header not in {k.lower() for k in headers}:
            return 400, {
                "statusCode": 400,
                "error": "Bad Request",
                "message": f"Request must contain a {self.header} header.",
            }
        route, _, query = path.partition("?")
        if route == "/api/saved_objects/_import":
            return self._import(body, "overwrite=true" in query)
        if route == "/api/saved_objects/_export":
            kinds = json.loads(body)["type"]
            found = [o for (kind, _), o in sorted(self.objects.items()) if kind in kinds]
            return 200, "\n".join(json.dumps(o) for o in found).encode()
        if re.fullmatch(r"/api/(kibana|opensearch-dashboards)/settings", route):
            self.default = json.loads(body)["changes"]["defaultIndex"]
            return 200, {"settings": {}}
        match = re.fullmatch(r"/api/saved_objects/([^/]+)/([^/]+)", route)
        if match and method == "DELETE":
            key = (match[1], match[2].replace("%2A", "*"))
            if self.objects.pop(key, None) is None:
                return 404, {"statusCode": 404, "error": "Not Found", "message": f"{key} not found"}
            return 200, {}
        return 404, {"statusCode": 404, "error": "Not Found", "message": path}

    def _import(self, body: bytes, overwrite: bool) -> tuple[int, Any]:
        text = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0].decode()
        errors, done = [], 0
        for line in filter(None, text.splitlines()):
            one = json.loads(line)
            key = (one["type"], one["id"])
            if one["id"] in self.broken:
                errors.append({"type": one["type"], "id": one["id"], "error": {"type": "missing_references"}})
            elif key in self.objects and not overwrite:
                errors.append({"type": one["type"], "id": one["id"], "error": {"type": "conflict"}})
            else:
                self.objects[key] = one
                done += 1
        return 200, {"success": not errors, "successCount": done, **({"errors": errors} if errors else {})}
