"""Bundles in a bucket. An existing object stays whole until the new one is complete."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sdsk8s.backends.aws.connect import client, endpoint, explained
from sdsk8s.errors import CloudError
from sdsk8s.model.site import Site

CONTENT, SHA256 = "sds-content", "sha256"
"""Metadata of an object: id of the archive's content, sha256 of its bytes."""


@dataclass(frozen=True)
class Stored:
    """What a bucket has under a key; encryption: "" or the server's word (AES256, aws:kms)."""

    content: str
    sha256: str
    encryption: str
    sum_beside: bool


class BundleStore:
    """Objects of one bucket. sha256 of each object is in its metadata and in a small object `KEY.sha256`."""

    def __init__(self, site: Site, bucket: str) -> None:
        self._site, self.bucket = site, bucket

    @cached_property
    def _s3(self) -> Any:
        return client(self._site, "s3", endpoint(self._site))

    def stored(self, key: str) -> Stored | None:
        """None when the object does not exist. CloudError when the request fails."""
        with explained(f"s3://{self.bucket}/{key}"):
            try:
                head = self._s3.head_object(Bucket=self.bucket, Key=key)
            except ClientError as err:
                if err.response.get("Error", {}).get("Code") not in ("404", "NoSuchKey", "NotFound"):
                    raise
                self._s3.head_bucket(Bucket=self.bucket)  # a missing bucket answers 404 as well
                return None
            notes = {k.lower(): v for k, v in head.get("Metadata", {}).items()}
            sum_ = notes.get(SHA256, "")
            beside = self._text(f"{key}.sha256").split(" ")[0] == sum_
        return Stored(notes.get(CONTENT, ""), sum_, str(head.get("ServerSideEncryption") or ""), beside)

    def _text(self, key: str) -> str:
        try:
            return str(self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read(200).decode(errors="replace"))
        except ClientError:
            return ""

    def put(self, file: Path, key: str, content: str, sha256: str, *, encrypt: bool, say: Callable[[str], None]) -> str:
        """Upload under another key, check, then replace it by a copy inside the store.

        encrypt: server-side, with keys that the store manages. Returns a fact for the table.
        """
        size = file.stat().st_size
        part = f"{key}.part-{os.getpid()}"
        extra: dict[str, Any] = {"Metadata": {CONTENT: content, SHA256: sha256}}
        if encrypt:
            extra["ServerSideEncryption"] = "AES256"
        with explained(f"s3://{self.bucket}/{key}"):
            try:
                self._drop_parts(key)
                say(f"uploading {size} bytes")
                with file.open("rb") as data:
                    self._s3.upload_fileobj(data, self.bucket, part, ExtraArgs=extra)
                head = self._s3.head_object(Bucket=self.bucket, Key=part)
                if int(head["ContentLength"]) != size:
                    raise CloudError(
                        f"the bucket got {head['ContentLength']} of {size} bytes", target=f"s3://{self.bucket}/{part}"
                    )
                self._s3.copy({"Bucket": self.bucket, "Key": part}, self.bucket, key, ExtraArgs=self._copy_args(extra))
                line = f"{sha256}  {key}\n".encode()
                rest = {k: v for k, v in extra.items() if k != "Metadata"}
                self._s3.put_object(Bucket=self.bucket, Key=f"{key}.sha256", Body=line, **rest)
            finally:
                self._quietly_delete(part)
        return f"{size} bytes, sha256 {sha256[:12]}"

    @staticmethod
    def _copy_args(extra: dict[str, Any]) -> dict[str, Any]:
        return {**extra, "MetadataDirective": "REPLACE"}

    def _drop_parts(self, key: str) -> None:
        """Delete what an interrupted upload has left."""
        found = self._s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{key}.part-").get("Contents") or ()
        for old in found:
            self._s3.delete_object(Bucket=self.bucket, Key=old["Key"])

    def _quietly_delete(self, key: str) -> None:
        try:
            self._s3.delete_object(Bucket=self.bucket, Key=key)
        except (BotoCoreError, ClientError):
            return  # the next ship removes it
