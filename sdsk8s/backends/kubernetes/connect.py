"""From a kubeconfig, or from inside a pod, to a Cluster: every way in which that fails has its own words."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.library import Configuration, config
from sdsk8s.errors import ClusterError
from sdsk8s.model.names import unknown

# A server that is gone without a word (a node lost, a VPN closed) is noticed after half a minute, by watches too.
_KEEPALIVE = [
    *urllib3.connection.HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, option), value)
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
        if hasattr(socket, option)
    ),
]


@dataclass(frozen=True)
class Source:
    """Where credentials come from; they are read again from there when the server no longer takes them."""

    kubeconfig: str | None
    context: str | None
    in_cluster: bool = False

    def load(self) -> tuple[Any, str]:
        """(configuration, words of a credentials plug-in that failed)."""
        configuration = Configuration()
        configuration.retries = False
        configuration.socket_options = _KEEPALIVE
        with _spoken() as words:
            if self.in_cluster:
                config.load_incluster_config(client_configuration=configuration)
            else:
                config.load_kube_config(
                    config_file=self.kubeconfig, context=self.context, client_configuration=configuration
                )
        return configuration, "\n".join(words)


def connect(context: str | None = None, kubeconfig: str | None = None, namespace: str = "sds") -> Cluster:
    """A Cluster from a kubeconfig (argument, KUBECONFIG, ~/.kube/config) or from inside a pod.

    No request is made yet. ClusterError: no kubeconfig, unknown context (the nearest one is named), a file that
    cannot be read, a credentials plug-in that fails.
    """
    source = Source(kubeconfig, context)
    try:
        return _cluster(source, namespace)
    except config.ConfigException as err:
        if kubeconfig is not None and not Path(kubeconfig).expanduser().exists():
            raise ClusterError("there is no such kubeconfig", target=kubeconfig, next="check --kubeconfig") from None
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
    configuration, words = source.load()
    if words and not (configuration.api_key or configuration.cert_file):
        raise ClusterError(
            "the credentials plug-in of the kubeconfig failed", target=_where(source.kubeconfig), words=words,
            next="run the command of users[].user.exec by hand, or log in again",
        )  # fmt: skip
    return Cluster(configuration, namespace, source.load)


def _from_inside(namespace: str, words: str) -> Cluster:
    try:
        return _cluster(Source(None, None, in_cluster=True), namespace)
    except config.ConfigException:
        raise ClusterError(
            "no cluster is configured", target=_where(None), words=words,
            next="set KUBECONFIG, or give --kubeconfig; `sdsk8s lab up` makes a local cluster",
        ) from None  # fmt: skip


def _where(kubeconfig: str | None) -> str:
    return str(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")


def _contexts(kubeconfig: str | None) -> list[str]:
    try:
        return [str(c["name"]) for c in config.list_kube_config_contexts(kubeconfig)[0]]
    except Exception:
        return []


@contextmanager
def _spoken() -> Iterator[list[str]]:
    """What the library logs in the meantime: that is how it reports a failed plug-in."""
    words: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words.append(record.getMessage())

    ear = Ear(logging.ERROR)
    logging.getLogger().addHandler(ear)
    try:
        yield words
    finally:
        logging.getLogger().removeHandler(ear)
