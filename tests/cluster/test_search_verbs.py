"""pkg, rules and job list: against the system's own search engine, through our port-forward."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import System, as_published, eventually

from sdsk8s.backends.http import Search
from sdsk8s.backends.kubernetes.forward import forward
from sdsk8s.backends.kubernetes.kubeconfig import connect

SPEC = {"id": "job-t:1", "container": "t:1", "dependency_images": []}
INPUT = {"id": "io-t:1", "job-specification": "job-t:1", "component": "tosca", "allowed_accounts": ["me"]}


@pytest.fixture(scope="module")
def engine(system: System) -> Iterator[Search]:
    cluster = connect(None, system.lab.kubeconfig, system.namespace)
    with forward(cluster, "elasticsearch", 9200) as address:
        yield Search(f"http://{address}")


def test_large_answers_and_many_connections_pass_the_forward(engine: Search) -> None:
    for i in range(40):
        engine.send("PUT", f"/t-forward/_doc/{i}", {"text": f"{i}" * 20_000})
    engine.send("POST", "/t-forward/_refresh")
    found = dict(engine.all("t-forward"))
    assert len(found) == 40 and all(doc["text"] == doc_id * 20_000 for doc_id, doc in found.items())
    engine.send("DELETE", "/t-forward")
    assert list(engine.all("t-forward")) == [], "an index that is not there has no documents"


def test_a_package_goes_out_away_and_in_again(system: System, engine: Search, tmp_path: Path) -> None:
    engine.put("containers", "t:1", {"id": "t:1", "version": "1"})
    engine.put("job_specs", SPEC["id"], SPEC)
    engine.put("hysds_ios-grq", INPUT["id"], INPUT)
    assert "t:1" in system.sds("pkg", "ls").out.split()
    made = system.sds("pkg", "export", "t:1", "-o", str(tmp_path)).out.strip()
    assert made == f"{tmp_path}/t-1.sdspkg.tar"
    assert system.sds("pkg", "export", "t:1", "-o", str(tmp_path), ok=False).code == 1, "it already exists"
    system.sds("pkg", "rm", "t:1")
    assert engine.get("containers", "t:1") is None and engine.get("hysds_ios-grq", INPUT["id"]) is None
    done = system.sds("pkg", "export", "t:1", "-o", str(tmp_path / "x"), ok=False)
    assert done.code in (1, 2) and "no container named" in done.err
    (system.home / "config").read_text()
    done = system.sds("pkg", "import", made)
    assert "1 job specs, 1 inputs" in done.out
    assert engine.get("job_specs", SPEC["id"]) == SPEC
    stored = engine.get("hysds_ios-grq", INPUT["id"])
    assert stored == {k: v for k, v in INPUT.items() if k != "allowed_accounts"}
    system.sds("pkg", "rm", "t:1")


def test_rules_twice_are_once(system: System, engine: Search, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    rule = {"rule_name": "t-rule", "query_string": "{}", "enabled": False}
    file.write_text(json.dumps({"mozart": [rule], "grq": []}))
    assert "1 new, 0 replaced" in system.sds("rules", "import", str(file)).out
    assert "0 new, 1 replaced" in system.sds("rules", "import", str(file)).out
    out = tmp_path / "new" / "folder" / "out.json"
    system.sds("rules", "export", "-o", str(out))
    mine = [r for r in json.loads(out.read_text())["mozart"] if r.get("rule_name") == "t-rule"]
    assert len(mine) == 1 and mine[0]["enabled"] is False
    for doc_id, doc in engine.all("user_rules-mozart"):
        if doc.get("rule_name") == "t-rule":
            engine.delete("user_rules-mozart", doc_id)


def test_jobs_are_listed_by_status(system: System) -> None:
    system.smoke()
    jobs = eventually(
        lambda: as_published("job-list", system.sds("job", "list", "completed", "-o", "json").json)["jobs"]
    )
    assert all(j["status"] == "job-completed" and j["id"] for j in jobs)
    table = system.sds("job", "list", "job-completed").out.splitlines()
    assert table[0].split() == ["TIME", "STATUS", "ID", "NAME", "QUEUE"] and jobs[0]["id"] in "\n".join(table)
    done = system.sds("job", "list", "complted", ok=False)
    assert done.code in (1, 2) and 'did you mean "completed"?' in done.err
