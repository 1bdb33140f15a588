"""Single objects of a bucket: files of images that packages carry."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from sdsk8s.backends.aws.connect import client, explained
from sdsk8s.model.site import Site


def fetch(site: Site, endpoint: str, bucket: str, key: str, to: Path) -> None:
    """Bring an object here, as a whole file or not at all."""
    part = to.with_name(to.name + ".part")
    with explained(f"s3://{bucket}/{key}"):
        client(site, "s3", endpoint).download_file(bucket, key, str(part))
    part.replace(to)


def store(site: Site, endpoint: str, bucket: str, key: str, content: IO[bytes]) -> None:
    """Send an object; large ones in parts. An interrupted upload leaves an earlier object whole."""
    with explained(f"s3://{bucket}/{key}"):
        client(site, "s3", endpoint).upload_fileobj(content, bucket, key)


def remove(site: Site, endpoint: str, bucket: str, key: str) -> bool:
    """Delete an object. False when there was none."""
    s3 = client(site, "s3", endpoint)
    with explained(f"s3://{bucket}/{key}"):
        there = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents") or []
        if not any(o["Key"] == key for o in there):
            return False
        s3.delete_object(Bucket=bucket, Key=key)
    return True
