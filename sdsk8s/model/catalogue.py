"""All components that a site can have, by name, with their order and dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.model.component import Component
from sdsk8s.model.names import unknown


@dataclass(frozen=True)
class Catalogue:
    components: Mapping[str, Component]

    def ordered(self) -> list[Component]:
        """Components in listing order (stores last)."""
        return sorted(self.components.values(), key=lambda c: (c.store, c.order, c.name))

    def get(self, name: str) -> Component:
        """The component of that name or alias. UsageError with the nearest name if there is none."""
        for c in self.components.values():
            if name == c.name or name in c.aliases:
                return c
        names = [c.name for c in self.ordered()]
        raise UsageError(f'unknown component "{name}"', words=unknown(name, [*names, "all"]), next="sdsk8s components")

    def select(self, name: str, verb: str = "") -> list[Component]:
        """`all` is every component (not the stores) whose `verbs` include the verb; else the one named."""
        if name != "all":
            return [self.get(name)]
        return [c for c in self.ordered() if not c.store and (not verb or verb in c.verbs)]

    def stores_of(self, components: Iterable[Component]) -> list[Component]:
        """Stores that the components need, directly or through others, each once, in listing order."""
        seen: dict[str, Component] = {}
        todo = list(components)
        while todo:
            for need in todo.pop().needs:
                c = self.components.get(need)
                if c is not None and need not in seen:
                    seen[need] = c
                    todo.append(c)
        return sorted((c for c in seen.values() if c.store), key=lambda c: (c.order, c.name))

    def levels(self, components: Iterable[Component]) -> list[list[Component]]:
        """Groups in dependency order; the members of one group do not need each other.

        Raises ConfigError when `needs` form a cycle.
        """
        left = {c.name: c for c in components}
        out: list[list[Component]] = []
        while left:
            ready = [c for c in left.values() if not any(n in left for n in c.needs)]
            if not ready:
                raise ConfigError("dependency cycle between components", target=", ".join(sorted(left)))
            out.append(sorted(ready, key=lambda c: (c.order, c.name)))
            for c in ready:
                del left[c.name]
        return out
