"""Variables of an old site's programs: secret ones go into the site's configuration and a Secret made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.migrate import notation
from sdsk8s.model.names import secret_word


@dataclass
class Vault:
    """values: the site's configuration; new: {config key: value} to be added; made: {Secret: {key: config key}}."""

    values: Mapping[str, object]
    new: dict[str, str] = field(default_factory=dict)
    made: dict[str, dict[str, str]] = field(default_factory=dict)

    def entry(self, component: str, name: str, value: str) -> dict[str, Any]:
        """The `env` entry of one variable; value: in the notation of Kubernetes."""
        if notation.names(value) or not self.secret(name, notation.plain(value)):
            return {"name": name, "value": value}
        secret = f"{component}-imported"
        key = self.keep(secret, name, notation.plain(value))
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}

    def secret(self, name: str, value: str) -> bool:
        """Whether nobody else may read it: by its name, or because it holds a secret of the configuration."""
        held = [str(v) for k, v in self.values.items() if v is not None and len(str(v)) >= 4 and secret_word(str(k))]
        return bool(value) and (bool(secret_word(name)) or any(v in value for v in held))

    def keep(self, secret: str, name: str, value: str) -> str:
        """The key of the Secret that holds the value from now on."""
        same = [k for k, v in {**self.values, **self.new}.items() if v == value and secret_word(str(k))]
        wanted = [name, *(f"{secret}_{name}{i or ''}".upper().replace("-", "_") for i in range(99))]
        everything = {**self.values, **self.new}
        config = same[0] if same else next(k for k in wanted if k not in everything)
        if not same:
            self.new[config] = value
        keys = self.made.setdefault(secret, {})
        key = next(k for k in wanted if keys.get(k, config) == config)
        keys[key] = config
        return key
