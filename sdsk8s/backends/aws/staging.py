"""What a bucket, a topic and a function are now: read before a staging area or the browse pages are planned."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from sdsk8s.backends.aws.calls import datasets
from sdsk8s.backends.aws.connect import client, explained
from sdsk8s.model.site import Site

_ABSENT = ("NotFound", "NotFoundException", "ResourceNotFoundException", "NoSuchWebsiteConfiguration")


def _unless_absent(call: Any, **params: Any) -> dict[str, Any] | None:
    """The answer, or None when AWS reports that the object does not exist."""
    try:
        answer: dict[str, Any] = call(**params)
    except ClientError as err:
        if err.response.get("Error", {}).get("Code") in _ABSENT:
            return None
        raise
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


def notifications(site: Site, bucket: str) -> dict[str, Any]:
    """The bucket's notification configuration. CloudError when the bucket does not exist."""
    with explained(f"s3://{bucket}"):
        s3 = datasets(site)
        return _unless_absent(s3.get_bucket_notification_configuration, Bucket=bucket) or {}


def topic(site: Site, arn: str) -> dict[str, Any] | None:
    """Attributes of a topic."""
    with explained(arn):
        found = _unless_absent(client(site, "sns").get_topic_attributes, TopicArn=arn)
    return None if found is None else dict(found.get("Attributes") or {})


def subscribed(site: Site, arn: str) -> list[str]:
    """Endpoints that a topic sends to."""
    api = client(site, "sns")
    with explained(arn):
        pages = api.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [str(s["Endpoint"]) for page in pages for s in page.get("Subscriptions") or ()]


def function(site: Site, name: str) -> dict[str, Any] | None:
    """Configuration of a function."""
    with explained(f"function {name}"):
        found = _unless_absent(client(site, "lambda").get_function, FunctionName=name)
    return None if found is None else dict(found.get("Configuration") or {})


def invokers(site: Site, name: str) -> dict[str, str]:
    """{statement id: ARN that may invoke the function}; the ARN is "" for a statement of another kind."""
    with explained(f"function {name}"):
        found = _unless_absent(client(site, "lambda").get_policy, FunctionName=name)
    statements = json.loads(found["Policy"]).get("Statement") or () if found else ()
    return {str(s.get("Sid")): _source(s.get("Condition") or {}) for s in statements}


def _source(condition: dict[str, Any]) -> str:
    return next((str(v) for test in condition.values() for k, v in test.items() if k.lower() == "aws:sourcearn"), "")


def sums(site: Site, bucket: str, keys: list[str]) -> dict[str, str]:
    """{key: MD5 in hex} of those objects that exist and were sent in one part."""
    s3 = datasets(site)
    found: dict[str, str] = {}
    with explained(f"s3://{bucket}"):
        s3.head_bucket(Bucket=bucket)
        for key in keys:
            listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents") or ()
            found |= {str(o["Key"]): str(o["ETag"]).strip('"') for o in listed if o["Key"] == key}
    return found


def website(site: Site, bucket: str) -> dict[str, Any]:
    with explained(f"s3://{bucket}"):
        return _unless_absent(datasets(site).get_bucket_website, Bucket=bucket) or {}
