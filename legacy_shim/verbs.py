"""First-level verbs and their one-line helps. Imports nothing, so that `sds -h` is fast."""

from __future__ import annotations

ABOUT = "Operate a science data system. Its components run on Kubernetes; `sdsk8s` has the modern verbs."

VERBS: dict[str, str] = {
    "configure": "write the site's configuration",
    "update": "new images and configuration from the site's tree; stopped stays stopped",
    "kibana": "import, export or delete dashboards",
    "ship": "ship worker bundles",
    "start_tps": "start the stores of components",
    "stop_tps": "stop the stores of components",
    "start": "start components and wait until they serve",
    "stop": "drain and stop components; data stays",
    "reset": "stop, clear queues and state, start",
    "status": "what runs, where, since when",
    "ci": "continuous integration jobs",
    "pkg": "packages of containers",
    "cloud": "cloud resources",
    "rules": "user rules",
    "job": "jobs",
    "orch": "components as containers",
    "fab": "tasks of the site's own Fabric file, on pods and machines",
    "help": "what a verb meant, what it does now, and the kubectl commands for it",
    "completion": "completion script for a shell",
}
