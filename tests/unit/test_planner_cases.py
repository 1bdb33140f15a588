"""The planner against data: verb, site and live state in, steps out. Cases are tests/cases/planner/*.yaml."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from sdsk8s.errors import RefusedError, SdsError
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import component_from_dict
from sdsk8s.model.names import APPLIED, COMPONENT, REPLICAS
from sdsk8s.model.observed import Observed
from sdsk8s.model.site import Site
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.prune import plan_prune
from sdsk8s.planner.scale import plan_scale
from sdsk8s.planner.steps import Group, Node, Plan
from sdsk8s.render.objects import namespace_object, render

CASES = sorted((Path(__file__).parent.parent / "cases" / "planner").glob("*.yaml"))
SITE = Site(home="/site", registry="reg:5000", config={"PASSWORD_X": "hunter22"})


def load(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.stem}: {c['case']}", c) for c in yaml.safe_load(path.read_text())]


ALL = [case for path in CASES for case in load(path)]


def workload(
    name: str, replicas: int = 1, kind: str = "Deployment", image: str = "sds/app", config: str = ""
) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "main", "image": image}]}
    if config:
        spec["volumes"] = [{"name": "etc", "configMap": {"name": config}}]
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    selector = {"matchLabels": {"app": name}}
    return {
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def catalogue(case: dict[str, Any]) -> Catalogue:
    found = {}
    for name, c in case["components"].items():
        manifests = [workload(n, **(w or {})) for n, w in (c.get("workloads") or {}).items()]
        if c.get("job"):
            manifests.append(
                {
                    "kind": "Job",
                    "metadata": {"name": c["job"]},
                    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "sds/app"}]}}},
                }
            )
        data = {
            "name": name,
            "needs": c.get("needs", []),
            "store": c.get("store", False),
            "reset": c.get("reset", []),
            "images": {"app": {"dockerfile": "service"}},
            "config": [{"file": "f", "into": c["config"], "template": "f"}] if c.get("config") else [],
        }
        found[name] = component_from_dict(data, f"/cat/{name}/component.yaml", tuple(manifests))
    return Catalogue(found)


def wanted(case: dict[str, Any], names: list[str], cat: Catalogue) -> list[Desired]:
    text = case.get("template", "text")
    image = case.get("image", "reg:5000/sds/app:t1")
    out = []
    for n in names:
        c = cat.components[n]
        texts = {(n, e.into, e.file): text for e in c.config}
        out.append(Desired(c, tuple(render(SITE, cat, c, texts, {"app": image})), {"app": image}))
    return out


def live(case: dict[str, Any], cat: Catalogue) -> Observed:
    """Objects as an earlier run left them (`applied: true` = same content), with the replicas the case states."""
    objects: dict[str, dict[str, Any]] = {"Namespace": {"sds": {"metadata": {"name": "sds"}}}}
    state = case.get("live") or {}
    before = {**case, **(case.get("before") or {})}
    for w in wanted(before, [n for n in cat.components if n in state], cat):
        for obj in w.objects:
            name = obj["metadata"]["name"]
            entry = {**obj, "metadata": {**obj["metadata"], "generation": 1}}
            if obj["kind"] in ("Deployment", "StatefulSet"):
                facts = state[w.component.name] or {}
                n = facts.get("replicas", 1)
                entry["spec"] = {**obj["spec"], "replicas": n}
                ready = facts.get("ready", n)
                entry["status"] = {
                    "readyReplicas": ready,
                    "availableReplicas": ready,
                    "updatedReplicas": n,
                    "observedGeneration": 1,
                }
                if "recorded" in facts:
                    entry["metadata"]["annotations"] = {
                        **entry["metadata"]["annotations"],
                        REPLICAS: str(facts["recorded"]),
                    }
                for i in range(n):
                    objects.setdefault("Pod", {})[f"{name}-{i}"] = {
                        "metadata": {"name": f"{name}-{i}", "labels": {COMPONENT: w.component.name}},
                        "status": {"phase": "Running"},
                    }
            objects.setdefault(obj["kind"], {})[name] = entry
    if not state and case.get("fresh", True):
        objects = {}
    return Observed(objects=objects, digests=case.get("digests", {"reg:5000/sds/app:t1": "sha256:1"}))


def outline(node: Node, depth: int = 0) -> list[str]:
    pad = "  " * depth
    if isinstance(node, Group):
        mark = " ||" if node.parallel and len(node.children) > 1 else ""
        return [f"{pad}{node.title}{mark}", *(line for c in node.children for line in outline(c, depth + 1))]
    return [pad + node.title()]


def make(case: dict[str, Any]) -> Plan:
    """The plan of `plan_VERB` in sdsk8s/planner/VERB.py, whose parameters are given by their names."""
    cat = catalogue(case)
    chosen = [cat.components[n] for n in case["target"]]
    now = live(case, cat)

    def levels(names: list[str]) -> list[list[Desired]]:
        by = {w.component.name: w for w in wanted(case, names, cat)}
        return [[by[c.name] for c in level] for level in cat.levels([cat.components[n] for n in names])]

    stores = [c.name for c in cat.stores_of(chosen) if c.name not in case["target"]]
    site = [n for n in cat.components if n not in case.get("undeclared", [])]
    below = {
        "start": {"levels": lambda: levels([*stores, *case["target"]])},
        "reset": {"stores": lambda: levels(stores)},
        "update": {"stores": lambda: wanted(case, [n for n in stores if n in (case.get("live") or {})], cat)},
    }
    values: dict[str, Any] = {
        "target": lambda: ",".join(case["target"]),
        "components": lambda: cat.levels(chosen),
        "component": lambda: chosen[0],
        "levels": lambda: levels(case["target"]),
        "live": lambda: now,
        "space": lambda: namespace_object(SITE),
        "namespace": lambda: "sds",
        "workload": lambda: case.get("workload", ""),
        "config_only": lambda: case.get("config_only", False),
        "replicas": lambda: case["replicas"],
        "names": lambda: site,
        "declared": lambda: {
            (o["kind"], o["metadata"]["name"])
            for w in wanted(case, site, cat)
            for o in w.objects
            if o["metadata"]["name"] not in case.get("removed", [])
        },
        **below.get(case["verb"], {}),
    }
    plan: Callable[..., Plan] = getattr(import_module(f"sdsk8s.planner.{case['verb']}"), f"plan_{case['verb']}")
    return plan(**{name: values[name]() for name in inspect.signature(plan).parameters})


@pytest.mark.parametrize("case", [c for _, c in ALL], ids=[n for n, _ in ALL])
def test_case(case: dict[str, Any]) -> None:
    plan = make(case)
    lines = [line for child in plan.root.children for line in outline(child)]
    lines = [line.replace(HASH(line), "HASH") if HASH(line) else line for line in lines]
    assert lines == (case.get("plan") or [])
    for note in case.get("notes", []):
        assert note in plan.notes
    assert all(step.by_hand("sds") and step.undo() for step in plan.steps())


def HASH(line: str) -> str:
    """The content hash at the end of a Job's name, which a case file cannot know."""
    import re

    found = re.search(r"(?<=-)[0-9a-f]{8}\b", line)
    return found.group() if found else ""


def test_rendered_objects_carry_their_hash() -> None:
    case = {"components": {"a": {"workloads": {"a-api": None}}}}
    obj = wanted(case, ["a"], catalogue(case))[0].objects[0]
    assert len(obj["metadata"]["annotations"][APPLIED]) == 16


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workload": ""}, "a/a-api, a/a-work"),
        ({"workload": "a-wrk"}, 'did you mean "a-work"'),
        ({"target": ["q"]}, "a store"),
        ({"live": {}}, "not deployed"),
    ],
)
def test_what_cannot_be_scaled(change: dict[str, Any], words: str) -> None:
    case = {
        "verb": "scale", "replicas": 2, "workload": "a-work", "target": ["a"], "live": {"a": {}, "q": {}},
        "components": {"a": {"workloads": {"a-api": None, "a-work": None}},
                       "q": {"store": True, "workloads": {"q": {"kind": "StatefulSet"}}}}, **change,
    }  # fmt: skip
    with pytest.raises(SdsError) as err:
        make(case)
    assert words in str(err.value)


@pytest.mark.parametrize(
    ("scaler", "notes", "replicas", "refused"),
    [
        ("HorizontalPodAutoscaler", {}, 2, True),
        ("HorizontalPodAutoscaler", {}, 0, False),  # autoscaling is off at 0
        ("ScaledObject", {}, 0, True),
        ("ScaledObject", {"autoscaling.keda.sh/paused": "true"}, 2, False),
        ("ScaledObject", {"autoscaling.keda.sh/paused-replicas": "2"}, 2, False),
        ("ScaledObject", {"autoscaling.keda.sh/paused-replicas": "5"}, 2, True),
    ],
)
def test_an_autoscaler_that_would_undo_a_number(
    scaler: str, notes: dict[str, str], replicas: int, refused: bool
) -> None:
    case = {"components": {"a": {"workloads": {"a-api": None}}}, "live": {"a": {}}}
    cat = catalogue(case)
    obj = {"metadata": {"name": "s", "annotations": notes}, "spec": {"scaleTargetRef": {"name": "a-api"}}}
    if scaler != "ScaledObject":
        obj["spec"]["scaleTargetRef"]["kind"] = "Deployment"
    now = live(case, cat)
    now = dataclasses.replace(now, objects={**now.objects, scaler: {"s": obj}})
    with pytest.raises(RefusedError, match=f"{scaler}/s") if refused else nullcontext():
        plan_scale(cat.components["a"], "", replicas, now, "sds")


@pytest.mark.parametrize("policy", ["whenDeleted", "whenScaled"])
def test_a_set_that_takes_its_claims_along_is_not_pruned(policy: str) -> None:
    spec = {"replicas": 1, "persistentVolumeClaimRetentionPolicy": {policy: "Delete"}, "volumeClaimTemplates": [{}]}
    obj = {"kind": "StatefulSet", "metadata": {"name": "q", "labels": {COMPONENT: "old"}}, "spec": spec}
    plan = plan_prune("x", set(), [], Observed(objects={"StatefulSet": {"q": obj}}), "sds")
    (note,) = plan.notes
    assert plan.empty and "would delete its PersistentVolumeClaims" in note
