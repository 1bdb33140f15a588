"""What an AWS account has that the dialogues of `sds cloud` offer. Every list is complete: pages are followed."""

from __future__ import annotations

import re
from typing import Any

from sdsk8s.backends.aws.calls import datasets
from sdsk8s.backends.aws.connect import client, explained
from sdsk8s.errors import CloudError
from sdsk8s.model.site import Site

Item = dict[str, Any]


def _all(site: Site, service: str, operation: str, key: str, **params: Any) -> list[Item]:
    api = client(site, service)
    with explained(f"{service} {operation}"):
        return [item for page in api.get_paginator(operation).paginate(**params) for item in page.get(key) or ()]


def buckets(site: Site) -> list[str]:
    with explained("s3 list_buckets"):
        return [str(b["Name"]) for b in datasets(site).list_buckets().get("Buckets") or ()]


def groups(site: Site) -> dict[str, Item]:
    """{name: autoscaling group}"""
    found = _all(site, "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")
    return {str(g["AutoScalingGroupName"]): g for g in found}


def policies(site: Site) -> set[tuple[str, str]]:
    """{(autoscaling group, scaling policy)}"""
    found = _all(site, "autoscaling", "describe_policies", "ScalingPolicies")
    return {(str(p["AutoScalingGroupName"]), str(p["PolicyName"])) for p in found}


def templates(site: Site) -> set[str]:
    """Names of the launch templates."""
    found = _all(site, "ec2", "describe_launch_templates", "LaunchTemplates")
    return {str(t["LaunchTemplateName"]) for t in found}


def images(site: Site, names: str) -> list[Item]:
    """Private machine images whose names match the regular expression, in any case; the oldest first."""
    private = [{"Name": "is-public", "Values": ["false"]}]
    found = _all(site, "ec2", "describe_images", "Images", Filters=private)
    named = [i for i in found if re.search(names, str(i.get("Name", "")), re.IGNORECASE)]
    return sorted(named, key=lambda i: str(i.get("CreationDate", "")))


def image(site: Site, ami: str) -> Item:
    """One machine image, of whatever name."""
    found = _all(site, "ec2", "describe_images", "Images", ImageIds=[ami])
    if not found:
        raise CloudError("the machine image does not exist", target=ami)
    return found[0]


def key_pairs(site: Site) -> list[str]:
    api = client(site, "ec2")
    with explained("ec2 describe_key_pairs"):
        return sorted(str(k["KeyName"]) for k in api.describe_key_pairs().get("KeyPairs") or ())


def roles(site: Site) -> list[Item]:
    return sorted(_all(site, "iam", "list_roles", "Roles"), key=lambda r: (str(r.get("CreateDate")), r["RoleName"]))


def instance_profiles(site: Site) -> list[str]:
    """Names of instance profiles; one that the console made has the name of its role."""
    return sorted(
        str(p["InstanceProfileName"]) for p in _all(site, "iam", "list_instance_profiles", "InstanceProfiles")
    )


def security_groups(site: Site) -> dict[str, Item]:
    """{id: security group}, by network and name."""
    found = _all(site, "ec2", "describe_security_groups", "SecurityGroups")
    found.sort(key=lambda g: (str(g.get("VpcId")), str(g.get("GroupName"))))
    return {str(g["GroupId"]): g for g in found}


def subnets(site: Site, vpc: str) -> list[str]:
    """Ids of the network's subnets in zones that are available."""
    api = client(site, "ec2")
    with explained("ec2 describe_availability_zones"):
        zones = api.describe_availability_zones().get("AvailabilityZones") or ()
    available = {str(z["ZoneName"]) for z in zones if z.get("State") == "available"}
    found = _all(site, "ec2", "describe_subnets", "Subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    return sorted(str(s["SubnetId"]) for s in found if s.get("AvailabilityZone") in available)
