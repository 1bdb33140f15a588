"""A site's changes laid over a shipped component. Pure.

A folder of the site's catalogue whose `component.yaml` says `extends: true` holds only what differs:

* `component.yaml`: mappings are merged, `images` image by image, `config` entry by entry (same `into` and `file`),
  `secrets` by name, `ssh` and every other key replaced. A value of null removes the shipped one.
* every other YAML file: objects in kubectl's strategic merge notation. An object with the kind and name of a shipped
  one is merged into it (lists by the key that Kubernetes uses; `$patch: delete` and `$patch: replace` work on objects
  and list entries), any other is added.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sdsk8s.model import kube

DIRECTIVE = "$patch"

LIST_KEYS: Mapping[str, Sequence[str]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "topologySpreadConstraints": ("topologyKey",),
    "hostAliases": ("ip",),
    "volumeClaimTemplates": ("metadata", "name"),
}
"""Path to the key by which entries of a list are merged; lists that are not named here are replaced."""
_PORT_KEYS = ("containerPort", "port")


def merge_component(shipped: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`component.yaml` of a site over the shipped one."""
    out = _merge({k: v for k, v in shipped.items() if k not in ("config", "secrets")}, _plain(changes))
    out["config"] = _by_key(shipped.get("config"), changes.get("config"), ("into", "file"))
    out["secrets"] = _by_key(shipped.get("secrets"), changes.get("secrets"), ("name",))
    return {k: v for k, v in out.items() if k not in ("config", "secrets") or v}


def merge_manifests(
    shipped: Iterable[Mapping[str, Any]], changes: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """Objects of a site over the shipped ones: merged, added or removed. ValueError: there is nothing to remove."""
    out = {_identity(obj): copy.deepcopy(dict(obj)) for obj in shipped}
    for change in changes:
        key, how = _identity(change), change.get(DIRECTIVE)
        if how == "delete":
            if key not in out:
                raise ValueError(f"{key[0]}/{key[1]} cannot be removed: the shipped component does not have it")
            del out[key]
        elif key in out and how != "replace":
            out[key] = _merge(out[key], change)
        else:
            out[key] = _cleaned(change)
    return tuple(out.values())


def _identity(obj: Mapping[str, Any]) -> tuple[str, str]:
    return str(obj["kind"]), kube.name(obj)


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in changes.items() if k not in ("extends", "config", "secrets")}


def _by_key(
    shipped: Sequence[Mapping[str, Any]] | None, changes: Sequence[Mapping[str, Any]] | None, keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Entries of both lists; a later one with the same keys is laid over the earlier, or removes it."""
    out: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in [*(shipped or ()), *(changes or ())]:
        key = tuple(entry.get(k) for k in keys)
        if entry.get(DIRECTIVE) == "delete":
            out.pop(key, None)
        else:
            out[key] = {**out.get(key, {}), **entry}
    return list(out.values())


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    if new.get(DIRECTIVE) == "replace":
        return dict(_cleaned(new))
    out = copy.deepcopy(dict(old))
    for key, value in new.items():
        if key == DIRECTIVE:
            continue
        if value is None:
            out.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(out.get(key), Mapping):
            out[key] = _merge(out[key], value)
        elif isinstance(value, list) and isinstance(out.get(key), list):
            out[key] = _merge_list(key, out[key], value)
        else:
            out[key] = _cleaned(value)
    return out


def _merge_list(field: str, old: list[Any], new: list[Any]) -> list[Any]:
    path = LIST_KEYS.get(field) or _port_key(field, [*old, *new])
    if path is None or not all(isinstance(e, Mapping) for e in [*old, *new]):
        return [_cleaned(e) for e in new]
    if any(e.get(DIRECTIVE) == "replace" for e in new):
        return [_cleaned(e) for e in new if set(e) != {DIRECTIVE}]
    out = {_at(e, path): e for e in old}
    for entry in new:
        key = _at(entry, path)
        if entry.get(DIRECTIVE) == "delete":
            out.pop(key, None)
        else:
            out[key] = _merge(out.get(key, {}), entry)
    return [copy.deepcopy(dict(e)) for e in out.values()]


def _port_key(field: str, entries: list[Any]) -> Sequence[str] | None:
    """`ports` of a container are known by containerPort, those of a Service by port."""
    if field != "ports":
        return None
    return next(((k,) for k in _PORT_KEYS if all(isinstance(e, Mapping) and k in e for e in entries)), None)


def _at(entry: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = entry
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _cleaned(value: Any) -> Any:
    """A copy without directives and without keys that are null."""
    if isinstance(value, Mapping):
        return {k: _cleaned(v) for k, v in value.items() if k != DIRECTIVE and v is not None}
    return [_cleaned(v) for v in value] if isinstance(value, list) else value
