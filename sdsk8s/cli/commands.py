"""The verbs of `sdsk8s`: where each is, its line of help, and the help of the whole command. Loads no click."""

from __future__ import annotations

import textwrap

COMMANDS: dict[str, tuple[str, str]] = {
    "configure": ("sdsk8s.cli.configure:configure", "Write the site's configuration, by questions or from a file."),
    "config": ("sdsk8s.cli.configure:config", "Check config and list each problem with its line."),
    "files": ("sdsk8s.cli.files:files", "Compare the site's templates with the shipped ones; merge newer versions."),
    "start": ("sdsk8s.cli.verbs:start", "Start components: create what is missing, restore replicas, wait."),
    "stop": ("sdsk8s.cli.verbs:stop", "Drain and stop components; data is kept, replica counts are recorded."),
    "reset": ("sdsk8s.cli.verbs:reset", "Stop components, clear their queues and state, start them."),
    "update": ("sdsk8s.cli.verbs:update", "Roll out new images and configuration from the site's tree."),
    "ship": ("sdsk8s.cli.ship:ship", "Ship bundles of queues to the registry or a bucket; restart workers."),
    "redeploy": ("sdsk8s.cli.rollouts:redeploy", "Restart pods with the image that each tag points to now."),
    "restart": ("sdsk8s.cli.rollouts:restart", "Restart the pods of a component or of one workload."),
    "scale": ("sdsk8s.cli.rollouts:scale", "Set the number of replicas; later updates keep it."),
    "undo": ("sdsk8s.cli.rollouts:undo", "Go back to an earlier revision: images and configuration."),
    "history": ("sdsk8s.cli.rollouts:history", "List what was rolled out, by whom, when and why."),
    "prune": ("sdsk8s.cli.prune:prune", "Delete what the site no longer declares; data is kept."),
    "status": ("sdsk8s.cli.status:status", "Show what runs, where and since when, and whether stores answer."),
    "logs": ("sdsk8s.cli.logs:logs", "Print the logs of all pods of a component or workload."),
    "images": ("sdsk8s.cli.image_verbs:images", "Build, push, list, audit and prune the site's images."),
    "cp": ("sdsk8s.cli.cp:cp", "Copy files and trees to and from pods: only differences, verified."),
    "registry": ("sdsk8s.cli.registry:registry", "Manage the namespace's registry credentials: login, logout, ls."),
    "render": ("sdsk8s.cli.render:render", "Print the objects that would be applied."),
    "lint": ("sdsk8s.cli.lint:lint", "Find mistakes in manifests and Dockerfiles before anything is applied."),
    "components": ("sdsk8s.cli.components:components", "List the catalogue, or write the skeleton of a component."),
    "assess": ("sdsk8s.cli.migrate:assess", "List what an old site holds, and what each part becomes."),
    "migrate": ("sdsk8s.cli.migrate:migrate", "Convert an old site to a new site folder, with a report."),
    "doctor": ("sdsk8s.cli.doctor:doctor", "Check cluster, registry and permissions; name a cure for each fault."),
    "runs": ("sdsk8s.cli.runs:runs", "List and show past runs."),
    "lock": ("sdsk8s.cli.runs:lock", "Show or release the site's lock."),
    "completion": ("sdsk8s.cli.completion:completion", "Print the completion script for bash, zsh or fish."),
    "lab": ("sdsk8s.cli.lab:lab", "Run a real Kubernetes on this machine."),
}


def help_text() -> str:
    """What `sdsk8s --help` prints, in click's layout, 78 columns wide."""
    lines = [
        "Usage: sdsk8s [OPTIONS] COMMAND [ARGS]...",
        "",
        "  The sds verbs on Kubernetes, and more.",
        "",
        "Options:",
        "  --version   Show the version and exit.",
        "  -h, --help  Show this message and exit.",
        "",
        "Verbs:",
    ]
    width = max(map(len, COMMANDS)) + 4
    for name, (_, text) in COMMANDS.items():
        first, *rest = textwrap.wrap(text, 78 - width)
        lines += [f"  {name}".ljust(width) + first, *(" " * width + line for line in rest)]
    return "\n".join(lines) + "\n"
