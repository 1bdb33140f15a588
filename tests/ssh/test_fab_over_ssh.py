"""`sds fab`: a role that still lives on a machine is reached over a real sshd."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from machines import BIN, Machine, machine  # noqa: F401

FILE = """
from fabric.api import *
from fabric.contrib.files import append, exists, upload_template, contains, sed, comment
from fabric.contrib.project import rsync_project
from fabric.colors import red
from sdscli.adapters.hysds.fabfile import rm_rf, resolve_role, supervisorctl_status


def where_am_i():
    print('role %s home %s host %s' % resolve_role())
    run('whoami')


def work(folder):
    with cd(folder), settings(hide('running')):
        run('echo one > a.txt')
        assert exists('a.txt') and not exists('b*') and exists('a*')
        append('a.txt', ['two', 'one'])
        assert run('cat a.txt') == 'one\\ntwo', run('cat a.txt')
        sed('a.txt', 'tw(o)', 'TW\\\\1')
        comment('a.txt', '^one')
        assert contains('a.txt', '#one', exact=True), run('cat a.txt')
        upload_template('note.txt', 'note', context={'who': 'ops'}, use_jinja=True, template_dir=env.notes)
        put(env.notes + '/note.txt', 'plain/', mode=0o600) if exists('plain') else run('mkdir plain')
        put(env.notes + '/note.txt', 'plain/', mode=0o600)
        assert run('stat -c %a plain/note.txt') == '600'
    get(folder + '/note', env.notes + '/back')
    assert open(env.notes + '/back').read() == 'for ops'
    rsync_project(folder + '/tree', local_dir=env.notes + '/', delete=True)
    assert exists(folder + '/tree/note.txt')
    rm_rf(folder + '/tree')
    assert not exists(folder + '/tree')


def fails():
    with settings(warn_only=True):
        result = run('echo out; echo err >&2; exit 3')
        assert result.failed and result.return_code == 3 and result.stderr == 'err', result.stderr
    run('exit 4')


def programs():
    supervisorctl_status()
"""


@pytest.fixture
def site(machine: Machine, tmp_path: Path) -> Path:
    (tmp_path / "config").write_text(
        f"METRICS_PVT_IP: {machine.address}\nKEY_FILENAME: {machine.key}\nOPS_HOME: {machine.home}\n"
    )
    (tmp_path / "site.yaml").write_text("components: {metrics: {where: ssh}, grq: {where: external}}\n")
    (tmp_path / "known_hosts").write_text(machine.known_hosts.read_text())
    (tmp_path / "cluster.py").write_text(FILE)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("for {{ who }}")
    return tmp_path


def fab(site: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDS_HOME": str(site), "KUBECONFIG": str(site / "none"), "HOME": str(site)}
    command = [str(BIN / "sds"), "fab", "--set", f"notes={site}/notes", *argv]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_role_on_a_machine_is_its_address(site: Path, machine: Machine) -> None:
    done = fab(site, "-R", "metrics", "where_am_i")
    assert done.returncode == 0, done.stderr
    assert f"role metrics home metrics host {machine.address.rpartition('@')[2]}" in done.stdout
    assert f"[{machine.address}] out: " in done.stdout


def test_files_and_commands_of_a_legacy_task(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "far"
    folder.mkdir()
    done = fab(site, "-R", "metrics", f"work:{folder}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "a.txt.bak").exists() and (folder / "note").read_text() == "for ops"


def test_a_failing_command_ends_the_run_with_one(site: Path) -> None:
    done = fab(site, "-R", "metrics", "fails", "where_am_i")
    assert done.returncode == 1
    assert "received nonzero return code 4" in done.stderr and "Warning: run() received" in done.stderr
    assert "role metrics" not in done.stdout, "the next task must not run"


def test_programs_of_a_machine(site: Path) -> None:
    done = fab(site, "-R", "metrics", "programs")
    assert "writer" in done.stdout and "RUNNING" in done.stdout


def test_roles_that_are_nowhere_are_refused(site: Path) -> None:
    assert "where: external" in fab(site, "-R", "grq", "where_am_i").stderr
    done = fab(site, "-R", "mtrics", "where_am_i")
    assert done.returncode == 1 or done.returncode == 2
    assert 'did you mean "metrics"?' in done.stderr
