"""`sds fab`: a legacy Fabric file on pods, by the API server alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import System

FILE = """
from fabric.api import cd, env, execute, get, hide, local, parallel, prefix, put, roles, run, settings, sudo, task
from fabric.contrib.files import append, exists, upload_template
from sdscli.adapters.hysds.fabfile import mkdir, resolve_role, rm_rf, send_template, supervisorctl_status


def legacy():
    '''What a site's own task did on a host, unchanged.'''
    role, home, host = resolve_role()
    with prefix('source ~/%s/bin/activate' % home):
        rm_rf('/tmp/fab')
        mkdir('/tmp/fab/etc', 'ops', 'ops')
        send_template('note.tmpl', '/tmp/fab/etc/note')
        with cd('/tmp/fab'):
            put(env.real_fabfile, 'etc/', mode='0600')
            append('etc/note', 'a line')
            append('etc/note', 'a line')
            assert exists('etc/cluster.py') and not exists('etc/none')
            said = run('cat etc/note; stat -c %a etc/cluster.py; python3 -c "import celery; print(celery.__name__)"')
            print('NOTE ' + said)
        get('/tmp/fab/etc', 'fetched/%(host)s')
    rm_rf('/tmp/fab')


@parallel
def who():
    print('POD %s %s' % (env.host_string, run('hostname')))


def root():
    sudo('id')


def code():
    put(env.real_fabfile, '/opt/sds/ops/intruder.py')


def programs():
    supervisorctl_status()


def fails_on_one():
    run('case $(hostname) in grq-*) exit 3;; esac')
"""

AUDIT = """
import json, os, sys
def hook(event, args):
    if event == 'socket.connect' and isinstance(args[1], tuple):
        with open(os.environ['SDS_CONNECTS'], 'a') as out:
            out.write(json.dumps([str(args[1][0]), args[1][1]]) + chr(10))
sys.addaudithook(hook)
"""


@pytest.fixture(scope="module")
def site(system: System, tmp_path_factory: pytest.TempPathFactory) -> System:
    """The system's own site with a cluster.py; its folder is left as it was."""
    folder = tmp_path_factory.mktemp("fab")
    home = folder / "sds"
    home.mkdir()
    for name in ("config", "site.yaml", "files"):
        (home / name).symlink_to(system.home / name)
    (home / "cluster.py").write_text(FILE)
    (folder / "sitecustomize.py").write_text(AUDIT)
    env = {
        **system.env, "SDS_HOME": str(home), "PYTHONPATH": str(folder), "SDS_CONNECTS": str(folder / "connects"),
    }  # fmt: skip
    return System(system.lab, home, system.tree, system.namespace, env)


def connects(site: System) -> list[Any]:
    return [json.loads(line) for line in Path(site.env["SDS_CONNECTS"]).read_text().splitlines()]


def test_a_legacy_task_runs_unchanged_in_a_pod_without_ssh(site: System, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "note.tmpl").write_text("on {{ HOST_STRING }} of {{ VENUE }}\n")
    file = tmp_path / "cluster.py"
    file.write_text(
        FILE.replace("send_template('note.tmpl', ", f"send_template('note.tmpl', tmpl_dir='{tmp_path}/files', dest=")
    )
    done = site.sds("fab", "-f", str(file), "-R", "grq/grq-api", "--set", "lcwd=" + str(tmp_path), "legacy")
    pods = [p["metadata"]["name"] for p in site.pods("app.kubernetes.io/name=grq-api")]
    notes = dict(re.findall(r"^NOTE on (\S+) of \S+\n(a line\n600\ncelery)$", done.out, re.M))
    assert set(notes) == set(pods), done.out
    pod = pods[0]
    fetched = tmp_path / "fetched" / pod
    assert next(fetched.rglob("note")).read_text().startswith(f"on {pod}")
    assert next(fetched.rglob("cluster.py")).read_text() == file.read_text()
    made = connects(site)
    assert made and not [c for c in made if c[1] == 22], made


def test_a_role_is_every_ready_pod_of_its_component_at_once(site: System) -> None:
    done = site.sds("fab", "-R", "mozart", "who")
    said = {line.split()[1]: line.split()[2] for line in done.out.splitlines() if line.startswith("POD ")}
    wanted = {p["metadata"]["name"] for p in site.pods("sdsk8s/component=mozart")}
    assert set(said) == wanted and all(host == name for name, host in said.items())


def test_roles_of_the_legacy_tool_mean_the_stores(site: System) -> None:
    done = site.sds("fab", "-R", "mozart-redis", "who")
    assert "POD redis-0 redis-0" in done.out


def test_an_address_of_the_configuration_means_the_pods(site: System) -> None:
    address = next(
        line.split(":", 1)[1].strip() for line in (site.home / "config").read_text().splitlines()
        if line.startswith("GRQ_PVT_IP:")
    )  # fmt: skip
    done = site.sds("fab", "-H", f"ops@{address}", "who")
    assert "POD grq-" in done.out


def test_what_has_no_meaning_in_a_pod_is_refused_with_the_alternative(site: System) -> None:
    done = site.sds("fab", "-R", "grq", "root", ok=False)
    assert done.code == 1 and "no other users" in done.err and "OS_PACKAGES" in done.err
    done = site.sds("fab", "-R", "grq/grq-api", "code", ok=False)
    assert done.code == 1 and "Read-only file system" in done.err and "sds update" in done.err


def test_programs_of_a_supervised_pod(site: System) -> None:
    done = site.sds("fab", "-R", "factotum", "programs")
    assert "RUNNING" in done.out


def test_one_failing_host_ends_with_one_and_is_named(site: System) -> None:
    done = site.sds("fab", "-P", "-R", "grq,redis", "fails_on_one", ok=False)
    assert done.code == 1 and "failed on" in done.err and "grq-" in done.err
    assert "redis-0] run:" in done.out
