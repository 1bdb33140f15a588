"""ConfigMaps, Secrets and keys that pods read but that do not exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sdsk8s.model import kube
from sdsk8s.model.kube import Object


@dataclass(frozen=True)
class Missing:
    """kind and name of what is read; key "" means the object itself. target: who reads it."""

    target: str
    kind: str
    name: str
    key: str = ""

    @property
    def words(self) -> str:
        if self.key:
            return f"it reads the key {self.key} of {self.kind}/{self.name}, but the object does not have this key"
        return f"it reads {self.kind}/{self.name}, which does not exist"


def unresolved(objects: Iterable[Object], more: Iterable[Object] = ()) -> list[Missing]:
    """References of the objects' pods that neither they nor `more` satisfy; optional ones do not count."""
    every = list(objects)
    keys = {
        (str(o["kind"]), kube.name(o)): _keys(o) for o in [*more, *every] if o.get("kind") in ("ConfigMap", "Secret")
    }
    found: list[Missing] = []
    for obj in every:
        for kind, name, key in _reads(obj):
            have = keys.get((kind, name))
            if (kind, name) not in keys:
                found.append(Missing(kube.title(obj), kind, name))
            elif key and have is not None and key not in have:
                found.append(Missing(kube.title(obj), kind, name, key))
    return list(dict.fromkeys(found))


def _keys(obj: Object) -> set[str] | None:
    """Keys of a ConfigMap or Secret; None when they are unknown (only the object's metadata was read)."""
    if not any(k in obj for k in ("data", "stringData", "binaryData")):
        return None
    return {k for part in ("data", "stringData", "binaryData") for k in obj.get(part) or {}}


def _reads(obj: Object) -> Iterator[tuple[str, str, str]]:
    """(kind, name, key or "") of everything that pods cannot start without."""
    for volume in kube.pod_spec(obj).get("volumes") or ():
        for source in [volume, *((volume.get("projected") or {}).get("sources") or ())]:
            for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                ref = source.get(field)
                if not ref or ref.get("optional"):
                    continue
                name = str(ref.get("secretName") or ref.get("name"))
                yield kind, name, ""
                for item in ref.get("items") or ():
                    yield kind, name, str(item.get("key", ""))
    for c in kube.containers(obj):
        for entry in c.get("envFrom") or ():
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in entry and not entry[field].get("optional"):
                    yield kind, str(entry[field].get("name")), ""
        for entry in c.get("env") or ():
            source = entry.get("valueFrom") or {}
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if field in source and not source[field].get("optional"):
                    yield kind, str(source[field].get("name")), str(source[field].get("key", ""))
