"""Finds template texts by the legacy tool's three rules, and a fourth one of ours."""

from __future__ import annotations

from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.model.bundle import BundleFile
from sdsk8s.model.component import Component, ConfigFile
from sdsk8s.model.site import Site


def load_texts(site: Site, components: list[Component]) -> dict[tuple[str, str, str], str]:
    """{(component, object, file): template text}. ConfigError names the file and every place that was looked at."""
    found = {(c.name, e.into, e.file): _read(site, c, e) for c in components for e in c.config}
    return {key: text for key, text in found.items() if text is not None}


def places(site: Site, component: Component, entry: ConfigFile) -> list[Path]:
    """Where the template may be, in order of precedence."""
    user = Path(site.home) / "files" / entry.template
    tree = Path(site.source) / (entry.source or entry.template)
    own = [Path(folder) / entry.template for folder in component.folders]
    return {"user": [user], "user-then-source": [user, tree], "source": [tree], "catalogue": [user, *own]}[entry.rule]


def _read(site: Site, component: Component, entry: ConfigFile) -> str | None:
    looked = places(site, component, entry)
    for path in looked:
        if path.is_file():
            try:
                # bytes: line ends of a file that is not rendered stay as they are
                return path.read_bytes().decode()
            except (OSError, UnicodeDecodeError) as err:
                raise ConfigError("the template cannot be read", target=str(path), words=str(err)) from None
    if entry.optional:
        return None
    raise ConfigError(
        f"{component.name} needs the template {entry.template}, which does not exist",
        target=" or ".join(str(p) for p in looked),
    )


def bundle_text(site: Site, component: Component, entry: BundleFile) -> bytes | None:
    """Content of the first template of a bundle's file that exists; None for an optional one that does not."""
    looked: list[Path] = []
    for template in entry.templates:
        where = ConfigFile(entry.path, "", template, entry.rule, entry.source)
        looked += places(site, component, where)
    for path in looked:
        if path.is_file():
            try:
                return path.read_bytes()
            except OSError as err:
                raise ConfigError("the template cannot be read", target=str(path), words=str(err)) from None
    if entry.optional:
        return None
    raise ConfigError(
        f"the bundle of {component.name} needs {entry.templates[0]}, which does not exist",
        target=" or ".join(str(p) for p in looked),
    )
