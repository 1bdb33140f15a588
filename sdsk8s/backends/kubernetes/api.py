"""Calls on one namespace of one cluster: plain dicts in, plain dicts out.

Of the library we use configuration, credentials and HTTP pool. Its typed models are left alone: objects that sites
bring have fields that a model of another version would drop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from sdsk8s.backends.kubernetes.connection import Connection, Load, lines
from sdsk8s.backends.kubernetes.failures import ApiError, FieldConflict
from sdsk8s.backends.kubernetes.kinds import KINDS, Kind, discovered, path, root
from sdsk8s.backends.kubernetes.ownership import adopted
from sdsk8s.errors import ClusterError
from sdsk8s.model import kube
from sdsk8s.model.names import FIELD_MANAGER, unknown

Object = dict[str, Any]
Objects = list[Object]
Strings = list[str]
_PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_ADOPTIONS = 5
"""Tries to take over what `kubectl apply` owns while others write to the object."""
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Cluster:
    """Safe to use from several threads; within() gives another namespace over the same connections."""

    def __init__(
        self, configuration: Any, namespace: str, load: Load | None = None, *, connection: Connection | None = None
    ) -> None:
        self.namespace = namespace
        self.connection = connection or Connection(configuration, load)
        self._found: dict[tuple[str, str], Kind] = {}

    def within(self, namespace: str) -> Cluster:
        return Cluster(None, namespace, connection=self.connection)

    @property
    def host(self) -> str:
        return self.connection.host

    def now(self) -> datetime:
        """The server's clock, to a second."""
        return self.connection.now()

    # -- reading -----------------------------------------------------------------------------------------------

    def version(self) -> str:
        """The server's version, such as v1.35.4."""
        return str(self.request("GET", "/version").get("gitVersion", ""))

    def get(self, kind: str, name: str) -> Object | None:
        """One object, or None."""
        try:
            return self.request("GET", self.path(kind, name))
        except ApiError as err:
            if err.code == 404 and err.reason:
                return None
            raise

    def list(self, kind: str, selector: str = "", field: str = "") -> Objects:
        """Objects of a kind in the namespace (cluster-wide kinds: all)."""
        return self.list_versioned(kind, selector, field)[0]

    def list_metadata(self, kind: str, selector: str = "") -> Objects:
        """As list(), but the server sends metadata alone: values of Secrets never travel."""
        return self.list_versioned(kind, selector, accept=_METADATA_ONLY)[0]

    def list_versioned(
        self, kind: str, selector: str = "", field: str = "", *, accept: str = "application/json"
    ) -> tuple[Objects, str]:
        """Objects and the resourceVersion that a watch can start from."""
        query = {k: v for k, v in (("labelSelector", selector), ("fieldSelector", field)) if v}
        body = self.request("GET", self.path(kind), query=query, accept=accept)
        version = self.kind(kind).api_version
        items = [{**i, "apiVersion": version, "kind": kind} for i in body.get("items") or ()]
        return items, str(body.get("metadata", {}).get("resourceVersion", ""))

    def watch(self, kind: str, selector: str, version: str, seconds: int = 240, field: str = "") -> Iterator[Object]:
        """Watch events {type, object} from a resourceVersion until the stream ends, which is not an error.

        ApiError with code 410 when the version is too old: list again.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        query |= {k: v for k, v in (("labelSelector", selector), ("fieldSelector", field)) if v}
        response = self.connection.stream(self.path(kind), query=query, read_timeout=seconds + 10)
        for line in lines(response, partial=False):
            try:
                event = json.loads(line)
            except ValueError:
                raise ClusterError(
                    f"the watch of {kind} is not valid JSON",
                    target=self.host,
                    words=line.decode(errors="replace")[:200],
                ) from None
            if event.get("type") == "ERROR":
                status = event.get("object", {})
                raise ApiError(
                    f"the watch of {kind} ended", code=int(status.get("code", 500)), target=self.host,
                    reason=str(status.get("reason", "")), words=str(status.get("message", "")),
                )  # fmt: skip
            yield event

    def logs(
        self,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: int | None = None,
        previous: bool = False,
        timestamps: bool = False,
    ) -> Iterator[str]:
        """Lines of a container's log. since in seconds. Ends when the container does, or with the stream."""
        query = {"container": container}
        if tail is not None:
            query["tailLines"] = str(tail)
        if since is not None:
            query["sinceSeconds"] = str(since)
        query |= {k: "true" for k, v in (("follow", follow), ("previous", previous), ("timestamps", timestamps)) if v}
        response = self.connection.stream(
            self.path("Pod", pod, "log"), query=query, read_timeout=None if follow else 60
        )
        for line in lines(response, partial=True):
            yield line.decode(errors="replace")

    # -- writing -----------------------------------------------------------------------------------------------

    def apply(self, obj: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply under our field manager.

        A conflict is an ApiError that names every field and its owner; force takes those fields over. What plain
        `kubectl apply` has left behind becomes ours, so that fields which a later manifest drops do go away.
        """
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        query |= {"force": "true"} if force else {}
        query |= {"dryRun": "All"} if dry_run else {}
        where = self._path_of(obj)

        def send() -> Object:
            return self.request("PATCH", where, query=query, body=obj, content="application/apply-patch+yaml")

        for left in reversed(range(_ADOPTIONS)):
            done = send()
            owners = None if dry_run or not force else adopted(done)
            if owners is None:
                return done
            try:
                self._own(where, owners, done["metadata"]["resourceVersion"])
            except ApiError as err:
                # Its controller has written the status in between: who owns what is read anew.
                if err.code != 409 or not left:
                    raise
        return send()

    def _own(self, where: str, owners: Sequence[dict[str, Any]], version: str) -> None:
        self.request(
            "PATCH", where, query={"fieldManager": FIELD_MANAGER}, content=_PATCHES["json"],
            body=[
                {"op": "replace", "path": "/metadata/managedFields", "value": owners},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ],
        )  # fmt: skip

    def conflicts(self, obj: Mapping[str, Any]) -> tuple[FieldConflict, ...]:
        """Fields that an apply without force would be refused for, and who owns them. Nothing is changed."""
        try:
            self.apply(obj, dry_run=True)
        except ApiError as err:
            if err.conflicts:
                return err.conflicts
            raise
        return ()

    def create(self, obj: Mapping[str, Any]) -> Object:
        return self.request(
            "POST", self._path_of(obj, collection=True), query={"fieldManager": FIELD_MANAGER}, body=obj, retry=False
        )

    def replace(self, obj: Mapping[str, Any]) -> Object:
        """PUT with the object's resourceVersion: fails with code 409 when the object has changed since."""
        return self.request("PUT", self._path_of(obj), query={"fieldManager": FIELD_MANAGER}, body=obj, retry=False)

    def patch(
        self,
        kind: str,
        name: str,
        body: Any,
        subresource: str = "",
        *,
        type: Literal["merge", "json", "strategic"] = "merge",
    ) -> Object:
        return self.request(
            "PATCH", self.path(kind, name, subresource), query={"fieldManager": FIELD_MANAGER}, body=body,
            content=_PATCHES[type],
        )  # fmt: skip

    def scale(self, kind: str, name: str, replicas: int, annotations: Mapping[str, str] | None = None) -> Object:
        """Replicas and annotations in one request: a crash between the two cannot happen."""
        body: Object = {"spec": {"replicas": replicas}}
        if annotations:
            body["metadata"] = {"annotations": dict(annotations)}
        return self.patch(kind, name, body)

    def delete(self, kind: str, name: str, *, propagation: str = "Background", missing_ok: bool = True) -> None:
        try:
            self.request("DELETE", self.path(kind, name), body={"propagationPolicy": propagation})
        except ApiError as err:
            if not (missing_ok and err.code == 404 and err.reason):
                raise

    def proxy_get(self, service: str, port: int | str, url_path: str, timeout: float = 10) -> tuple[int, bytes]:
        """GET through the API server's service proxy: (status, body). ClusterError when it does not answer."""
        where = f"{self.path('Service', f'{service}:{port}', 'proxy')}/{url_path.lstrip('/')}"
        return self.connection.once("GET", where, timeout)

    def request(self, method: str, url: str, **kw: Any) -> Object:
        """One JSON request by its path; see Connection.request."""
        return self.connection.request(method, url, **kw)

    # -- kinds -------------------------------------------------------------------------------------------------

    def kind(self, kind: str, api_version: str = "") -> Kind:
        """Where a kind lives: from the table, else asked of the server once.

        ClusterError for a kind that the server does not have; without a version every group is looked through.
        """
        known = KINDS.get(kind)
        if known is not None and api_version in ("", known.api_version):
            return known
        if (api_version, kind) not in self._found:
            self._found[api_version, kind] = self._discover(kind, api_version)
        return self._found[api_version, kind]

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the server has this kind, such as one of a CustomResourceDefinition."""
        try:
            return kind in discovered(api_version, self.request("GET", root(api_version)).get("resources") or ())
        except ApiError as err:
            if err.code == 404:
                return False
            raise

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        """URL path of a collection, an object or a subresource in our namespace."""
        return path(self.kind(kind), self.namespace, quote(name, safe=":"), subresource)

    def _path_of(self, obj: Mapping[str, Any], *, collection: bool = False) -> str:
        kind = self.kind(str(obj["kind"]), str(obj.get("apiVersion", "")))
        namespace = str(obj["metadata"].get("namespace") or self.namespace)
        return path(kind, namespace, "" if collection else quote(kube.name(obj), safe=""))

    def _discover(self, kind: str, api_version: str) -> Kind:
        versions = [api_version] if api_version else self._versions()
        seen: set[str] = set(KINDS)
        for version in versions:
            try:
                found = discovered(version, self.request("GET", root(version)).get("resources") or ())
            except ApiError as err:
                if err.code in (404, 503):  # no such group, or its extension server is away
                    continue
                raise
            if kind in found:
                return found[kind]
            seen |= set(found)
        where = f" in {api_version}" if api_version else ""
        raise ClusterError(
            f'the cluster has no objects of kind "{kind}"{where}', target=self.host, words=unknown(kind, seen),
            next="kubectl api-resources",
        )  # fmt: skip

    def _versions(self) -> Strings:
        groups = self.request("GET", "/apis").get("groups") or ()
        return ["v1", *(str(g["preferredVersion"]["groupVersion"]) for g in groups)]
