"""A small client of registries (OCI distribution, v2): whether an image exists, its tags, digest and labels.

Plain HTTP is spoken only to registries on loopback or private addresses, or named insecure. Credentials come from
`docker login` (config.json) and never go over plain HTTP, except to loopback.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from sdsk8s.backends.registry.reference import Reference
from sdsk8s.errors import ImageError, RefusedError

log = logging.getLogger("sdsk8s.registry")

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_CHUNK = 32 * 1024 * 1024
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Registry:
    """Clients of any number of registry hosts.

    insecure  hosts that may be spoken to in plain HTTP, besides private addresses
    timeout   seconds to connect; reading may take three times as long
    """

    def __init__(self, *, insecure: Collection[str] = (), timeout: float = 5.0) -> None:
        self._insecure = frozenset(insecure)
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=timeout, read=3 * timeout), retries=urllib3.Retry(2, backoff_factor=0.2)
        )
        self._scheme: dict[str, str] = {}
        self._tokens: dict[tuple[str, str, str], str] = {}

    def reachable(self, host: str) -> tuple[bool, str]:
        """(True, "") when the host answers as a registry; (False, its own words) otherwise. Raises nothing."""
        try:
            answer = self._get(host, "/v2/", scope="")
        except ImageError as err:
            return False, err.words or err.what
        if answer.status == 200:
            return True, ""
        if answer.status == 401:
            return False, "it requires credentials: docker login " + host
        return False, f"HTTP {answer.status} for /v2/"

    def accepts(self, host: str, user: str, password: str) -> bool | None:
        """Whether the registry takes these credentials; None when it does not answer, or only over plain HTTP."""
        try:
            answer = self._get(host, "/v2/", scope="")
            scheme = self._scheme[host]
            if scheme == "http" and not _loopback(host):
                return None
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            challenge = answer.headers.get("WWW-Authenticate", "")
            if not challenge:
                return True
            if not challenge.lower().startswith("basic"):
                return bool(self._bearer(challenge, login, "", "pull"))
            asked = self._pool.request("GET", f"{scheme}://{host}/v2/", headers={"Authorization": f"Basic {login}"})
        except (ImageError, HTTPError):
            return None
        return asked.status == 200

    def digest(self, ref: str) -> str | None:
        """The manifest's `sha256:...`, or None when the registry does not have it."""
        where = Reference.parse(ref)
        answer = self._get(where.host, f"/v2/{where.repository}/manifests/{where.target}", method="HEAD")
        if answer.status == 404:
            return None
        self._expect(answer, ref)
        return answer.headers.get("Docker-Content-Digest")

    def tags(self, repository: str) -> list[str]:
        """Tags of `HOST/REPOSITORY`, sorted; none when the registry does not know it."""
        where = Reference.parse(repository)
        path: str | None = f"/v2/{where.repository}/tags/list"
        found: set[str] = set()
        while path:
            answer = self._get(where.host, path)
            if answer.status == 404:
                break
            self._expect(answer, repository)
            found.update(answer.json().get("tags") or ())
            next_page = re.search(r'<([^>]+)>;\s*rel="?next', answer.headers.get("Link", ""))
            path = re.sub(r"^https?://[^/]+", "", next_page.group(1)) if next_page else None
        return sorted(found)

    def labels(self, ref: str) -> dict[str, str]:
        """Labels of the image's config; of an index, those of its first image. ImageError when it does not exist."""
        return dict((self.config(ref).get("config") or {}).get("Labels") or {})

    def manifest(self, ref: str) -> tuple[dict[str, Any], str]:
        """(manifest, media type) of one image; of an index, its first image."""
        where = Reference.parse(ref)
        answer = self._get(where.host, f"/v2/{where.repository}/manifests/{where.target}")
        self._expect(answer, ref)
        document = answer.json()
        if "manifests" in document:
            return self.manifest(f"{where.host}/{where.repository}@{document['manifests'][0]['digest']}")
        return document, str(answer.headers.get("Content-Type") or document.get("mediaType", ""))

    def config(self, ref: str) -> dict[str, Any]:
        """The image's configuration document: settings, history, rootfs."""
        where = Reference.parse(ref)
        manifest, _ = self.manifest(ref)
        document = self._document(where, f"/v2/{where.repository}/blobs/{manifest['config']['digest']}", ref)
        return dict(document)

    def tag(self, ref: str, tag: str) -> str:
        """Give an image another tag; its digest. RefusedError when the tag is another image's already."""
        where = Reference.parse(ref)
        digest = self.digest(ref)
        there = self.digest(f"{where.host}/{where.repository}:{tag}")
        if there and there != digest:
            raise RefusedError(
                f"the tag {tag} already belongs to another image",
                target=f"{where.host}/{where.repository}",
                words=f"existing: {there}\nnew: {digest}",
                next="choose another version: a released one stays what it is",
            )
        answer = self._get(where.host, f"/v2/{where.repository}/manifests/{where.target}")
        self._expect(answer, ref)
        return self._put_manifest(where, tag, answer.data, str(answer.headers.get("Content-Type")))

    def put_image(self, ref: str, config: bytes, manifest: Mapping[str, Any], media_type: str) -> str:
        """Store an image whose layers the repository has: its configuration, then the manifest; the digest."""
        where = Reference.parse(ref)
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        start = self._send("POST", where, f"/v2/{where.repository}/blobs/uploads/", (202,))
        location = urljoin(f"http://{where.host}", str(start.headers["Location"]))
        joint = "&" if "?" in location else "?"
        path = re.sub(r"^https?://[^/]+", "", f"{location}{joint}digest={digest}")
        self._send("PUT", where, path, (201,), config, "application/octet-stream")
        return self._put_manifest(where, where.target, json.dumps(manifest).encode(), media_type)

    def put_artifact(self, ref: str, file: Path, kind: str, layer: str, notes: Mapping[str, str]) -> str:
        """Store a file as an OCI artifact of one layer; its digest. The tag appears when everything else is there.

        kind, layer: media types of the artifact and of its layer; notes: annotations of the manifest.
        """
        where = Reference.parse(ref)
        empty = b"{}"
        config = {"mediaType": EMPTY, "digest": f"sha256:{hashlib.sha256(empty).hexdigest()}", "size": len(empty)}
        self._put_blob(where, str(config["digest"]), iter([empty]))
        digest = hashlib.sha256()
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
        name = f"sha256:{digest.hexdigest()}"
        with file.open("rb") as content:
            self._put_blob(where, name, iter(lambda: content.read(_CHUNK), b""))
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": config,
            "layers": [{"mediaType": layer, "digest": name, "size": file.stat().st_size}],
            "annotations": dict(notes),
        }
        return self._put_manifest(where, where.target, json.dumps(manifest, sort_keys=True).encode(), OCI_MANIFEST)

    def _put_blob(self, where: Reference, digest: str, chunks: Iterator[bytes]) -> None:
        there = self._get(where.host, f"/v2/{where.repository}/blobs/{digest}", method="HEAD")
        if there.status == 200:
            return
        answer = self._send("POST", where, f"/v2/{where.repository}/blobs/uploads/", (202,))
        for chunk in chunks:
            path = self._upload_path(where, answer)
            answer = self._send("PATCH", where, path, (202,), chunk, "application/octet-stream")
        path = self._upload_path(where, answer)
        self._send("PUT", where, f"{path}{'&' if '?' in path else '?'}digest={digest}", (201,))

    @staticmethod
    def _upload_path(where: Reference, answer: urllib3.BaseHTTPResponse) -> str:
        location = urljoin(f"http://{where.host}", str(answer.headers["Location"]))
        return re.sub(r"^https?://[^/]+", "", location)

    def delete(self, ref: str) -> None:
        """Remove an image by its digest, and with it every tag that points there. ImageError if not allowed."""
        where = Reference.parse(ref)
        digest = where.target if where.target.startswith("sha256:") else self.digest(ref)
        if digest is None:
            return
        answer = self._get(where.host, f"/v2/{where.repository}/manifests/{digest}", method="DELETE", actions="delete")
        if answer.status == 405:
            raise ImageError(
                "the registry does not allow deleting",
                target=ref,
                next="storage: {delete: {enabled: true}} in its settings",
            )
        if answer.status not in (202, 404):
            self._expect(answer, ref)

    def _put_manifest(self, where: Reference, tag: str, body: bytes, media_type: str) -> str:
        self._send("PUT", where, f"/v2/{where.repository}/manifests/{tag}", (201,), body, media_type)
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _send(
        self, method: str, where: Reference, path: str, wanted: tuple[int, ...], body: bytes = b"", media_type: str = ""
    ) -> urllib3.BaseHTTPResponse:
        answer = self._get(
            where.host,
            path,
            method=method,
            scope=where.repository,
            body=body,
            media_type=media_type,
            actions="pull,push",
        )
        if answer.status not in wanted:
            self._expect(answer, f"{where.host}/{where.repository}")
        return answer

    def _document(self, where: Reference, path: str, ref: str) -> Any:
        answer = self._get(where.host, path)
        self._expect(answer, ref)
        return answer.json()

    def _expect(self, answer: urllib3.BaseHTTPResponse, ref: str) -> None:
        if answer.status != 200:
            words = answer.data.decode(errors="replace")[:500] or answer.reason or ""
            hint = f"docker login {Reference.parse(ref).host}" if answer.status in (401, 403) else ""
            raise ImageError(f"the registry answers with {answer.status}", target=ref, words=words, next=hint)

    def _get(
        self,
        host: str,
        path: str,
        *,
        method: str = "GET",
        scope: str | None = None,
        body: bytes | None = None,
        media_type: str = "",
        actions: str = "pull",
    ) -> urllib3.BaseHTTPResponse:
        repository = "/".join(path.split("/")[2:-2]) if scope is None else scope
        headers = {"Accept": ", ".join(MANIFESTS) if "/manifests/" in path else "*/*"}
        if media_type:
            headers["Content-Type"] = media_type
        last: Exception | None = None
        for scheme in [self._scheme[host]] if host in self._scheme else self._schemes(host):
            url = f"{scheme}://{host}{path}"
            try:
                token = self._tokens.get((host, repository, actions))
                extra = {"Authorization": token} if token else {}
                answer = self._pool.request(method, url, headers={**headers, **extra}, body=body)
                if answer.status == 401:  # a token that was good may have expired
                    challenge = answer.headers.get("WWW-Authenticate", "")
                    token = self._authorize(host, scheme, repository, challenge, actions)
                    if token:
                        self._tokens[(host, repository, actions)] = token
                        answer = self._pool.request(method, url, headers={**headers, "Authorization": token}, body=body)
                log.debug("%s %s: %d", method, url, answer.status)
                if answer.status == 400 and scheme == "http" and b"HTTPS server" in answer.data:
                    continue  # a private registry that speaks TLS
            except HTTPError as err:
                log.debug("%s %s: %s", method, url, err)
                last = err
                continue
            self._scheme[host] = scheme
            return answer
        cause = getattr(last, "reason", None) or last
        raise ImageError(
            "the registry does not answer", target=host, words=str(cause), next=f"curl -s http://{host}/v2/"
        )

    def _schemes(self, host: str) -> list[str]:
        return ["http", "https"] if host in self._insecure or _private(host) else ["https"]

    def _authorize(self, host: str, scheme: str, repository: str, challenge: str, actions: str) -> str:
        """Value of the Authorization header for a challenge, or ''."""
        login = _login(host) if scheme == "https" or _loopback(host) else ""
        if challenge.lower().startswith("basic"):
            return f"Basic {login}" if login else ""
        return self._bearer(challenge, login, repository, actions)

    def _bearer(self, challenge: str, login: str, repository: str, actions: str) -> str:
        """A token of the registry's own token server, or ''."""
        fields = dict(_CHALLENGE.findall(challenge))
        realm = fields.get("realm", "")
        if not realm.startswith("https://") and not _loopback(realm.partition("://")[2].partition("/")[0]):
            return ""
        query = {"service": fields.get("service", "")}
        if repository:
            query["scope"] = f"repository:{repository}:{actions}"
        headers = {"Authorization": f"Basic {login}"} if login else {}
        answer = self._pool.request("GET", realm, fields=query, headers=headers)
        if answer.status != 200:
            return ""
        document: Mapping[str, Any] = answer.json()
        return f"Bearer {document.get('token') or document.get('access_token')}"


def _name(host: str) -> str:
    return host.rpartition(":")[0].strip("[]") if ":" in host else host


def _private(host: str) -> bool:
    try:
        return ipaddress.ip_address(_name(host)).is_private
    except ValueError:
        return _name(host) == "localhost"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(_name(host)).is_loopback
    except ValueError:
        return _name(host) == "localhost"


def _login(host: str) -> str:
    """base64(user:password) of `docker login`, or ''. Credential helpers are not asked."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        auths = json.loads((folder / "config.json").read_text()).get("auths", {})
    except (OSError, ValueError):
        return ""
    entry = auths.get(host) or auths.get(f"https://{host}") or auths.get(f"https://{host}/v1/") or {}
    if entry.get("auth"):
        return str(entry["auth"])
    if entry.get("username"):
        return base64.b64encode(f"{entry['username']}:{entry.get('password', '')}".encode()).decode()
    return ""
