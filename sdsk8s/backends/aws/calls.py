"""Single requests by boto3's names, as the steps of a plan have them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sdsk8s.backends.aws.connect import client, endpoint, explained
from sdsk8s.errors import CloudError
from sdsk8s.model.site import Site

_WAITERS = {
    "create_function": "function_active_v2",
    "update_function_code": "function_updated_v2",
    "update_function_configuration": "function_updated_v2",
}
"""A function refuses the next change until it has taken the last one."""


def datasets(site: Site) -> Any:
    """A client of the service that has the bucket of datasets."""
    return client(site, "s3", endpoint(site, "DATASET_S3_ENDPOINT"))


def send(
    site: Site, service: str, operation: str, params: Mapping[str, Any], into: str = "", content: bytes = b""
) -> str:
    """Do one request, and wait until its effect is there. Returns the ARN or version that AWS gave, if any.

    into, content: bytes for a parameter, `Body` or `Code.ZipFile`.
    """
    values: dict[str, Any] = copy.deepcopy(dict(params))
    if into:
        *path, last = into.split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
        place[last] = content
    amazon = datasets(site) if service == "s3" else client(site, service)
    with explained(f"{service} {operation}"):
        answer = getattr(amazon, operation)(**values)
        if operation in _WAITERS:
            amazon.get_waiter(_WAITERS[operation]).wait(FunctionName=values["FunctionName"])
    return next((str(v) for k, v in answer.items() if k.endswith("Arn") and isinstance(v, str)), "")


def account(site: Site) -> tuple[str, str, str]:
    """(partition, region, account number) of the credentials."""
    sts = client(site, "sts")
    with explained("sts get_caller_identity"):
        who = sts.get_caller_identity()
    try:
        return str(who["Arn"]).split(":")[1], str(sts.meta.region_name), str(who["Account"])
    except (KeyError, IndexError):
        raise CloudError("AWS reported no account for these credentials", words=str(who)[:200]) from None
