"""From an inventory to the site folder that is to be written. Nothing is written here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sdsk8s.migrate import notation
from sdsk8s.migrate.assess import program_rule
from sdsk8s.migrate.config_text import extended
from sdsk8s.migrate.inventory import Inventory
from sdsk8s.migrate.old_programs import OldProgram, Timer
from sdsk8s.migrate.paths import Paths, paths_of
from sdsk8s.migrate.secrets import Vault
from sdsk8s.migrate.settings import PLACE, Settings, file_name, read_settings
from sdsk8s.migrate.workloads import cron_job, deployment, image_of, imported, known_first, of_image, slug, started
from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.queue import STOP_MARGIN
from sdsk8s.site.legacy import old_source

LARGEST = 1_000_000
"""Bytes of a file of the old host that is laid over an image."""
_NAMES = re.compile(r"(?:-Q|--queues)[= ]*([\w.-]+)")
_OWN = {"command", "environment", "numprocs", "stopwaitsecs", "stopsignal", "startsecs", "autostart", "directory"}
"""Keys of a program that a shipped workload answers by itself."""


@dataclass
class Draft:
    """files: {path below the new folder: content}; findings: of everything that was read."""

    files: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    queues: dict[str, list[str]] = field(default_factory=dict)
    """{program's workload: queues that it serves}"""
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    """{component: variables that every workload of it has to get}"""


@dataclass
class _Overlay:
    """What is laid over one component."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    packages: list[str] = field(default_factory=list)
    os_packages: set[str] = field(default_factory=set)
    patched: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """{workload: {variable: env entry}}"""
    laid: dict[str, dict[str, Any]] = field(default_factory=dict)
    """{workload: what its pod spec gets}"""
    config: list[dict[str, Any]] = field(default_factory=list)


class Importer:
    """Collects what one inventory becomes."""

    def __init__(self, read: Inventory, catalogue: Catalogue, source: str = "", registry: str = "") -> None:
        self.read, self.catalogue = read, catalogue
        self.source = str(Path(source).expanduser().absolute()) if source else old_source(read.values)
        self.registry = registry
        self.paths: Paths = paths_of(read.values, catalogue)
        self.vault = Vault(read.values)
        self.overlays: dict[str, _Overlay] = {}
        self.queues: list[dict[str, Any]] = []
        self.overrides: dict[str, dict[str, str]] = {}
        self.fates: dict[str, tuple[str, str]] = {}
        self.seen: dict[str, OldProgram] = {}
        self.settings: dict[str, Settings] = {}
        self.out = Draft()

    def run(self, settings: Iterable[tuple[str, Path]] = ()) -> Draft:
        """settings: (component, settings file)"""
        given = [(c, f) for c, f in settings if image_of(self.catalogue.get(c))]
        for c, f in (e for e in settings if e not in given):
            words = f"{c} has no image with code in the catalogue"
            self.out.findings.append(Finding(NONE, f.name, words, str(f)))
        self.settings, found = read_settings(given, self.read, self.catalogue, self.vault)
        self.out.findings += found
        for c, f in given:
            if file_name(f) in self.settings[c].files:
                places = (str(f.absolute()), f"etc/{f.name}")
                self.paths.settings |= dict.fromkeys(places, f"{PLACE}/{file_name(f)}")
        for program in self.read.programs:
            self._program(program)
        for timer in self.read.timers:
            self._timer(timer)
        keys = [self._key(f) for f in self.read.findings]
        self.out.findings = [*keys, *self.out.findings]
        for name, own in self.settings.items():
            self._settings(name, own)
        self._write()
        return self.out

    def tell(self, kind: str, subject: str, words: str, at: OldProgram | Timer) -> None:
        self.out.findings.append(Finding(kind, subject, words, at.file, at.line))

    def overlay(self, component: str) -> _Overlay:
        return self.overlays.setdefault(component, _Overlay())

    def _program(self, p: OldProgram) -> None:
        owner, rule = self.catalogue.get(p.component), program_rule(p)
        subject = f"{p.component}: program {p.name}"
        label = f"{p.component}: {p.name} "
        queues = [str(q.get("QUEUE_NAME")) for q in _entries(self.read.values.get("QUEUES"))]
        served = _NAMES.findall(p.command)
        first = self.seen.setdefault(label, p)
        if first is not p:
            equal = dataclasses.replace(p, file=first.file, line=first.line) == first
            words = (
                f"duplicate program: the one in {first.file}:{first.line} is used" + ", and the two are equal" * equal
            )
            self.tell(CHANGED if equal else NONE, subject, words, p)
            return
        if "none" in rule or p.trouble:
            words = rule.get("none") or f"no container can run it: {p.trouble}"
            self.fates[label] = (NONE, "part of a program that has no counterpart")
            self.tell(NONE, subject, words, p)
        elif workload := rule.get("workload") or self._same(p, owner):
            self._known(p, owner, workload, subject, label)
        elif owner.per_queue and len(served) == 1 and "," not in served[0]:
            name = served[0]
            words = f"{owner.per_queue}-{slug(name)} serves the queue; {_processes(p)} before"
            if name not in queues and all(q["QUEUE_NAME"] != name for q in self.queues):
                more = {"PROCESSES": p.count} if 1 < p.count <= 64 else {}
                entry = {
                    "QUEUE_NAME": name,
                    "INSTANCE_TYPES": [],
                    "GRACE_SECONDS": max(20, p.grace + STOP_MARGIN),
                    **more,
                }
                self.queues.append(entry)
                words = f"a new entry of QUEUES: {words}"
            self.fates[label] = (CHANGED, f"workers of {owner.name} have their own")
            self.tell(CHANGED, subject, words, p)
        elif not image_of(owner):
            self.fates[label] = (NONE, "part of a program that has no counterpart")
            self.tell(NONE, subject, f"{owner.name} has no image with code in the catalogue", p)
        else:
            self._new(p, owner, subject)

    def _same(self, p: OldProgram, owner: Component) -> str:
        """The shipped workload of that name or command, or ""."""
        command = [self.paths.map(w) for w in p.argv]
        self.paths.clear()
        for obj in (m for m in owner.manifests if m["kind"] in WORKLOADS):
            name = kube.name(obj)
            shipped = obj["spec"]["template"]["spec"]["containers"][0].get("command") or ()
            if name in (slug(p.name), f"{owner.name}-{slug(p.name)}") or command == [
                w for w in shipped if w != "sds-home"
            ]:
                return name
        return ""

    def _known(self, p: OldProgram, owner: Component, workload: str, subject: str, label: str) -> None:
        """A shipped workload runs it: variables that it lacks are laid over it."""
        self.fates[label] = (CHANGED, f"{workload} has its own")
        container = next(
            (m["spec"]["template"]["spec"]["containers"][0] for m in owner.manifests
             if m["kind"] in WORKLOADS and kube.name(m) == workload), None,
        )  # fmt: skip
        words = f"runs in {workload}; {_processes(p)} before"
        patched = self.overlay(owner.name).patched.setdefault(workload, {}) if container else {}
        env, computed = known_first([(n, self.paths.map(v)) for n, v in p.environment if not of_image(n)])
        have = {str(e["name"]): e.get("value") for e in container.get("env", ())} if container else {}
        shipped = _shipped_texts(owner)
        env = [(n, v) for n, v in env if n not in shipped]
        kept = [n for n, v in env if n in have and have[n] != v] + [n for n, _ in computed]
        for name, value in env if container else ():
            entry = self.vault.entry(owner.name, name, value)
            if name not in have and patched.setdefault(name, entry) != entry:
                kept.append(name)
        if patched:
            words += "; gets " + ", ".join(patched)
        if kept:
            words += f"; keeps its own values of {', '.join(sorted(set(kept)))}"
        self.paths.clear()
        served = [q for text in _NAMES.findall(p.command) for q in text.split(",")]
        self.out.queues[workload] = [*self.out.queues.get(workload, ()), *served]
        self.tell(CHANGED, subject, words, p)

    def _new(self, p: OldProgram, owner: Component, subject: str) -> None:
        made = []
        for i, (argv, environment) in enumerate(p.each or ((p.argv, p.environment),)):
            name = self._name(owner, p.name + (f"-{i}" if p.each else ""))
            env, command = self._start(owner, argv, environment)
            mapped = dataclasses.replace(p, directory=self.paths.map(p.directory))
            replicas = 1 if p.each else p.count
            self.overlay(owner.name).objects.append(deployment(owner, name, mapped, command, env, replicas))
            made.append(name)
            self.out.queues[name] = [q for text in _NAMES.findall(p.command) for q in text.split(",")]
        count = p.count if p.enabled else 0
        words = f"Deployment {made[0]}" + (f" to {made[-1]}" if len(made) > 1 else f", replicas: {count}")
        self.tell(CHANGED, subject, "; ".join([words, *self._needs(owner, p.argv, p)]), p)

    def _timer(self, t: Timer) -> None:
        owner = self.catalogue.get(t.component)
        subject = f"{t.component}: timer {t.name}"
        if not image_of(owner):
            self.tell(NONE, subject, f"{owner.name} has no image with code in the catalogue", t)
            return
        name = self._name(owner, t.name)
        argv = t.argv or ("/bin/sh", "-c", notation.literal(t.command))
        env, command = self._start(owner, argv, t.environment if t.argv else
                                   tuple((n, notation.literal(v)) for n, v in t.environment))  # fmt: skip
        self.overlay(owner.name).objects.append(cron_job(owner, name, t, command, env))
        words = f"CronJob {name}, {t.schedule}: the next run waits until this one has ended; "
        words += f"times are in the zone {t.zone}" if t.zone else "times are in the cluster's zone, usually UTC"
        self.tell(CHANGED, subject, "; ".join([words, *self._needs(owner, argv, t)]), t)

    def _name(self, owner: Component, name: str) -> str:
        """A name that neither the shipped component nor the import has."""
        taken = {kube.name(m) for m in owner.manifests} | self.overlay(owner.name).names
        base = slug(name if name.startswith(owner.name) else f"{owner.name}-{name}")
        found = next(n for i in range(1, 999) if (n := base + (f"-{i}" if i > 1 else "")) not in taken)
        self.overlay(owner.name).names.add(found)
        return found

    def _start(
        self, owner: Component, argv: Sequence[str], environment: Sequence[tuple[str, str]]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        simple, computed = known_first([(n, self.paths.map(v)) for n, v in environment if not of_image(n)])
        env = [self.vault.entry(owner.name, n, v) for n, v in simple]
        words = []
        for i, word in enumerate(argv):
            # a word that holds a secret of the configuration stands in no manifest
            if not notation.names(word) and self.vault.secret("", notation.plain(word)):
                env.append(self.vault.entry(owner.name, f"IMPORTED_ARGUMENT_{i}", self.paths.map(word)))
                word = f"$(IMPORTED_ARGUMENT_{i})"
            words.append(self.paths.map(word))
        return env, started(words, env, computed)

    def _needs(self, owner: Component, argv: Sequence[str], at: OldProgram | Timer) -> list[str]:
        """Words about what the image has to have; adds it."""
        words, overlay, image = [], self.overlay(owner.name), image_of(owner)
        lost = [n for n, _ in at.environment if of_image(n)]
        if lost:
            words.append(f"the image sets {', '.join(lost)}")
        words += [f"{old} is {new}" for old, new in self.paths.found.items()]
        for old, new in self.paths.own.items():
            words.append(self._own(image, old, new))
        for package in sorted(set(re.findall(r"/opt/sds/ops/([\w.-]+)", " ".join(self.paths.found.values())))):
            if package in (*owner.images[image].packages, *overlay.packages):
                continue
            if (Path(self.source) / package).is_dir():
                overlay.packages.append(package)
                words.append(f"the image gets the package {package}")
            else:
                self.tell(
                    NONE,
                    f"package {package}",
                    f"{self.source} does not contain it, and neither does the image {image}",
                    at,
                )
        for command in _commands(argv):
            if command in imported()["commands"] and command not in imported()["present"]:
                overlay.os_packages.add(imported()["commands"][command])
                words.append(f"the image gets the Debian package {imported()['commands'][command]}")
            elif command not in imported()["present"]:
                words.append(f"cannot check whether the image contains the command {command}")
        self.paths.clear()
        text = " ".join([*argv, *(v for _, v in at.environment)])
        if re.search(r"\blocalhost\b|\b127\.0\.0\.1\b", text):
            words.append("localhost is the pod itself: use the name of a Service")
        for address, keys in self.read.addresses().items():
            if re.search(rf"(?<![\w.-]){re.escape(address)}(?![\w-])", text):
                words.append(f"{address} is an old host ({', '.join(keys)}): use the name of a Service")
        return words

    def _own(self, image: str, old: str, new: str) -> str:
        path = Path(old)
        source = f"overrides/{image}/{new.rpartition('/opt/sds/site/')[2]}"
        try:
            if path.is_file() and path.stat().st_size <= LARGEST:
                self.out.files[source] = path.read_bytes()
                self.overrides.setdefault(image, {})[source] = new
                return f"{path.name} is added to the image"
        except OSError:
            pass
        return f"{path.name} is not on this host: put it into {source} and name it in overrides.yaml"

    def _settings(self, name: str, own: Settings) -> None:
        """Objects of a component's settings, and their place in each of its workloads."""
        owner, overlay = self.catalogue.get(name), self.overlay(name)
        sources: list[dict[str, Any]] = []
        volumes: dict[str, bool] = {}
        if own.variables:
            meta = {"name": f"{name}-settings-env"}
            overlay.objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": own.variables})
            sources.append({"configMapRef": meta})
        for variable, value in own.hidden.items():
            self.vault.keep(f"{name}-settings-env", variable, value)
        if own.hidden:
            sources.append({"secretRef": {"name": f"{name}-settings-env"}})
        for file, (template, secret, raw) in own.files.items():
            into = f"{name}-settings-{'secret' if secret else 'files'}"
            place = f"settings/{name}/{file}"
            self.out.files[f"files/{place}"] = template.encode()
            overlay.config.append({"into": into, "file": file, "template": place, "secret": secret, "raw": raw})
            volumes[into] = secret
        self.out.environment[name] = {**own.variables, **own.hidden}
        change: dict[str, Any] = {"envFrom": sources} if sources else {}
        volume: dict[str, Any] = {}
        if volumes:
            change["volumeMounts"] = [{"name": "settings", "mountPath": PLACE, "readOnly": True}]
            held = [{"secret" if s else "configMap": {"name": n}} for n, s in volumes.items()]
            volume = {"name": "settings", "projected": {"defaultMode": 0o440, "sources": held}}
        if not change:
            return
        for obj in overlay.objects:
            pod = kube.pod_spec(obj)
            if pod:
                first = pod["containers"][0]
                for key, value in change.items():
                    first[key] = [*first.get(key, ()), *value]
                pod["volumes"] += [volume] if volume else []
        for shipped in (m for m in owner.manifests if m["kind"] in WORKLOADS):
            first = kube.main_containers(shipped)[0]
            if first["image"] == f"sds/{image_of(owner)}":
                spec: dict[str, Any] = {"containers": [{"name": first["name"], **change}]}
                overlay.laid[kube.name(shipped)] = spec | ({"volumes": [volume]} if volume else {})

    def _key(self, f: Finding) -> Finding:
        """The fate of a program's key follows the program's."""
        for label, (kind, words) in self.fates.items():
            key = f.key.removeprefix(label)
            if key != f.key and (f.level == TAKEN if kind == NONE else f.level != NONE and key in _OWN):
                return dataclasses.replace(f, level=kind, words=words)
        return f

    def _write(self) -> None:
        files, home = self.out.files, self.read.home
        for path in sorted((home / "files").rglob("*")) if (home / "files").is_dir() else ():
            if path.is_file():
                files[f"files/{path.relative_to(home / 'files')}"] = path.read_bytes()
        files["config"] = extended(home / "config", self.vault.new, self.queues)
        folders = {name for name, overlay in self.overlays.items() if self._component(name, overlay)}
        site: dict[str, Any] = {"source": self.source}
        if self.registry:
            site["registry"] = self.registry
        if folders:
            site["manifests"] = ["manifests"]
        external = {c.name: {"where": "external"} for c in self.catalogue.ordered() if self._outside(c)}
        if external:
            site["components"] = external
        files["site.yaml"] = _yaml([site])
        if self.overrides:
            files["overrides.yaml"] = _yaml([{image: {"extension": e} for image, e in self.overrides.items()}])

    def _component(self, name: str, overlay: _Overlay) -> bool:
        owner = self.catalogue.get(name)
        data: dict[str, Any] = {"name": name, "extends": True}
        image = image_of(owner)
        change: dict[str, Any] = {}
        if overlay.packages:
            change["packages"] = [*owner.images[image].packages, *overlay.packages]
        if overlay.os_packages:
            have = owner.images[image].args.get("OS_PACKAGES", "").split()
            change["args"] = {"OS_PACKAGES": " ".join(sorted({*have, *overlay.os_packages}))}
        if change:
            data["images"] = {image: change}
        secrets = {s: k for s, k in self.vault.made.items() if s in (f"{name}-imported", f"{name}-settings-env")}
        if secrets:
            data["secrets"] = [{"name": secret, "keys": keys} for secret, keys in secrets.items()]
        if overlay.config:
            data["config"] = overlay.config
        changed = [w for w, env in overlay.patched.items() if env] + [
            w for w in overlay.laid if w not in overlay.patched
        ]
        changed += [w for w in overlay.laid if w in overlay.patched and not overlay.patched[w]]
        patches = [_patch(owner, w, overlay.patched.get(w, {}), overlay.laid.get(w, {})) for w in changed]
        objects = [*overlay.objects, *patches]
        if len(data) > 2 or objects:
            self.out.files[f"manifests/{name}/component.yaml"] = _yaml([data])
        if objects:
            self.out.files[f"manifests/{name}/imported.yaml"] = _yaml(objects)
        return len(data) > 2 or bool(objects)

    def _outside(self, component: Component) -> bool:
        """A store whose addresses are all URLs or lists of hosts: it is not of this system."""
        values = [v for key in component.addresses if (v := self.read.values.get(key))]
        return component.store and bool(values) and all(isinstance(v, list) or "://" in str(v) for v in values)


def _entries(value: object) -> list[dict[str, Any]]:
    return [q for q in value if isinstance(q, dict)] if isinstance(value, list) else []


def _shipped_texts(owner: Component) -> str:
    """The program lists that come with the component: what they name is theirs."""
    places = [Path(f) / e.template for e in owner.config if e.rule == "catalogue" for f in owner.folders]
    return "".join(p.read_text() for p in places if p.is_file())


def _processes(p: OldProgram) -> str:
    return f"{p.count} process{'es' * (p.count != 1)}"


def _commands(argv: Sequence[str]) -> Iterable[str]:
    """Names of the programs that a command starts, as far as its text tells."""
    line = argv[2] if len(argv) > 2 and argv[1] == "-c" else argv[0] if argv else ""
    for part in re.split(r"[;&|`\n]+|\$\$?\(", line):
        words = [w for w in part.split() if not re.match(r"\w+=|-|\d", w)]
        rest = [w for w in words if w not in ("exec", "nice", "time", "timeout", "sudo", "if", "then", "do", "(")]
        if rest and (rest[0].startswith(("/usr/bin/", "/bin/")) or "/" not in rest[0]):
            yield rest[0].rpartition("/")[2]


def _patch(
    owner: Component, workload: str, env: Mapping[str, dict[str, Any]], laid: Mapping[str, Any]
) -> dict[str, Any]:
    obj = next(m for m in owner.manifests if kube.name(m) == workload and m["kind"] in WORKLOADS)
    spec: dict[str, Any] = {"containers": [{}], **laid}
    container = {"name": kube.main_containers(obj)[0]["name"], **spec["containers"][0]}
    if env:
        container["env"] = list(env.values())
    spec["containers"] = [container]
    return {
        "apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": {"name": workload},
        "spec": {"template": {"spec": spec}},
    }  # fmt: skip


def _yaml(documents: Sequence[Any]) -> bytes:
    head = "# Written by `sdsk8s migrate import`; yours to change.\n"
    text: str = yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True)
    return (head + text).encode()
