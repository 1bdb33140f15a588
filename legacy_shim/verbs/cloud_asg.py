"""`sds cloud asg create`: what scales the workers of each queue, for virtual machines and for pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from legacy_shim.console import LegacyConsole, legacy_session
from legacy_shim.verbs import cloud_pods
from legacy_shim.verbs.cloud import cloud_run, only_aws
from legacy_shim.verbs.cloud_answers import Answers
from sdsk8s.backends.aws import inventory
from sdsk8s.errors import ConfigError, RefusedError, UsageError
from sdsk8s.model.site import Site
from sdsk8s.planner.cloud.autoscaling import Machines, Pool, plan_pools, pools
from sdsk8s.site.legacy import legacy
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

KEYS = (
    "AMI",
    "KEYPAIR",
    "USE_ROLE",
    "ROLE",
    "SECURITY_GROUPS",
    "VPC",
    "SUBNETS",
    "MIN_SIZE",
    "MAX_SIZE",
    "QUEUES",
    "INSTANCE_TYPES",
    "TOTAL_JOBS_METRIC",
)
"""Of --set and --from. The last three are for a site without QUEUES; the two sizes and SUBNETS are never asked."""
TYPES = "t2.medium t3.medium t3a.medium"
QUEUES = "job_worker-small job_worker-large"


def create(
    options: Options, *, cloud: str, source: str | None, assignments: Iterable[str] | None, workers: str | None
) -> int:
    """workers: machines or pods; None is where the workers of the site's queues live."""
    only_aws(cloud, "asg create")
    session = legacy_session(options)
    answers = Answers(LegacyConsole(), KEYS, session.site.config, "ASG", source, assignments)
    if workers is None:
        homes = {session.site.where(c.name) for c in session.catalogue.ordered() if c.per_queue}
        workers = "pods" if homes == {"kubernetes"} else "machines"
        session.console.note(f"this site's workers are {workers}; --workers chooses the other kind")
    if workers == "pods":
        return cloud_pods.create(session, answers)
    return _machines(session, answers)


def _machines(session: Session, answers: Answers) -> int:
    site = session.site
    bucket = str(site.config.get("CODE_BUCKET") or "")
    if not bucket:
        raise ConfigError(
            "no bucket configured from which machines fetch their bundles",
            target=f"{site.home}/config",
            next="set CODE_BUCKET",
        )
    configured = pools(site.config.get("QUEUES"))
    groups, templates, policies = inventory.groups(site), inventory.templates(site), inventory.policies(site)
    machines = _ask(site, answers, bucket)
    wanted = _queues(answers, configured)
    plan = plan_pools(wanted, machines, set(groups), templates, policies, site.namespace)
    return cloud_run(session, plan, "Creating autoscaling groups")


def _ask(site: Site, answers: Answers, bucket: str) -> Machines:
    """The questions in the legacy order. What was given is looked up in the account before anything is made."""
    if answers.has("AMI"):
        image = inventory.image(site, answers.text("AMI", ""))
    else:
        images = {str(i["ImageId"]): i for i in inventory.images(site, legacy()["machine_images"])}
        rows = {k: f"{i['Name']} - {k} ({i.get('CreationDate', '')})" for k, i in images.items()}
        image = images[answers.choose("AMI", "Current verdi AMIs are", "Select verdi AMI to use", rows)]
    pairs = dict.fromkeys(inventory.key_pairs(site), "")
    pair = answers.choose("KEYPAIR", "Current key pairs are", "Select key pair to use", pairs)
    role = ""
    if answers.yes("USE_ROLE", "Do you want to use instance roles"):
        profiles = dict.fromkeys(inventory.instance_profiles(site), "")
        role = answers.choose("ROLE", "Current roles are", "Select role to use", profiles)
    groups, vpc = security_groups(site, answers, "SECURITY_GROUPS", "VPC", "Select security groups to use")
    least, most = answers.number("MIN_SIZE", 0), answers.number("MAX_SIZE", 0)
    if least > most:
        raise UsageError(f"MIN_SIZE is {least}, and MAX_SIZE is {most}", next="--set MAX_SIZE=NUMBER")
    return Machines(
        venue=str(site.config.get("VENUE") or "ops"),
        bucket=bucket,
        image=str(image["ImageId"]),
        key_pair=pair,
        security_groups=tuple(groups),
        subnets=tuple(subnets(site, answers, vpc)),
        role=role,
        disks=image.get("BlockDeviceMappings") or (),
        least=least,
        most=most,
    )


def security_groups(site: Site, answers: Answers, key: str, vpc_key: str, question: str) -> tuple[list[str], str]:
    """Security groups, and the one network that all of them belong to."""
    there = inventory.security_groups(site)
    rows = {k: f"{g.get('VpcId')} - {g.get('GroupName')} - {k}" for k, g in there.items()}
    while True:
        chosen = answers.choose_many(key, "Current security groups are", f"{question} (blank between each)", rows)
        networks = {str(there[g].get("VpcId")) for g in chosen}
        if len(networks) == 1:
            break
        words = f"security groups of several networks: {', '.join(sorted(networks))}"
        if answers.has(key):
            raise UsageError(f"{key}: {words}")
        answers.console.note(f"Invalid selections: {words}")
    vpc = networks.pop()
    if answers.has(vpc_key) and answers.text(vpc_key, "") != vpc:
        raise UsageError(f"{vpc_key} is {answers.text(vpc_key, '')}, but the security groups belong to {vpc}")
    return chosen, vpc


def subnets(site: Site, answers: Answers, vpc: str) -> list[str]:
    """SUBNETS when given, else all of the network in zones that are available."""
    there = inventory.subnets(site, vpc)
    if not there:
        raise RefusedError("no subnet of the network is in an available zone", target=vpc)
    if not answers.has("SUBNETS"):
        return there
    return answers.choose_many("SUBNETS", "", "", dict.fromkeys(there, ""))


def _queues(answers: Answers, configured: list[Pool]) -> list[Pool]:
    """Those of the configuration; asked for, when it has none."""
    if configured:
        if not answers.has("QUEUES"):
            return configured
        by_name = {p.queue: p for p in configured}
        names = answers.choose_many("QUEUES", "", "", dict.fromkeys(by_name, ""))
        return [by_name[n] for n in names]
    given: Any = answers.get("QUEUES")
    if isinstance(given, list) and given and isinstance(given[0], dict):
        return pools(given)
    found = []
    for queue in answers.words("QUEUES", "Queue names, with blanks between", QUEUES):
        types = answers.words("INSTANCE_TYPES", f"Instance types for {queue}, with blanks between", TYPES)
        question = "Scale up based on total jobs to workers? (otherwise: waiting jobs to workers)"
        total = answers.yes("TOTAL_JOBS_METRIC", question)
        found.append({"QUEUE_NAME": queue, "INSTANCE_TYPES": types, "TOTAL_JOBS_METRIC": total})
    return pools(found)
