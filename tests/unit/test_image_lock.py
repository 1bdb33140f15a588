"""What images are built FROM: one digest until somebody asks for the newer one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdsk8s.backends.docker.images import Images
from sdsk8s.errors import ConfigError, ImageError
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.site import Site
from sdsk8s.site.image_lock import lock, read_lock

BASE, OLD, NEW = "registry.example/debian:12-slim", f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


class Tags:
    """A registry in which a tag has the digest that it is given; None: it does not answer."""

    def __init__(self, digest: str | None) -> None:
        self.now = digest

    def digest(self, ref: str) -> str:
        if self.now is None:
            raise ImageError("the registry does not answer", target=ref)
        return self.now


def base(home: Path, tags: Tags, image: str = BASE, *, pull: bool = False) -> Images:
    site = Site(home=str(home), registry="localhost:5000", images={"base": image} if image else {})
    service = Images(site, Catalogue({}), pull=pull)
    service.__dict__["registry"] = tags
    return service


def test_a_tag_that_moves_changes_nothing_until_it_is_pulled(tmp_path: Path) -> None:
    tags = Tags(OLD)
    first = base(tmp_path, tags).base_ref
    assert read_lock(tmp_path / "images.lock") == {BASE: OLD}
    tags.now = NEW
    assert base(tmp_path, tags).base_ref == first
    newer = base(tmp_path, tags, pull=True)
    assert newer.base_ref != first and read_lock(tmp_path / "images.lock") == {BASE: OLD}
    newer.keep_lock()
    assert base(tmp_path, Tags(None)).base_ref == newer.base_ref
    assert read_lock(tmp_path / "images.lock") == {BASE: NEW}


def test_the_digest_is_part_of_the_name_and_of_what_is_built(tmp_path: Path) -> None:
    by_tag = base(tmp_path, Tags(OLD))
    by_digest = base(tmp_path / "other", Tags(None), f"{BASE}@{OLD}")
    assert by_tag.base_ref == by_digest.base_ref
    assert by_tag._recipes[by_tag.base_ref].spec.args["FROM_IMAGE"] == f"{BASE}@{OLD}"


def test_the_shipped_default_is_pinned_as_well(tmp_path: Path) -> None:
    assert base(tmp_path, Tags(OLD), "").base_ref
    assert list(read_lock(tmp_path / "images.lock").values()) == [OLD]


def test_a_registry_that_does_not_answer(tmp_path: Path) -> None:
    unpinned = base(tmp_path, Tags(None))
    assert unpinned.base_ref and read_lock(tmp_path / "images.lock") == {}
    unpinned.keep_lock()  # as after its build: the engine had the image
    assert base(tmp_path, Tags(NEW)).base_ref == unpinned.base_ref
    with pytest.raises(ImageError, match="does not answer"):
        _ = base(tmp_path, Tags(None), pull=True).base_ref


def test_a_lock_that_says_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "images.lock"
    path.write_text("a: b\n")
    with pytest.raises(ConfigError, match="is not a digest") as err:
        read_lock(path)
    assert err.value.target == f"{path}, a"
    path.write_text("")
    lock(path, BASE, OLD)
    assert read_lock(path) == {BASE: OLD}
