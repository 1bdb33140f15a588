"""Image files of packages: fetched from and stored at `s3://`, `s3s://`, `file://` and (fetched only) `http(s)://`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import urllib3

from sdsk8s.backends.aws import objects
from sdsk8s.errors import ConfigError, SdsError
from sdsk8s.verbs.session import Session


class Payloads:
    """Places of the site's image files."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def place(self, name: str) -> str:
        """Where an image that is imported goes: the site's code bucket."""
        config = self._session.site.config
        missing = [k for k in ("S3_ENDPOINT", "CODE_BUCKET") if not config.get(k)]
        if missing:
            raise ConfigError(
                "no location configured for images",
                target=f"{self._session.home}/config",
                words=f"empty: {', '.join(missing)}",
            )
        return f"s3://{config['S3_ENDPOINT']}/{config['CODE_BUCKET']}/{name}"

    def fetch(self, url: str, to: Path) -> None:
        """Bring a file here."""
        parts = urlsplit(url)
        if parts.scheme in ("s3", "s3s"):
            objects.fetch(self._session.site, *_bucket(url), to)
        elif parts.scheme in ("http", "https"):
            with urllib3.PoolManager().request("GET", url, preload_content=False) as answer, to.open("wb") as out:
                if answer.status != 200:
                    raise SdsError("the image cannot be fetched", target=url, words=f"{answer.status} {answer.reason}")
                shutil.copyfileobj(answer, out)
        elif parts.scheme in ("file", ""):
            try:
                shutil.copyfile(parts.path, to)
            except OSError as err:
                raise SdsError("the image cannot be read", target=url, words=str(err)) from None
        else:
            raise SdsError(f"cannot fetch images from {parts.scheme}://", target=url, next="upload it to S3 first")

    def store(self, content: IO[bytes], url: str) -> None:
        """Send a file to its place."""
        objects.store(self._session.site, *_bucket(url), content)

    def remove(self, url: str) -> bool:
        """Delete an image file. False where we have no way to, or there was none."""
        parts = urlsplit(url)
        if parts.scheme in ("s3", "s3s"):
            return objects.remove(self._session.site, *_bucket(url))
        if parts.scheme == "file":
            Path(parts.path).unlink(missing_ok=True)
            return True
        return False


def _bucket(url: str) -> tuple[str, str, str]:
    """(endpoint URL, bucket, key) of s3://endpoint/bucket/key; s3s is the same over TLS."""
    parts = urlsplit(url)
    bucket, _, key = parts.path.lstrip("/").partition("/")
    if not parts.netloc or not bucket or not key:
        raise ConfigError("expected s3://endpoint/bucket/key", target=url)
    # Amazon's own endpoint speaks TLS only; the legacy scheme s3:// did not mean otherwise there.
    secure = parts.scheme == "s3s" or parts.netloc.endswith("amazonaws.com")
    return f"{'https' if secure else 'http'}://{parts.netloc}", bucket, key
