"""The tasks that a legacy cluster.py star-imports. Names and arguments are the legacy tool's.

What runs on one host runs on the current pod or machine; what starts, stops, updates or ships is the verb of today,
once, wherever the task is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from legacy_shim import dispatch
from legacy_shim.fab.contrib import exists, upload_template
from legacy_shim.fab.hosts import Hosts
from legacy_shim.fab.operations import Result, put, run, sudo, target
from legacy_shim.fab.state import cd, env, hide, settings
from legacy_shim.reader import read
from sdsk8s.errors import ConfigError, SdsError
from sdsk8s.migrate.fabric_verdicts import refused, table
from sdsk8s.model.supervisord import POD_CONFIG, POD_SOCKET, host_supervisorctl, supervisorctl
from sdsk8s.site.legacy import old_home


def host_type() -> Result:
    """The operating system's name."""
    return run("uname -s")


def fqdn() -> Result:
    """The full name of the host; in a pod, of the pod."""
    return run("hostname --fqdn 2>/dev/null || hostname")


def get_ram_size_bytes() -> Result:
    """Memory in bytes; in a pod, its limit where it has one."""
    line = (
        "m=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null);"
        " t=$(awk '/^MemTotal/ {print $2 * 1024}' /proc/meminfo);"
        ' case "$m" in ""|max) echo "$t";; *) [ ${#m} -lt 16 ] && echo "$m" || echo "$t";; esac'
    )
    return run(line)


def ps_x() -> Result:
    """Processes."""
    return run("ps x 2>/dev/null || for p in /proc/[0-9]*; do echo \"${p#/proc/} $(tr '\\0' ' ' < $p/cmdline)\"; done")


def df_hv() -> Result:
    """Free space."""
    return run("df -h")


def echo(s: str) -> Result:
    """Print a text there."""
    return run(f'echo "{s}"')


def copy(src: str, dest: str) -> Any:
    """Send a file."""
    return put(src, dest)


def ln_sf(src: str, dest: str) -> Result:
    """Make a link at dest that points to src; a file or link at dest is deleted first."""
    rm_rf(dest)
    with cd(os.path.dirname(dest) or "."):
        return run(f"ln -sf {src} {os.path.basename(dest)}")


def cp_rp(src: str, dest: str) -> Result:
    """Copy a tree there."""
    return run(f"cp -rp {src} {dest}")


def cp_rp_exists(src: str, dest: str) -> Result | None:
    """Copy a tree there, if there is one."""
    return cp_rp(src, dest) if exists(src) else None


def rm_rf(path: str) -> Result:
    """Delete a tree."""
    return run(f"rm -rf {path}")


def ls(path: str) -> Result:
    return run(f"ls -al {path}")


def cat(path: str) -> Result:
    return run(f"cat {path}")


def tail(path: str) -> Result:
    return run(f"tail {path}")


def grep(grep_str: str, dir_path: str) -> Result:
    """Search a tree; no match is not a failure."""
    with settings(hide("warnings"), warn_only=True):
        return run(f"grep -r {grep_str} {dir_path}")


def chmod(perms: str, path: str) -> Result:
    return run(f"chmod -R {perms} {path}")


def mkdir(d: str, o: Any = None, g: Any = None) -> Result:
    """A folder. The owner was never set by the legacy tool either."""
    return run(f"mkdir -p {d}")


def untar(tarfile: str, chdir: str) -> Result:
    with cd(chdir):
        return run(f"tar xvfj {tarfile}")


def untar_gz(cwd: str, tar_file: str) -> Result:
    with cd(cwd):
        return run(f"tar xvfz {tar_file}")


def untar_bz(cwd: str, tar_file: str) -> Result:
    return untar(tar_file, cwd)


def mv(src: str, dest: str) -> Result:
    """Move; as root on machines, as the pod's user in pods."""
    line = f"mv -f {src} {dest}"
    return run(line) if target().pod else sudo(line)


def systemctl(cmd: str, service: str) -> Result:
    """Machines only."""
    with settings(hide("everything"), warn_only=True):
        return sudo(f"systemctl {cmd} {service}")


def create_zip(zip_dir: str, zip_file: str) -> Result:
    rm_rf(zip_file)
    with cd(zip_dir):
        return run(f"zip -r -9 {zip_file} *")


# -- templates and configuration ---------------------------------------------------------------------------------------


def get_context(node_type: str | None = None) -> dict[str, Any]:
    """The site's configuration as templates see it. Addresses stay as configured: the reader's place is not known."""
    hosts: Hosts = env.sds_hosts
    values = deepcopy(dict(hosts.session.site.config))
    values["HOST_STRING"] = env.host_string
    groups = values.get("LDAP_GROUPS")
    values["LDAP_GROUPS"] = [g.strip() for g in str(groups).split(",")] if groups else []
    for key in ("MOZART_REDIS_PASSWORD", "METRICS_REDIS_PASSWORD"):
        values[key] = values.get(key) or ""
    return values


def get_user_files_path() -> str:
    """Folder of the site's own templates."""
    hosts: Hosts = env.sds_hosts
    return str(hosts.session.home / "files")


def get_user_config_path() -> str:
    """The site's configuration file."""
    hosts: Hosts = env.sds_hosts
    return str(hosts.session.home / "config")


def resolve_files_dir(fname: str, files_dir: str) -> str:
    """The site's folder of templates when it has that file, else files_dir."""
    own = get_user_files_path()
    return own if os.path.exists(os.path.join(own, fname)) else files_dir


def resolve_role() -> tuple[str, str, str]:
    """(role, folder of the component below OPS_HOME, host name) of the current host."""
    hosts: Hosts = env.sds_hosts
    roles = list(env.effective_roles)
    if not roles:
        raise SdsError("the current host has no role", target=str(env.host_string), next="sds fab -R ROLE TASK")
    component = hosts.component_of(roles[0])
    home = component.ssh.home if component.ssh else component.name
    return roles[0], home, str(env.host_string).rpartition("@")[2]


def send_template(tmpl: str, dest: str, tmpl_dir: str | None = None, node_type: str | None = None) -> Any:
    """Fill in a template of the site and send it."""
    folder = os.path.expanduser(tmpl_dir) if tmpl_dir else get_user_files_path()
    return upload_template(tmpl, dest, use_jinja=True, context=get_context(node_type), template_dir=folder)


def send_template_user_override(tmpl: str, dest: str, tmpl_dir: str | None = None, node_type: str | None = None) -> Any:
    """The same; a file of that name among the site's own wins."""
    folder = os.path.expanduser(tmpl_dir) if tmpl_dir else get_user_files_path()
    return send_template(tmpl, dest, resolve_files_dir(tmpl, folder), node_type)


# -- programs ----------------------------------------------------------------------------------------------------------


def status() -> Result | None:
    """Programs under supervisord on the current host."""
    return _supervisorctl("status")


def supervisorctl_status() -> Result | None:
    return _supervisorctl("status")


def supervisorctl_up() -> Result | None:
    """Read the configuration again and start what is new."""
    return _supervisorctl("update")


def _supervisorctl(action: str) -> Result | None:
    if target().pod:
        line = " ".join(supervisorctl(action))
        if target().shell(f"[ -S {POD_SOCKET} ] || [ -e {POD_CONFIG} ]").code != 0:
            print(f"[{env.host_string}] no supervisord: the container runs its program directly")
            return None
    else:
        hosts: Hosts = env.sds_hosts
        home = os.path.join(old_home(hosts.session.site.config), resolve_role()[1])
        line = " ".join(host_supervisorctl(home, action))
    with settings(warn_only=True):  # supervisorctl ends with 3 when any program is down; that is an answer
        return run(line)


def ensure_venv(hysds_dir: str, *args: Any, **kw: Any) -> None:
    """Nothing to do in a pod: the image has its virtual environment. On a machine it must exist."""
    if not target().pod and not exists(f"~/{hysds_dir}/bin/activate"):
        raise SdsError(
            f"no virtual environment at ~/{hysds_dir}",
            target=str(env.host_string),
            next=f"virtualenv --system-site-packages ~/{hysds_dir} on that host",
        )


def kill_hung() -> None:
    """Nothing to do: a stop kills every process that is still running after the grace period."""


# -- verbs -------------------------------------------------------------------------------------------------------------


def verb(*words: str) -> Callable[..., None]:
    """A function that runs `sds WORDS` once; arguments of the legacy task are not needed any more."""

    def call(*args: Any, **kw: Any) -> None:
        print(f"[localhost] sds {' '.join(words)}", flush=True)
        code = dispatch.run(read(words))
        if code != 0:
            raise SdsError(f"sds {' '.join(words)} ended with {code}")

    call.__doc__ = f"sds {' '.join(words)}."
    call.hostless = True  # type: ignore[attr-defined]
    return call


def tasks(hosts: Hosts) -> dict[str, Callable[..., Any]]:
    """{name: function} of every task of the legacy module, refused ones included."""
    found: dict[str, Callable[..., Any]] = {
        n: refused(n) for n, v in table()["tasks"].items() if v.verdict == "refused"
    }
    for c in hosts.session.catalogue.ordered():
        for name in (c.name, *c.aliases):
            for task, words in (("start", ("start",)), ("stop", ("stop",)), ("clean_start", ("reset",))):
                if words[0] in c.verbs:
                    found[f"{name}d_{task}"] = _named(verb(*words, c.name, "-f"), f"{name}d_{task}")
    for name in table()["tasks"]:
        if name in globals():
            found[name] = globals()[name]
    missing = [n for n, v in table()["tasks"].items() if n not in found and not v.now.startswith("`sds ")]
    if missing:
        raise ConfigError("tasks without a function", target="fabric_verdicts.yaml", words=", ".join(missing))
    for name, verdict in table()["tasks"].items():
        if name not in found:
            found[name] = _named(verb(*verdict.now.strip("`").split()[1:]), name)
    return found


def _named(function: Callable[..., None], name: str) -> Callable[..., None]:
    function.__name__ = function.__qualname__ = name
    return function
