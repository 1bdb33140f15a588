"""What `docker login` knows: read through the SDK, so that credential helpers are asked as well."""

from __future__ import annotations

from docker import auth
from docker.errors import DockerException

from sdsk8s.errors import ImageError


def known(host: str) -> tuple[str, str] | None:
    """(user, password) for a registry, or None. ImageError when the configuration or its helper fails."""
    try:
        found = auth.load_config().resolve_authconfig(host)
    except (DockerException, OSError, ValueError) as err:
        raise ImageError(
            "the credentials of docker login cannot be read", target=host, words=str(err), next=f"docker login {host}"
        ) from None
    if not found or not (found.get("username") or found.get("Username")):
        return None
    user = found.get("username") or found.get("Username")
    return str(user), str(found.get("password") or found.get("Secret") or "")
