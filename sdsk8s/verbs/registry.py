"""`registry`: credentials with which the cluster pulls images. They never stand in a command line."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

from sdsk8s.backends.kubernetes import pull_secrets
from sdsk8s.errors import ConfigError, ImageError, RefusedError, UsageError
from sdsk8s.render.objects import namespace_object
from sdsk8s.verbs.session import Session

USER, PASSWORD = "SDS_REGISTRY_USERNAME", "SDS_REGISTRY_PASSWORD"


@dataclass(frozen=True)
class Login:
    """host: the registry, None for the site's. password_stdin: read the password from standard input."""

    host: str | None = None
    username: str | None = None
    password_stdin: bool = False


@dataclass(frozen=True)
class Credentials:
    """source: where they come from, in words."""

    user: str
    password: str = field(repr=False)
    source: str


def login(session: Session, request: Login) -> int:
    """Give the namespace a pull secret for the registry, and its service accounts the use of it.

    Pods that wait for such an image are made again. ImageError when the registry refuses the credentials, UsageError
    or RefusedError when there are none.
    """
    console, host = session.console, _host(session, request.host)
    who = _credentials(session, host, request)
    checked = _check(session, host, who)
    cluster = session.cluster
    if cluster.get("Namespace", cluster.namespace) is None:
        cluster.apply(namespace_object(session.site))
    pull_secrets.write(cluster, host, who.user, who.password)
    accounts = pull_secrets.attach(cluster)
    pods = pull_secrets.renew_stuck_pods(cluster, host)
    if session.options.json:
        facts = {
            "registry": host,
            "user": who.user,
            "credentials": who.source,
            "checked": checked,
            "namespace": cluster.namespace,
            "secret": pull_secrets.SECRET,
            "service_accounts": accounts,
            "pods_made_again": pods,
        }
        console.print_json(facts)
        return 0
    verdict = "accepted by the registry" if checked else "not checked from here"
    console.print(f"{who.user} at {host}, from {who.source}; {verdict}")
    console.print(f"Secret {pull_secrets.SECRET} in namespace {cluster.namespace}")
    if accounts:
        console.print(f"used by new pods of the service accounts: {', '.join(accounts)}")
    for pod in pods:
        console.print(f"recreated because it could not pull: {pod}")
    return 0


def logout(session: Session, host: str | None) -> int:
    """Take the credentials for the registry out of the namespace's pull secret."""
    name = _host(session, host)
    there = pull_secrets.forget(session.cluster, name)
    if session.options.json:
        session.console.print_json({"registry": name, "removed": there})
    else:
        session.console.print(f"{name}: {'removed' if there else 'no credentials stored'}")
    return 0


def ls(session: Session) -> int:
    """List the registries that the namespace has credentials for, without passwords."""
    found = sorted(pull_secrets.hosts(session.cluster).items())
    if session.options.json:
        session.console.print_json([{"registry": host, "user": user} for host, user in found])
        return 0
    for host, user in found:
        session.console.print(f"{host}  {user}")
    if not found:
        session.console.print("none")
    return 0


def _host(session: Session, host: str | None) -> str:
    name = host or session.site.registry
    if not name:
        raise ConfigError(
            "no registry is set", target=f"{session.site.home}/site.yaml", next="give one: sdsk8s registry login HOST"
        )
    return name


def _credentials(session: Session, host: str, request: Login) -> Credentials:
    """From standard input, the environment, `docker login` or a prompt, in that order."""
    user = request.username or os.environ.get(USER) or ""
    if request.password_stdin:
        if not user:
            raise UsageError(f"--password-stdin needs --username or {USER}")
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise UsageError("standard input has no password")
        return Credentials(user, password, "standard input")
    if user and os.environ.get(PASSWORD):
        return Credentials(user, os.environ[PASSWORD], f"the environment ({PASSWORD})")
    from sdsk8s.backends.docker.credentials import known  # loads docker

    stored = known(host)
    if stored and user in ("", stored[0]):
        return Credentials(*stored, "docker login")
    if user and sys.stdin.isatty():
        return Credentials(user, session.console.ask_hidden(f"password of {user} at {host}", needed=True), "the prompt")
    raise RefusedError(
        f"no credentials found for {host}",
        words=f"checked: standard input (--password-stdin), {USER} and {PASSWORD}, docker login",
        next=f"sdsk8s registry login {host} --username USER --password-stdin < FILE",
    )


def _check(session: Session, host: str, who: Credentials) -> bool:
    """True when the registry accepts them, False when that cannot be asked from here. ImageError when it refuses."""
    verdict = session.images.registry.accepts(host, who.user, who.password)
    if verdict is False:
        raise ImageError(
            f"{host} does not accept these credentials of {who.user}",
            target=host,
            next=f"sdsk8s registry login {host} --username USER --password-stdin",
        )
    return verdict is True
