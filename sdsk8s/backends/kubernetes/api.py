"""One connection to an API server: plain dicts in, plain dicts out, errors in an operator's words.

The library's typed models are never loaded (they cost half a second and tens of megabytes); its configuration,
credentials and HTTP pool are what we use of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

from sdsk8s.backends.kubernetes.kinds import KINDS, path
from sdsk8s.errors import ClusterError
from sdsk8s.model.names import unknown

MANAGER = "sdsk8s"
_RETRY_SECONDS = 15.0
_TIMEOUT = urllib3.Timeout(connect=5, read=30)
Object = dict[str, Any]
Objects = list[Object]


class ApiError(ClusterError):
    """An answer of the API server other than success. `code` is the HTTP status, `reason` the Status' reason."""

    def __init__(self, what: str, *, code: int, reason: str, **kw: str) -> None:
        super().__init__(what, **kw)
        self.code = code
        self.reason = reason


def connect(context: str | None = None, kubeconfig: str | None = None, namespace: str = "sds") -> Cluster:
    """A Cluster from a kubeconfig (argument, KUBECONFIG, ~/.kube/config) or from inside a pod.

    No request is made yet. ClusterError: no kubeconfig, unknown context (the nearest one is named), bad file.
    """
    configuration = client.Configuration()
    try:
        config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)
    except config.ConfigException as err:
        words = str(err)
        try:
            names = [c["name"] for c in config.list_kube_config_contexts(kubeconfig)[0]]
        except Exception:
            names = []
        if context and names and context not in names:
            raise ClusterError(
                f'the kubeconfig has no context "{context}"',
                words=unknown(context, names),
                next="kubectl config get-contexts",
            ) from None
        if context is None and not names:
            try:
                config.load_incluster_config(client_configuration=configuration)
            except config.ConfigException:
                raise ClusterError(
                    "no cluster is configured",
                    words=words,
                    next="set KUBECONFIG, or give --kubeconfig; `sdsk8s lab up` makes a local cluster",
                ) from None
        else:
            raise ClusterError("the kubeconfig cannot be used", words=words, next="kubectl config view") from None
    except Exception as err:  # the loader lets through whatever the YAML parser or a missing key raises
        raise ClusterError("the kubeconfig cannot be read", words=str(err), next="kubectl config view") from None
    configuration.retries = False
    return Cluster(configuration, namespace, (context, kubeconfig))


class Cluster:
    """Calls on one namespace of one cluster. Safe to use from several threads."""

    def __init__(
        self, configuration: Any, namespace: str, source: tuple[str | None, str | None] = (None, None)
    ) -> None:
        self.configuration = configuration
        self.namespace = namespace
        self._source = source
        self._lock = threading.Lock()
        self._client = client.ApiClient(configuration)

    @property
    def host(self) -> str:
        return str(self.configuration.host)

    # -- reading -----------------------------------------------------------------------------------------------

    def version(self) -> str:
        """The server's version, such as v1.35.4."""
        return str(self.request("GET", "/version")["gitVersion"])

    def get(self, kind: str, name: str) -> Object | None:
        """One object, or None."""
        try:
            return self.request("GET", path(kind, self.namespace, name))
        except ApiError as err:
            if err.code == 404:
                return None
            raise

    def list(self, kind: str, selector: str = "", field: str = "") -> Objects:
        """Objects of a kind in the namespace (cluster-wide kinds: all)."""
        return self.list_versioned(kind, selector, field)[0]

    def list_versioned(self, kind: str, selector: str = "", field: str = "") -> tuple[Objects, str]:
        """Objects and the resourceVersion that a watch can start from."""
        query = {k: v for k, v in (("labelSelector", selector), ("fieldSelector", field)) if v}
        body = self.request("GET", path(kind, self.namespace), query=query)
        items = [{"apiVersion": KINDS[kind].api_version, "kind": kind, **i} for i in body.get("items") or ()]
        return items, str(body.get("metadata", {}).get("resourceVersion", ""))

    def watch(self, kind: str, selector: str, version: str, seconds: int = 240) -> Iterator[Object]:
        """Watch events {type, object} from a resourceVersion until the server ends the stream.

        ApiError with code 410 when the version is too old: list again.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        if selector:
            query["labelSelector"] = selector
        response = self._open("GET", path(kind, self.namespace), query=query, read_timeout=seconds + 10)
        try:
            for line in _lines(response):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object", {})
                    raise ApiError(
                        "the watch ended", code=int(status.get("code", 500)), reason=str(status.get("reason", "")),
                        words=str(status.get("message", "")),
                    )  # fmt: skip
                yield event
        finally:
            response.close()

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
        response = self._open(
            "GET", path("Pod", self.namespace, pod, "log"), query=query, read_timeout=None if follow else 60
        )
        try:
            for line in _lines(response):
                yield line.decode(errors="replace")
        finally:
            response.close()

    # -- writing -----------------------------------------------------------------------------------------------

    def apply(self, obj: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply under our field manager. A conflict names every field and its owner."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        namespace = obj["metadata"].get("namespace", self.namespace)
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        query |= {"force": "true"} if force else {}
        query |= {"dryRun": "All"} if dry_run else {}
        return self.request(
            "PATCH", path(kind, namespace, name), query=query, body=obj, content="application/apply-patch+yaml"
        )

    def create(self, obj: Mapping[str, Any]) -> Object:
        namespace = obj["metadata"].get("namespace", self.namespace)
        return self.request(
            "POST", path(obj["kind"], namespace), query={"fieldManager": MANAGER}, body=obj, retry=False
        )

    def replace(self, obj: Mapping[str, Any]) -> Object:
        """PUT with the object's resourceVersion: fails with code 409 when somebody was faster."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        return self.request("PUT", path(kind, self.namespace, name), body=obj, retry=False)

    def patch(self, kind: str, name: str, body: Mapping[str, Any], subresource: str = "") -> Object:
        """Merge patch."""
        return self.request(
            "PATCH",
            path(kind, self.namespace, name, subresource),
            query={"fieldManager": MANAGER},
            body=body,
            content="application/merge-patch+json",
        )

    def scale(self, kind: str, name: str, replicas: int, annotations: Mapping[str, str] | None = None) -> Object:
        """Replicas and annotations in one request: a crash between the two cannot happen."""
        body: Object = {"spec": {"replicas": replicas}}
        if annotations:
            body["metadata"] = {"annotations": dict(annotations)}
        return self.patch(kind, name, body)

    def delete(self, kind: str, name: str, *, propagation: str = "Background", missing_ok: bool = True) -> None:
        try:
            self.request("DELETE", path(kind, self.namespace, name), body={"propagationPolicy": propagation})
        except ApiError as err:
            if not (missing_ok and err.code == 404):
                raise

    def proxy_get(self, service: str, port: int | str, url_path: str, timeout: float = 10) -> tuple[int, bytes]:
        """GET through the API server's service proxy: (status, body)."""
        target = f"{path('Service', self.namespace, f'{service}:{port}', 'proxy')}/{url_path.lstrip('/')}"
        response = self._raw("GET", target, timeout=urllib3.Timeout(connect=5, read=timeout))
        return int(response.status), bytes(response.data)

    # -- transport ---------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = "application/json",
        retry: bool = True,
    ) -> Object:
        """One JSON request, tried again for a bounded time where that is safe."""
        deadline = time.monotonic() + _RETRY_SECONDS
        pause, fresh = 0.2, False
        while True:
            try:
                response = self._raw(method, url, query=query, body=body, content=content)
            except urllib3.exceptions.HTTPError as err:
                if not retry or time.monotonic() + pause > deadline or _tls(err):
                    raise self._unreachable(err) from None
                wait_for = pause
            else:
                if response.status < 300:
                    parsed: Object = json.loads(response.data) if response.data else {}
                    return parsed
                if response.status == 401 and not fresh and self._reload():
                    fresh = True
                    continue
                again = response.status == 429 or (retry and response.status >= 500)
                if not again or time.monotonic() + pause > deadline:
                    raise self._refused(response, method, url)
                wait_for = max(pause, float(response.headers.get("Retry-After") or 0))
            time.sleep(min(wait_for, 5))
            pause = min(pause * 2, 3)

    def _open(self, method: str, url: str, *, query: Mapping[str, str], read_timeout: float | None) -> Any:
        timeout = urllib3.Timeout(connect=5, read=read_timeout)
        try:
            response = self._raw(method, url, query=query, timeout=timeout, stream=True)
        except urllib3.exceptions.HTTPError as err:
            raise self._unreachable(err) from None
        if response.status >= 300:
            response.read(decode_content=True, cache_content=True)
            raise self._refused(response, method, url)
        return response

    def _raw(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = "application/json",
        timeout: urllib3.Timeout = _TIMEOUT,
        stream: bool = False,
    ) -> Any:
        headers = {"Accept": "application/json", "User-Agent": MANAGER, **self.auth_headers()}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body).encode()
        full = self.host + url + ("?" + urlencode(query) if query else "")
        pool = self._client.rest_client.pool_manager
        return pool.request(
            method, full, headers=headers, body=data, timeout=timeout, preload_content=not stream, retries=False
        )

    def auth_headers(self) -> dict[str, str]:
        """Bearer token or basic login, refreshed by the library's hook when it is about to expire."""
        settings = self.configuration.auth_settings()
        return {s["key"]: s["value"] for s in settings.values() if s and s.get("in") == "header" and s.get("value")}

    def _reload(self) -> bool:
        """Read the credentials again (a token file or an exec plug-in may have a fresh one)."""
        context, kubeconfig = self._source
        fresh = client.Configuration()
        try:
            config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=fresh)
        except Exception:
            return False
        with self._lock:
            fresh.retries = False
            self.configuration = fresh
            self._client = client.ApiClient(fresh)
        return True

    def _unreachable(self, err: Exception) -> ClusterError:
        if _tls(err):
            return ClusterError(
                "the API server's certificate is not accepted", target=self.host, words=_root(err),
                next="check the certificate authority in the kubeconfig",
            )  # fmt: skip
        return ClusterError(
            "the API server does not answer", target=self.host, words=_root(err),
            next="sdsk8s lab status, or check the context: kubectl config current-context",
        )  # fmt: skip

    def _refused(self, response: Any, method: str, url: str) -> ApiError:
        try:
            status = json.loads(response.data)
        except ValueError:
            status = {"message": bytes(response.data).decode(errors="replace")[:500]}
        message, reason = str(status.get("message", "")), str(status.get("reason", ""))
        what, cure = _explain(int(response.status), reason)
        causes = [
            f"{c.get('field', '')}: {c.get('message', '')}" for c in status.get("details", {}).get("causes") or ()
        ]
        return ApiError(
            what,
            code=int(response.status),
            reason=reason,
            target=f"{method} {url} at {self.host}",
            words="\n".join([message, *[c for c in causes if c not in message]]),
            next=cure,
        )


def _explain(code: int, reason: str) -> tuple[str, str]:
    table = {
        400: ("the API server finds the request wrong", ""),
        401: ("the credentials are not accepted: expired, or of another cluster", "log in again, or check --context"),
        403: ("this account may not do that", "sdsk8s doctor lists what is missing, as a Role to apply"),
        404: ("the object does not exist", "sdsk8s status"),
        409: ("somebody else owns or has changed this object", "look at the fields below, then run the verb again"),
        422: ("the API server refuses the object as invalid", "correct the manifest"),
    }
    if reason == "AlreadyExists":
        return "the object exists already", ""
    return table.get(code, (f"the API server answered {code}", ""))


def _tls(err: BaseException | None) -> bool:
    while err is not None:
        if "CERTIFICATE_VERIFY_FAILED" in str(err) or "SSLError" in type(err).__name__:
            return True
        err = err.__cause__ or getattr(err, "reason", None) if isinstance(err, Exception) else None
        if not isinstance(err, BaseException):
            return False
    return False


def _root(err: Exception) -> str:
    reason = getattr(err, "reason", None)
    return str(reason or err)


def _lines(response: Any) -> Iterator[bytes]:
    """Whole lines of a stream; a stream that is cut ends the lines, which is normal for watches and logs."""
    rest = b""
    try:
        for chunk in response.stream(65536, decode_content=True):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line for line in whole if line)
    except urllib3.exceptions.HTTPError:
        pass
    if rest:
        yield rest
