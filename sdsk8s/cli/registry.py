"""`sdsk8s registry`: credentials with which the cluster pulls images. They never stand in a command line."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.verbs.session import Session

USER, PASSWORD = "SDS_REGISTRY_USERNAME", "SDS_REGISTRY_PASSWORD"


@click.group()
def registry() -> None:
    """Credentials with which the cluster pulls images."""


@registry.command("login")
@click.argument("host", required=False)
@click.option("-u", "--username", help=f"Account at the registry; also {USER}.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@site_options
def login(host: str | None, username: str | None, password_stdin: bool, **kw: Any) -> None:
    """Give the namespace a pull secret for HOST (the site's registry), and its service accounts the use of it.

    The password comes from standard input, from SDS_REGISTRY_PASSWORD, from a prompt, or with the account from
    `docker login` on this host. Pods that wait for such an image are made again.
    """
    from sdsk8s.backends.kubernetes import pull_secrets
    from sdsk8s.render.objects import namespace_object
    from sdsk8s.verbs.session import Session

    session = Session(Options(**kw))
    host = _host(session, host)
    user, password, source = _credentials(host, username, password_stdin)
    checked = _check(session, host, user, password)
    cluster = session.cluster
    if cluster.get("Namespace", cluster.namespace) is None:
        cluster.apply(namespace_object(session.site))
    pull_secrets.write(cluster, host, user, password)
    accounts = pull_secrets.attach(cluster)
    pods = pull_secrets.renew_stuck_pods(cluster, host)
    facts = {
        "registry": host, "user": user, "credentials": source, "checked": checked, "namespace": cluster.namespace,
        "secret": pull_secrets.SECRET, "service_accounts": accounts, "pods_made_again": pods,
    }  # fmt: skip
    if kw["output"] == "json":
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"{user} at {host}, from {source}; {'accepted by the registry' if checked else 'not checked from here'}")
    click.echo(f"Secret {pull_secrets.SECRET} in namespace {cluster.namespace}")
    if accounts:
        click.echo(f"used from now on by pods of the service accounts: {', '.join(accounts)}")
    for pod in pods:
        click.echo(f"made again, since it could not pull: {pod}")


@registry.command("logout")
@click.argument("host", required=False)
@site_options
def logout(host: str | None, **kw: Any) -> None:
    """Take the credentials for HOST (the site's registry) out of the namespace's pull secret."""
    from sdsk8s.backends.kubernetes import pull_secrets
    from sdsk8s.verbs.session import Session

    session = Session(Options(**kw))
    host = _host(session, host)
    there = pull_secrets.forget(session.cluster, host)
    if kw["output"] == "json":
        click.echo(json.dumps({"registry": host, "removed": there}))
    else:
        click.echo(f"{host}: {'removed' if there else 'there were no credentials'}")


@registry.command("ls")
@site_options
def ls(**kw: Any) -> None:
    """List the registries that the namespace has credentials for. No passwords."""
    from sdsk8s.backends.kubernetes import pull_secrets
    from sdsk8s.verbs.session import Session

    found = pull_secrets.hosts(Session(Options(**kw)).cluster)
    if kw["output"] == "json":
        click.echo(json.dumps([{"registry": host, "user": user} for host, user in sorted(found.items())], indent=2))
        return
    for host, user in sorted(found.items()):
        click.echo(f"{host}  {user}")
    if not found:
        click.echo("none")


def _host(session: Session, host: str | None) -> str:
    from sdsk8s.errors import ConfigError

    name = host or session.site.registry
    if not name:
        raise ConfigError(
            "no registry is set", target=f"{session.site.home}/site.yaml", next="name one: registry login HOST"
        )
    return name


def _credentials(host: str, username: str | None, password_stdin: bool) -> tuple[str, str, str]:
    """(user, password, where they come from). UsageError or RefusedError when something is missing."""
    from sdsk8s.errors import RefusedError

    user = username or os.environ.get(USER) or ""
    if password_stdin:
        if not user:
            raise click.UsageError(f"--password-stdin needs --username or {USER}")
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise click.UsageError("standard input held no password")
        return user, password, "standard input"
    if user and os.environ.get(PASSWORD):
        return user, os.environ[PASSWORD], f"the environment ({PASSWORD})"
    from sdsk8s.backends.docker.credentials import known

    stored = known(host)
    if stored and user in ("", stored[0]):
        return *stored, "docker login"
    if user and sys.stdin.isatty():
        return user, click.prompt(f"password of {user} at {host}", hide_input=True, err=True), "the prompt"
    raise RefusedError(
        f"no credentials for {host} are known here",
        words=f"looked at: standard input (--password-stdin), {USER} and {PASSWORD}, docker login",
        next=f"sdsk8s registry login {host} --username USER --password-stdin < FILE",
    )


def _check(session: Session, host: str, user: str, password: str) -> bool:
    """True when the registry accepts them, False when that cannot be asked from here. ImageError when it refuses."""
    from sdsk8s.errors import ImageError

    verdict = session.images.registry.accepts(host, user, password)
    if verdict is False:
        raise ImageError(
            f"{host} does not accept these credentials of {user}", target=host,
            next=f"sdsk8s registry login {host} --username USER --password-stdin",
        )  # fmt: skip
    return verdict is True
