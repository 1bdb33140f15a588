"""Reads a site folder (`~/.sds`, or SDS_HOME): the legacy `config` and our `site.yaml`."""

from __future__ import annotations

import os
from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.model.site import Site, site_from_dict
from sdsk8s.site.legacy import old_source
from sdsk8s.site.legacy_config import read_legacy_config, without_none
from sdsk8s.site.yamlfile import read_mapping


def home_folder(option: str | None = None) -> Path:
    """--home, else SDS_HOME, else ~/.sds."""
    return Path(option or os.environ.get("SDS_HOME") or "~/.sds").expanduser()


def load_site(home: Path) -> Site:
    """The site of that folder. ConfigError for a missing or bad file, before anything else is looked at."""
    config_file = home / "config"
    if not config_file.exists():
        raise ConfigError(
            "this site has no configuration yet",
            target=str(config_file),
            next="sds configure, or set SDS_HOME to the site's folder",
        )
    legacy = read_legacy_config(config_file)
    legacy.refuse_broken()
    config = without_none(legacy.values)
    site_file = home / "site.yaml"
    data = read_mapping(site_file) if site_file.exists() else {}
    return site_from_dict(data, config, str(home), str(site_file), old_source(config))
