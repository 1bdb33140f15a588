"""From a kubeconfig, or from inside a pod, to a Cluster: every way in which that fails has its own words.

The `kubernetes` package reads the files, merges them and knows the kinds of credentials; ours are the errors, the time
limit of plug-ins and the proxies.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.library import (
    DEFAULT_LOCATION,
    Configuration,
    FileOrData,
    KubeConfigLoader,
    KubeConfigMerger,
    config,
    urllib3,
)
from sdsk8s.backends.kubernetes.proxy import login, proxy_for, shown
from sdsk8s.errors import ClusterError
from sdsk8s.model.names import unknown

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.plugin import Plugin

log = logging.getLogger("sdsk8s.kubernetes")


class Loader(KubeConfigLoader):  # type: ignore[misc]
    """The package's reader of one context, with our way to run plug-ins."""

    _plugin: Plugin | None = None

    @property
    def proxy_url(self) -> str:
        return str(self._cluster.safe_get("proxy-url") or "")

    def _load_from_exec_plugin(self) -> bool | None:
        if "exec" not in self._user:
            return None
        folder = self._get_base_path(self._cluster.path)
        from sdsk8s.backends.kubernetes.plugin import Plugin

        if self._plugin is None:
            self._plugin = Plugin(self._user["exec"], folder, self._cluster)
        status = self._plugin.status()
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
        if status.get("clientCertificateData"):
            self.cert_file, self.key_file = (
                FileOrData(status, None, data_key_name=key, file_base_path=folder, base64_file_content=False).as_file()
                for key in ("clientCertificateData", "clientKeyData")
            )
        # Always in the past for the package, so that it asks again before each request: Plugin knows when to run it.
        self.expiry = "1970-01-01T00:00:00Z"
        return True


@dataclass(frozen=True)
class Source:
    """Where credentials come from; they are read again from there when the server no longer takes them."""

    kubeconfig: str | None
    context: str | None
    in_cluster: bool = False

    def load(self) -> Any:
        """The package's configuration, with credentials and proxy. ClusterError for a plug-in or proxy that fails."""
        configuration = Configuration()
        configuration.retries = False
        proxy_url = ""
        if self.in_cluster:
            config.load_incluster_config(client_configuration=configuration)
        else:
            merger = KubeConfigMerger(_where(self.kubeconfig))
            if merger.config is None:
                raise config.ConfigException("Invalid kube-config file. No configuration found.")
            loader = Loader(merger.config, active_context=self.context, config_persister=merger.save_changes,
                            config_base_path=None)  # fmt: skip
            loader.load_and_set(configuration)
            proxy_url = loader.proxy_url
        configuration.proxy = proxy_for(configuration.host, proxy_url, os.environ) or None
        configuration.no_proxy = None  # decided above
        if configuration.proxy and login(configuration.proxy):
            configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=login(configuration.proxy))
        return configuration


def connect(context: str | None = None, kubeconfig: str | None = None, namespace: str = "sds") -> Cluster:
    """A Cluster from a kubeconfig (argument, KUBECONFIG, ~/.kube/config) or from inside a pod.

    No request is made yet. ClusterError: no kubeconfig, unknown context (the nearest one is named), a file that
    cannot be read, a credentials plug-in that fails, a proxy of a kind that we cannot use.
    """
    source = Source(kubeconfig, context)
    try:
        return _cluster(source, namespace)
    except config.ConfigException as err:
        if kubeconfig is not None and not Path(kubeconfig).expanduser().exists():
            raise ClusterError("the kubeconfig does not exist", target=kubeconfig, next="check --kubeconfig") from None
        names = _contexts(kubeconfig)
        if context and names and context not in names:
            raise ClusterError(
                f'the kubeconfig has no context "{context}"', target=_where(kubeconfig),
                words=unknown(context, names), next="kubectl config get-contexts",
            ) from None  # fmt: skip
        if names or context or kubeconfig:
            raise ClusterError(
                "the kubeconfig cannot be used", target=_where(kubeconfig), words=str(err), next="kubectl config view"
            ) from None
        return _from_inside(namespace, str(err))
    except ClusterError:
        raise
    except Exception as err:  # the loader lets through whatever the YAML parser or a missing key raises
        raise ClusterError(
            "the kubeconfig cannot be read", target=_where(kubeconfig), words=str(err) or type(err).__name__,
            next="kubectl config view",
        ) from None  # fmt: skip


def _cluster(source: Source, namespace: str) -> Cluster:
    configuration = source.load()
    log.debug(
        "server %s, context %s of %s%s",
        configuration.host,
        "of the pod" if source.in_cluster else source.context or "(current)",
        "the service account" if source.in_cluster else _where(source.kubeconfig),
        f", through the proxy {shown(configuration.proxy)}" if configuration.proxy else "",
    )
    return Cluster(configuration, namespace, source.load)


def _from_inside(namespace: str, words: str) -> Cluster:
    try:
        return _cluster(Source(None, None, in_cluster=True), namespace)
    except config.ConfigException:
        raise ClusterError(
            "no cluster is configured", target=_where(None), words=words,
            next="set KUBECONFIG, or use --kubeconfig; `sdsk8s lab up` creates a local cluster",
        ) from None  # fmt: skip


def _where(kubeconfig: str | None) -> str:
    return str(kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_LOCATION)


def _contexts(kubeconfig: str | None) -> list[str]:
    try:
        return [str(c["name"]) for c in config.list_kube_config_contexts(_where(kubeconfig))[0]]
    except Exception:
        return []
