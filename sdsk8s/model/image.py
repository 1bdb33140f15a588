"""What one image of the site is made of. Data only: a component's folder names its images in `images:`.

images:
  mozart:
    dockerfile: worker                  a folder of dockerfiles/ (service, worker, a store's), or
                                        `./FOLDER`: a folder of the component's own, beside its component.yaml
    packages: [hysds, mozart]           folders of the site's source tree, in import order
    links: {/opt/sds/ops/X: /opt/sds/etc/Y}   files that are read from mounted config
    args: {OS_PACKAGES: bind9-dnsutils} build arguments
    budget: 500                         MB that it may have, instead of the limit in dockerfiles/budgets.yaml
    allow: [fabric]                     Python packages that an audit would find, and this image needs
  elasticsearch:
    external: registry.example/elasticsearch:7.10.2     use this reference, build nothing
    wrap: elasticsearch-official        a folder that makes a site's reference fit our pods (argument OFFICIAL)
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.names import unknown

_KEYS = ("dockerfile", "packages", "links", "args", "external", "wrap", "budget", "allow")
OWN = "./"
"""How `dockerfile` begins when the component brings the folder itself."""
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_ARG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"[\w.:/-]+(@sha256:[0-9a-f]{64})?")
# Links are made inside the code layer; elsewhere they could shadow a file of the system.
LINK_ROOT = "/opt/sds/"
SITE_LABEL = "sdsk8s.site"
"""The label of an image that names the site which built it."""
MOVING_TAGS = frozenset(
    {"latest", "stable", "edge", "main", "master", "trunk", "develop", "dev", "devel", "nightly", "current", "head",
     "test", "testing", "prod", "production", "staging", "release", "snapshot"}
)  # fmt: skip
"""Tags that by custom are given to another image every now and then."""


def moving_tag(reference: str) -> str:
    """Why the reference may mean another image tomorrow; "" when it does not. A digest settles it."""
    name, at, _ = reference.partition("@")
    if at:
        return ""
    tag = name.rpartition("/")[2].partition(":")[2]
    if not tag:
        return "it has no tag, which means `latest`, and that moves: pods of one rollout may run different code"
    if tag.lower() in MOVING_TAGS:
        return f"the tag `{tag}` moves: pods of one rollout may run different code"
    return ""


def untagged(reference: str) -> str:
    """`HOST/REPOSITORY` of a reference with a tag, a digest or both."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def refuse_moving(reference: str, where: str) -> None:
    """ConfigError for a reference whose tag moves."""
    why = moving_tag(reference)
    if why:
        raise ConfigError(
            f'the image "{reference}" does not name one fixed image',
            target=where,
            words=why,
            next=f"name a version, or a digest: {reference.partition('@')[0]}@sha256:...",
        )


@dataclass(frozen=True)
class ImageSpec:
    """name        logical name: `sds/NAME` in manifests
    dockerfile  folder of dockerfiles/, or `./FOLDER` beside component.yaml
    packages    folders of the source tree
    links       {path in the image: target}
    args        {build argument: value}
    external    a reference to use as it is; nothing is built then
    wrap        folder that builds on a reference given by the site; "": such a reference is used as it is
    overlay     {path in the image: file or folder of this host}: a site's overrides
    env         defaults of environment variables that the site adds
    budget      MB (10^6 bytes), or None for the limit of its kind; it changes nothing in the image
    allow       Python packages that an audit lets pass
    folder      where `./FOLDER` is on this host; "" for a folder of dockerfiles/. It is not part of the image's tag
    """

    name: str
    dockerfile: str
    packages: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    external: str | None = None
    wrap: str = ""
    overlay: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    budget: int | None = None
    allow: tuple[str, ...] = ()
    folder: str = ""

    @staticmethod
    def from_dict(name: str, data: Mapping[str, Any] | None) -> ImageSpec:
        """Validate one entry of `images:`. ConfigError names the image, the key and the nearest known key."""
        where = f"images.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(f'"{name}" is not a valid image name', target=where, words="lower case, digits, . _ -")
        if not isinstance(data, Mapping):
            raise ConfigError("an image must be a mapping", target=where, words=f"known keys: {', '.join(_KEYS)}")
        for key in data:
            if key not in _KEYS:
                raise ConfigError(f'unknown key "{key}"', target=where, words=unknown(str(key), _KEYS))
        external = data.get("external")
        if external is not None and (not isinstance(external, str) or not _REFERENCE.fullmatch(external)):
            raise ConfigError(f"{external!r} is not an image reference", target=f"{where}.external")
        if external is not None:
            refuse_moving(external, f"{where}.external")
        if external is None and not data.get("dockerfile"):
            raise ConfigError('expected one of the keys "dockerfile" and "external"', target=where)
        budget = data.get("budget")
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget <= 0):
            raise ConfigError(f"{budget!r} is not a number of MB", target=f"{where}.budget")
        return ImageSpec(
            name=name,
            dockerfile=_dockerfile(str(data.get("dockerfile") or ""), f"{where}.dockerfile"),
            packages=_packages(data.get("packages"), f"{where}.packages"),
            links=_links(data.get("links"), f"{where}.links"),
            args=build_args(data.get("args"), f"{where}.args"),
            external=external,
            wrap=_folder(str(data.get("wrap") or ""), f"{where}.wrap"),
            budget=budget,
            allow=_packages(data.get("allow"), f"{where}.allow"),
        )

    def replaced_by(self, reference: str) -> ImageSpec:
        """The same logical image from a reference of the site: wrapped where the image says how, else as it is."""
        checked = ImageSpec.from_dict(self.name, {"external": reference})
        if self.wrap:
            return ImageSpec(self.name, self.wrap, args={"OFFICIAL": reference})
        return dataclasses.replace(checked, dockerfile=self.dockerfile)


def _dockerfile(value: str, where: str) -> str:
    """`NAME`, or `./NAME` for a folder beside component.yaml."""
    if value == OWN:
        raise ConfigError("expected ./FOLDER, got ./", target=where)
    return OWN + _folder(value.removeprefix(OWN), where) if value.startswith(OWN) else _folder(value, where)


def _folder(value: str, where: str) -> str:
    if value and not _PACKAGE.fullmatch(value):
        raise ConfigError(f'"{value}" is not a directory name', target=where)
    return value


def _packages(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise ConfigError("expected a list of directory names", target=where)
    for package in value:
        if not _PACKAGE.fullmatch(package):
            raise ConfigError(f'"{package}" is not the name of a directory in the source tree', target=where)
    if len(set(value)) != len(value):
        raise ConfigError("duplicate package", target=where, words=", ".join(value))
    return tuple(value)


def _links(value: Any, where: str) -> dict[str, str]:
    links = _strings(value, where)
    for link, target in links.items():
        if posixpath.normpath(link) != link or not link.startswith(LINK_ROOT):
            raise ConfigError(f'link "{link}" is not a plain path below {LINK_ROOT}', target=where)
        if not target.startswith("/") or posixpath.normpath(target) != target:
            raise ConfigError(f'target "{target}" of a link is not a plain absolute path', target=where)
    return links


def build_args(value: Any, where: str) -> dict[str, str]:
    """{argument: value} as text. ConfigError when it is not a mapping or a name is not valid."""
    args = _strings(value, where)
    for name in args:
        if not _ARG.fullmatch(name):
            raise ConfigError(f'"{name}" is not a valid name of a build argument', target=where)
    return args


def _strings(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or any(isinstance(v, dict | list) or v is None for v in value.values()):
        raise ConfigError("expected a mapping of names to text", target=where)
    return {str(k): str(v) for k, v in value.items()}
