"""Image files of packages in a bucket of a real S3 server: stored, fetched, removed; what cannot be is told."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from s3server import ACCESS, SECRET, serve

from sdsk8s.errors import CloudError, ConfigError
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.package_files import Payloads
from sdsk8s.verbs.session import Session

KEYS = f"AWS_ACCESS_KEY: {ACCESS}\nAWS_SECRET_KEY: {SECRET}\nAWS_REGION: us-west-2\n"


def payloads(home: Path, endpoint: str) -> Payloads:
    home.mkdir()
    (home / "config").write_text(f"{KEYS}CODE_BUCKET: code\nS3_ENDPOINT: {endpoint}\n")
    return Payloads(Session(Options(home=str(home))))


def test_an_image_file_goes_to_the_bucket_and_comes_back(tmp_path: Path) -> None:
    content = os.urandom(9_000_000)  # more than one part
    with serve(tmp_path / "buckets") as server:
        (server.folder / "code").mkdir()
        places = payloads(tmp_path / "sds", server.url.removeprefix("http://"))
        url = places.place("job-1.0.tar.gz")
        places.store(io.BytesIO(content), url)
        assert (server.folder / "code" / "job-1.0.tar.gz").read_bytes() == content
        places.fetch(url, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content
        with pytest.raises(CloudError, match=r"404|Not Found"):
            places.fetch(f"{url}.no", tmp_path / "nothing")
        assert not (tmp_path / "nothing").exists()
        assert places.remove(url) and not places.remove(url)
        assert not (server.folder / "code" / "job-1.0.tar.gz").exists()


def test_a_site_without_a_bucket_has_no_place_for_images(tmp_path: Path) -> None:
    places = payloads(tmp_path / "sds", "")
    with pytest.raises(ConfigError, match="no location configured for images") as err:
        places.place("job-1.0.tar.gz")
    assert "S3_ENDPOINT" in err.value.words
