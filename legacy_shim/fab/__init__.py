"""Legacy Fabric files on Kubernetes: modules in the shape of `fabric.api`, where a role is pods or hosts.

`sds fab -f cluster.py TASK` loads a site's own file as it is. Its imports of `fabric.api`, `fabric.contrib` and of the
legacy task module find the modules of this package; `run`, `put` and the others work on the pods of a component
(exec), or over SSH where the site says `where: ssh`.

    state.py       env, output, and the contexts that change them (settings, cd, prefix, hide ...)
    hosts.py       roles and host strings to targets: pods or machines
    targets.py     what a command and a file do on a pod and on a machine
    operations.py  run, sudo, local, put, get, prompt, abort, warn ...
    contrib.py     fabric.contrib.files and fabric.contrib.project
    tasks.py       task, roles, hosts, parallel, execute ...
    builtin.py     the tasks that every legacy cluster.py imports
    sdsk8s/migrate/fabric_verdicts.yaml  mapped, changed or refused, for every primitive and task
"""
