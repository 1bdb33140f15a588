"""Reading sites and catalogues: errors name the file, the line and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import load_site
from sdsk8s.site.yamlfile import read_mapping


def test_bad_yaml_names_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("A: 1\nB: [1, 2\nC: 3\n")
    with pytest.raises(ConfigError) as err:
        read_mapping(file)
    assert err.value.target == f"{file}:3:2"


def test_missing_site_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as err:
        load_site(tmp_path)
    assert err.value.target == str(tmp_path / "config") and "SDS_HOME" in err.value.next


def test_source_defaults_to_the_legacy_master_tree(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("OPS_HOME: /home/ops\n")
    assert load_site(tmp_path).source == "/home/ops/mozart/ops"


def test_shipped_catalogue_loads_and_every_need_exists() -> None:
    catalogue = load_catalogue()
    names = [c.name for c in catalogue.ordered()]
    assert {"mozart", "grq", "metrics", "factotum", "verdi", "ci", "rabbitmq", "redis", "elasticsearch"} <= set(names)
    levels = catalogue.levels(catalogue.ordered())
    assert sum(len(level) for level in levels) == len(names)
    assert [c.name for c in catalogue.select("all", "start")] == ["grq", "mozart", "metrics", "factotum"]


def test_unknown_component_offers_the_nearest_name() -> None:
    with pytest.raises(UsageError) as err:
        load_catalogue().get("mozrat")
    assert 'did you mean "mozart"?' in str(err.value) and err.value.exit_code == 2


def test_a_site_folder_replaces_a_shipped_component(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "component.yaml").write_text("name: redis\nstore: true\ntitle: ours\n")
    assert load_catalogue([str(tmp_path)]).get("redis").title == "ours"


def test_typo_in_component_yaml_names_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "component.yaml").write_text("name: x\nneed: [redis]\n")
    with pytest.raises(ConfigError, match='"need"'):
        load_catalogue([str(tmp_path)])
