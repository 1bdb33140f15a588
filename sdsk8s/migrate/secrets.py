"""Variables of an old site's programs: secret ones go into the site's configuration and a Secret made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.migrate import notation
from sdsk8s.model.names import secret_word


@dataclass
class Vault:
    """values: the site's configuration; new: {config key: value} to be added; made: {component: {key: config key}}."""

    values: Mapping[str, object]
    new: dict[str, str] = field(default_factory=dict)
    made: dict[str, dict[str, str]] = field(default_factory=dict)

    def entry(self, component: str, name: str, value: str) -> dict[str, Any]:
        """The `env` entry of one variable; value: in the notation of Kubernetes."""
        if notation.names(value) or not self.secret(name, notation.plain(value)):
            return {"name": name, "value": value}
        key = self.keep(component, name, notation.plain(value))
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name(component), "key": key}}}

    def secret(self, name: str, value: str) -> bool:
        """Whether nobody else may read it: by its name, or because it holds a secret of the configuration."""
        held = [str(v) for k, v in self.values.items() if v is not None and len(str(v)) >= 4 and secret_word(str(k))]
        return bool(value) and (bool(secret_word(name)) or any(v in value for v in held))

    def keep(self, component: str, name: str, value: str) -> str:
        """The key of the component's Secret that holds the value from now on."""
        same = [k for k, v in {**self.values, **self.new}.items() if v == value and secret_word(str(k))]
        wanted = [name, f"{component}_{name}".upper(), *(f"{component}_{name}_{i}".upper() for i in range(2, 99))]
        everything = {**self.values, **self.new}
        config = same[0] if same else next(k for k in wanted if k not in everything)
        if not same:
            self.new[config] = value
        keys = self.made.setdefault(component, {})
        key = next(k for k in wanted if keys.get(k, config) == config)
        keys[key] = config
        return key


def secret_name(component: str) -> str:
    """Of the Secret with a component's imported variables."""
    return f"{component}-imported"
