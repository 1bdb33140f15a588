"""`cloud asg create` for virtual machines: a launch template, an autoscaling group and its policy for each queue."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.bundle import bundle_name
from sdsk8s.planner.steps import CloudCall, Group, Node, Plan, group

NAMESPACE = "HySDS"
"""Of the metrics that a site's own processes send to CloudWatch, one per queue."""
_DISK = {"DeviceName", "VirtualName", "NoDevice"}
_EBS = {"DeleteOnTermination", "Iops", "SnapshotId", "VolumeSize", "VolumeType", "Throughput", "KmsKeyId"}


@dataclass(frozen=True)
class Pool:
    """Machines of one queue. instance_types: the best first; total_jobs: running jobs count as well."""

    queue: str
    instance_types: tuple[str, ...]
    total_jobs: bool = False


@dataclass(frozen=True)
class Machines:
    """What all pools share. disks: the image's BlockDeviceMappings; role: "" for none."""

    venue: str
    bucket: str
    image: str
    key_pair: str
    security_groups: tuple[str, ...]
    subnets: tuple[str, ...]
    role: str = ""
    disks: Sequence[Mapping[str, Any]] = ()
    least: int = 0
    most: int = 0


def pools(entries: Any) -> list[Pool]:
    """Pools of the legacy key QUEUES. ConfigError names the queue that has no instance types."""
    found = []
    for entry in entries or ():
        if not isinstance(entry, Mapping) or not entry.get("QUEUE_NAME"):
            continue
        name, types = str(entry["QUEUE_NAME"]), entry.get("INSTANCE_TYPES") or ()
        if isinstance(types, str) or not isinstance(types, Sequence) or not types:
            raise ConfigError(f'queue "{name}": expected a list of instance types in INSTANCE_TYPES', target="QUEUES")
        found.append(Pool(name, tuple(str(t) for t in types), bool(entry.get("TOTAL_JOBS_METRIC", False))))
    return found


def group_name(venue: str, queue: str) -> str:
    return f"{venue}-{queue}"


def plan_pools(
    wanted: Sequence[Pool],
    machines: Machines,
    groups: Collection[str],
    templates: Collection[str],
    policies: Collection[tuple[str, str]],
    namespace: str,
) -> Plan:
    """Groups that exist are left alone; what an interrupted run has not made of them is made.

    groups, templates: names that exist; policies: (group, policy) that exist.
    """
    notes: list[str] = []
    children: list[Node] = []
    for pool in wanted:
        name = group_name(machines.venue, pool.queue)
        steps: list[Node] = []
        if name in groups:
            notes.append(f"group {name} exists and is not changed")
        else:
            steps += [_template(name, pool, machines, f"{name}-launch-template" in templates)]
            steps += [_group(name, pool, machines)]
        if (name, f"{name}-target-tracking") not in policies:
            steps.append(_policy(name, pool))
        children += group(name, steps)
    return Plan("cloud asg create", "aws", namespace, Group("autoscaling groups", tuple(children)), tuple(notes))


def _template(name: str, pool: Pool, m: Machines, exists: bool) -> CloudCall:
    template = f"{name}-launch-template"
    user_data = f"BUNDLE_URL=s3://{m.bucket}/{bundle_name(pool.queue, m.venue)}.tbz2"
    data: dict[str, Any] = {
        "ImageId": m.image,
        "KeyName": m.key_pair,
        "SecurityGroupIds": list(m.security_groups),
        "UserData": base64.b64encode(user_data.encode()).decode(),
        "BlockDeviceMappings": [_disk(d) for d in m.disks],
    }
    if m.role:
        data["IamInstanceProfile"] = {"Name": m.role}
    params = {"LaunchTemplateName": template, "LaunchTemplateData": data}
    if exists:
        why = f"{template} exists; the group uses its newest version"
        return CloudCall(why, f"add a version to launch template {template}", "ec2",
                         "create_launch_template_version", params, "delete the newest version")  # fmt: skip
    words = f"create launch template {template}: {m.image}, {user_data}"
    return CloudCall("", words, "ec2", "create_launch_template", params, f"delete launch template {template}")


def _disk(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A disk of the image as a template takes it; whether it is encrypted is the snapshot's own matter."""
    disk: dict[str, Any] = {k: v for k, v in mapping.items() if k in _DISK}
    if "Ebs" in mapping:
        disk["Ebs"] = {k: v for k, v in mapping["Ebs"].items() if k in _EBS}
    return disk


def _group(name: str, pool: Pool, m: Machines) -> CloudCall:
    tags = {"Name": f"{name}-worker", "Venue": m.venue, "Queue": pool.queue, "Bravo": "pcm"}
    template = {"LaunchTemplateName": f"{name}-launch-template", "Version": "$Latest"}
    params = {
        "AutoScalingGroupName": name,
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": template,
                "Overrides": [{"InstanceType": t} for t in pool.instance_types],
            },
            "InstancesDistribution": {
                "OnDemandAllocationStrategy": "prioritized",
                "OnDemandBaseCapacity": 0,
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "lowest-price",
                "SpotInstancePools": len(pool.instance_types),
                "SpotMaxPrice": "",
            },
        },
        "MinSize": m.least,
        "MaxSize": m.most,
        "DesiredCapacity": m.least,
        "DefaultCooldown": 60,
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 300,
        "NewInstancesProtectedFromScaleIn": False,
        "VPCZoneIdentifier": ",".join(m.subnets),
        "Tags": [{"Key": k, "Value": v, "PropagateAtLaunch": True} for k, v in tags.items()],
    }
    words = f"create group {name}: {m.least} to {m.most} spot machines, {' '.join(pool.instance_types)}"
    return CloudCall("", words, "autoscaling", "create_auto_scaling_group", params, f"delete group {name}")


def _policy(name: str, pool: Pool) -> CloudCall:
    policy = f"{name}-target-tracking"
    metric = f"{'JobsPerInstance' if pool.total_jobs else 'JobsWaitingPerInstance'}-{name}"
    dimensions = {"AutoScalingGroupName": name, "Queue": pool.queue}
    params = {
        "AutoScalingGroupName": name,
        "PolicyName": policy,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {
            "CustomizedMetricSpecification": {
                "MetricName": metric,
                "Namespace": NAMESPACE,
                "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
                "Statistic": "Maximum",
            },
            "TargetValue": 1.0,
            "DisableScaleIn": True,
        },
    }
    words = f"put policy {policy}: {metric} at 1, never fewer machines"
    return CloudCall("idle machines terminate themselves", words, "autoscaling", "put_scaling_policy", params,
                     f"delete policy {policy}")  # fmt: skip
