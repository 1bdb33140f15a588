"""An image reference in its parts."""

from __future__ import annotations

from dataclasses import dataclass

from sdsk8s.errors import ImageError

DEFAULT_HOST = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """host: `registry:5000`; repository: `site/name`; target: a tag or `sha256:...`"""

    host: str
    repository: str
    target: str

    @staticmethod
    def parse(text: str) -> Reference:
        """`HOST/REPOSITORY[:TAG][@DIGEST]`; the tag is `latest` and the host the public one when missing."""
        rest, _, digest = text.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = DEFAULT_HOST, rest if slash else f"library/{rest}"
        repository, _, tag = path.partition(":")
        if not repository or path.count(":") > 1 or (digest and not digest.startswith("sha256:")):
            raise ImageError("this is not an image reference", target=text, words="expected HOST/REPOSITORY:TAG")
        return Reference(host, repository, digest or tag or "latest")
