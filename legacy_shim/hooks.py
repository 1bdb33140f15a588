"""What does each verb: one line per verb. A verb that is not here has its whole grammar, and refuses.

To add a verb: write `legacy_shim/<module>.py` with a function

    def export(options: Options, *, id: str, outdir: str, accounts: bool, skip: bool) -> int

that gets the options of sdsk8s/verbs/options.py (yes, debug, dry_run, output, timeout and the site's place) and the
verb's own words by the names that legacy_shim/tree.py gives them, returns the exit code or raises an SdsError; then
put `"pkg export": Hook("<module>:export")` here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Hook:
    """What is not honoured is not offered on the command line, and refused when a SDS_* variable asks for it.

    where   `module:function` under legacy_shim
    plans   the function honours options.dry_run and options.print_kubectl
    reads   it changes nothing, so that --dry-run is no question
    json    it honours options.output
    """

    where: str
    plans: bool = False
    reads: bool = False
    json: bool = False

    def load(self) -> Callable[..., int]:
        module, _, function = self.where.partition(":")
        found: Callable[..., int] = getattr(importlib.import_module(f"legacy_shim.{module}"), function)
        return found


HOOKS: dict[str, Hook] = {
    "configure": Hook("configure:configure"),
    "update": Hook("operations:update", plans=True, json=True),
    "start": Hook("operations:start", plans=True, json=True),
    "stop": Hook("operations:stop", plans=True, json=True),
    "reset": Hook("operations:reset", plans=True, json=True),
    "ci add_job": Hook("ci:add_job"),
    "ci remove_job": Hook("ci:remove_job"),
    "ci build_job": Hook("ci:build_job"),
    "rules export": Hook("rules:export", reads=True),
    "rules import": Hook("rules:load"),
    "job list": Hook("job:listing", reads=True, json=True),
    "kibana": Hook("kibana:kibana"),
    "pkg ls": Hook("pkg:ls", reads=True, json=True),
    "pkg export": Hook("pkg:export", reads=True),
    "pkg import": Hook("pkg:load"),
    "pkg rm": Hook("pkg:rm"),
    "cloud ls": Hook("cloud:ls", reads=True, json=True),
    "cloud asg ls": Hook("cloud:asg_ls", reads=True, json=True),
    "cloud asg create": Hook("cloud_asg:create", plans=True, json=True),
    "cloud storage ls": Hook("cloud:storage_ls", reads=True, json=True),
    "cloud storage ship_style": Hook("cloud_storage:ship_style", plans=True, json=True),
    "cloud storage create_staging_area": Hook("cloud_storage:create_staging_area", plans=True, json=True),
    "orch init": Hook("orch:init", plans=True),
    "orch start": Hook("orch:start", plans=True),
    "orch stop": Hook("orch:stop", plans=True),
    "orch logs": Hook("orch:logs", reads=True),
    "orch ps": Hook("orch:ps", reads=True),
    "orch run": Hook("orch:run"),
    "fab": Hook("fab.command:fab"),
    "completion": Hook("operations:completion", reads=True),
    "help": Hook("helptext:show", reads=True, json=True),
    "start_tps": Hook("tps:start_tps", plans=True, json=True),
    "stop_tps": Hook("tps:stop_tps", plans=True, json=True),
    "ship": Hook("operations:ship", plans=True, json=True),
    "status": Hook("operations:status", reads=True, json=True),
}

INSTEAD: dict[str, str] = {}
"""What to do instead, for verbs without a hook: by the whole verb, else by its first word."""
