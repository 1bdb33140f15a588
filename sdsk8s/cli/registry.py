"""`registry` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.verbs import registry as verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.group()
def registry() -> None:
    """Credentials with which the cluster pulls images."""


@registry.command("login")
@click.argument("host", required=False)
@click.option("-u", "--username", help="Account at the registry; also SDS_REGISTRY_USERNAME.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@site_options
def login(host: str | None, username: str | None, password_stdin: bool, **kw: Any) -> None:
    """Give the namespace a pull secret for HOST (the site's registry), and its service accounts the use of it.

    The password comes from standard input, from SDS_REGISTRY_PASSWORD, from a prompt, or with the account from
    `docker login` on this host. Pods that wait for such an image are made again.
    """
    verb.login(Session(Options(**kw)), verb.Login(host, username, password_stdin))


@registry.command("logout")
@click.argument("host", required=False)
@site_options
def logout(host: str | None, **kw: Any) -> None:
    """Take the credentials for HOST (the site's registry) out of the namespace's pull secret."""
    verb.logout(Session(Options(**kw)), host)


@registry.command("ls")
@site_options
def ls(**kw: Any) -> None:
    """List the registries that the namespace has credentials for. No passwords."""
    verb.ls(Session(Options(**kw)))
