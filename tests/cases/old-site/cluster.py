"""Tasks of an old site."""

from fabric.api import open_shell, put, roles, run, sudo, task


@task
@roles("mozart")
def uptime():
    run("uptime")


@task
def restart_network():
    sudo("systemctl restart network")


@task
def look():
    open_shell()


def copy_rules():
    put("rules.json", "/tmp/rules.json")
