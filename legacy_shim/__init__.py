"""The `sds` command: the legacy tool's grammar, prompts and exit codes in front of the same planner and runner."""
