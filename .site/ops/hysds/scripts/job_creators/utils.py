"""Job creators: from a submission and its entry in orchestrator_jobs.json to a runnable job."""


def shell_job(job, entry):
    """The entry's command with parameters as `NAME=value` arguments; nothing passes through a shell unquoted."""
    params = {**entry.get("defaults", {}), **(job.get("params") or {})}
    arguments = [f"{key}={params[key]}" for key in entry.get("arguments", [])]
    return {**job, "params": params, "command": ["sh", "-c", entry["command"], job["type"], *arguments], "dataset_type": entry["dataset-type"]}
