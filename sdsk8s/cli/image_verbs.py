"""`images` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.image_prune import prune
from sdsk8s.cli.options import options, site_options
from sdsk8s.verbs import images as verb
from sdsk8s.verbs import images_audit
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.group()
def images() -> None:
    """Images of the site."""


images.add_command(prune)


@images.command("ls")
@click.argument("name", nargs=-1)
@site_options
def ls(name: tuple[str, ...], **kw: Any) -> None:
    """List images: reference by content, digest in the registry, uncompressed size beside its budget."""
    verb.ls(Session(Options(**kw)), name)


@images.command("audit")
@click.argument("name", nargs=-1)
@site_options
def audit(name: tuple[str, ...], **kw: Any) -> None:
    """Open NAME... or every image of the site: size, user, set-uid files, compilers, caches, credentials, packages,
    writable places, and programs that manifests start. Exit code 1 when something was found.
    """
    end(images_audit.run(Session(Options(**kw)), name))


_OWN = ("names", "settings", "layer", "release", "pull")
_build_options = options(
    click.argument("names", nargs=-1, metavar="[NAME]..."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="[IMAGE:]NAME=VALUE",
        help="A build argument that the Dockerfile declares; may be given again.",
    ),
    click.option(
        "--pull", is_flag=True, help="Start from the image that the base's tag points to now; see images.lock."
    ),
    click.option(
        "--layer",
        type=click.Choice(["base", "site"]),
        default="site",
        show_default=True,
        help="base: without the site's overrides.",
    ),
    click.option("--release", metavar="VERSION", help="Tag as VERSION too; from clean git trees only."),
)


@images.command("build")
@_build_options
@site_options
def build(**kw: Any) -> None:
    """Build NAME... or every image of the site in the engine, unless it or the registry has it."""
    request = verb.Build(**{name: kw.pop(name) for name in _OWN})
    end(verb.build(Session(Options(**kw)), request))


@images.command("push")
@_build_options
@site_options
def push(**kw: Any) -> None:
    """Push NAME... or every image of the site to its registry, building what is missing."""
    request = verb.Build(**{name: kw.pop(name) for name in _OWN}, push=True)
    end(verb.build(Session(Options(**kw)), request))
