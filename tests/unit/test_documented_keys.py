"""Reference pages of component.yaml and site.yaml: exactly the keys that their readers accept, with their defaults."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sdsk8s.errors import ConfigError
from sdsk8s.model import bundle, image, site
from sdsk8s.model.component import (
    Component,
    ConfigFile,
    HealthCheck,
    Hook,
    Machine,
    SecretKeys,
    Service,
    component_from_dict,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "component-yaml.md").read_text()


def tables(page: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    """{heading: [{key: {column: text}} of each table]}"""
    found: dict[str, list[dict[str, dict[str, str]]]] = {}
    heading, columns = "", []
    for line in page.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        cells = [c.strip() for c in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == "key":
            columns = cells
            found.setdefault(heading, []).append({})
        elif cells and not set(cells[0]) <= {"-"}:
            found[heading][-1][cells[0].strip("`")] = dict(zip(columns, cells, strict=True))
    return found


TABLES = tables(PAGE)


def names(cls: Any, **renamed: str) -> set[str]:
    return {renamed.get(f.name, f.name) for f in dataclasses.fields(cls)}


ACCEPTED = {
    ("Top level", 0): names(Component) - {"manifests", "folders"} | {"extends"},
    ("services", 0): names(Service),
    ("images", 0): set(image._KEYS),
    ("config", 0): names(ConfigFile),
    ("secrets", 0): names(SecretKeys),
    ("check", 0): names(HealthCheck),
    ("reset", 0): names(Hook, within="in"),
    ("bundle", 0): bundle._KEYS,
    ("bundle", 1): bundle._FILE_KEYS,
    ("ssh", 0): names(Machine),
}


def test_every_section_is_compared() -> None:
    assert {(heading, i) for heading, found in TABLES.items() for i in range(len(found))} == set(ACCEPTED)


@pytest.mark.parametrize("section", ACCEPTED, ids=lambda s: f"{s[0]}-{s[1]}")
def test_documented_keys_are_those_that_the_reader_accepts(section: tuple[str, int]) -> None:
    heading, number = section
    assert set(TABLES[heading][number]) == ACCEPTED[section]


def sample(key: str) -> Any:
    """A value of the shape that the key has, from the page's own blocks."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S):
        data = yaml.safe_load(block)
        if key in data:
            return data[key]
    return yaml.safe_load(TABLES["Top level"][0][key]["example"].strip("`"))


@pytest.mark.parametrize("key", [k for k in TABLES["Top level"][0] if k not in ("name", "extends")])
def test_the_sample_of_a_key_is_accepted_and_is_not_its_default(key: str) -> None:
    plain = component_from_dict({"name": "x"}, "x/component.yaml", ())
    read = component_from_dict({"name": "x", key: sample(key)}, "x/component.yaml", ())
    assert getattr(read, key) != getattr(plain, key)


@pytest.mark.parametrize("key", [k for k in TABLES["Top level"][0] if k not in ("name", "extends")])
def test_the_default_of_a_key_is_the_readers(key: str) -> None:
    said = TABLES["Top level"][0][key]["default"]
    value = None if said == "none" else yaml.safe_load(said.strip("`"))
    read = getattr(component_from_dict({"name": "x"}, "x/component.yaml", ()), key)
    assert (list(read) if isinstance(read, tuple) else read) == value


def test_defaults_and_required_keys_of_config_entries() -> None:
    for field in dataclasses.fields(ConfigFile):
        said = TABLES["config"][0][field.name]["default"]
        if field.default is dataclasses.MISSING:
            assert said == "required", field.name
        elif field.name != "source":  # its default is the template's name
            assert str(field.default).lower() == said.strip("`"), field.name


@pytest.mark.parametrize("heading", ["services", "secrets", "check", "reset", "ssh"])
def test_required_keys_are_required(heading: str) -> None:
    whole = sample(heading)
    entry = whole[0] if isinstance(whole, list) else whole
    for key, row in TABLES[heading][0].items():
        assert row["default"] == "required"
        less = {k: v for k, v in entry.items() if k != key}
        with pytest.raises(ConfigError):
            component_from_dict({"name": "x", heading: [less] if isinstance(whole, list) else less}, "x/c.yaml", ())


def test_the_keys_of_site_yaml() -> None:
    page = tables((REFERENCE / "site-yaml.md").read_text())
    assert set(page["Keys"][0]) == site._KEYS
    assert set(page["components"][0]) == {"where", "develop"}
    assert set(page["ship"][0]) == {"to", "s3_endpoint"}
    for row in page["Keys"][0].values():
        assert row["default"]
    for block in re.findall(r"```yaml\n(.*?)```", (REFERENCE / "site-yaml.md").read_text(), re.S):
        assert site.site_from_dict(yaml.safe_load(block), {}, "/home", "site.yaml").source
