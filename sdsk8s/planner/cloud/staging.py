"""`cloud storage`: a bucket as a website, and staging areas whose new objects start a job. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.planner.steps import CloudCall, Group, Node, Plan

RUNTIME = "python3.13"
HANDLER = "lambda_function.lambda_handler"
EVENT = "s3:ObjectCreated:*"
WEBSITE = {"ErrorDocument": {"Key": "index.html"}, "IndexDocument": {"Suffix": "index.html"}}


@dataclass(frozen=True)
class StagingArea:
    """The request. suffix: "" for none. variables: of the function. code: a zip archive called `file`."""

    venue: str
    bucket: str
    prefix: str
    suffix: str
    role: str
    security_groups: tuple[str, ...]
    subnets: tuple[str, ...]
    variables: Mapping[str, str]
    code: bytes = field(repr=False)
    file: str = "data-staged.zip"
    runtime: str = RUNTIME

    @property
    def topic(self) -> str:
        """The legacy tool's name: no suffix counts as the word None in it."""
        text = f"{self.bucket}-{self.prefix}-{self.suffix or None}"
        return f"{self.venue}-dataset-{hashlib.sha224(text.encode()).hexdigest()[:4]}"

    @property
    def function(self) -> str:
        return f"{self.venue}-dataset-{self.prefix.replace('/', '')}-submit_ingest"

    @property
    def notification(self) -> str:
        return f"data-staged-{self.topic}"


@dataclass(frozen=True)
class StagingState:
    """What there is. topic: its attributes; function: its configuration; invokers: {statement id: who may invoke};
    subscribed: endpoints of the topic; notifications: the bucket's whole configuration."""

    topic: Mapping[str, Any] | None = None
    function: Mapping[str, Any] | None = None
    invokers: Mapping[str, str] = field(default_factory=dict)
    subscribed: Sequence[str] = ()
    notifications: Mapping[str, Any] = field(default_factory=dict)


def arns(area: StagingArea, partition: str, region: str, account: str) -> tuple[str, str]:
    """(topic, function)"""
    topic = f"arn:{partition}:sns:{region}:{account}:{area.topic}"
    return topic, f"arn:{partition}:lambda:{region}:{account}:function:{area.function}"


def plan_staging(
    area: StagingArea, state: StagingState, topic: str, function: str, partition: str, namespace: str
) -> Plan:
    """What is missing or different. The notification comes last: no object is announced before somebody listens."""
    steps: list[Node] = []
    attributes = state.topic or {}
    if state.topic is None:
        steps.append(_call(f"create topic {area.topic}", "sns", "create_topic", {"Name": area.topic},
                           back=f"delete topic {topic}"))  # fmt: skip
    for name, value, words in (
        (
            "Policy",
            json.dumps(_policy(topic, f"arn:{partition}:s3:::{area.bucket}")),
            f"s3://{area.bucket} may publish",
        ),
        ("DisplayName", area.topic, area.topic),
    ):
        if not _same(attributes.get(name), value):
            params = {"TopicArn": topic, "AttributeName": name, "AttributeValue": value}
            steps.append(_call(f"set {name} of topic {area.topic}: {words}", "sns", "set_topic_attributes", params))
    steps += _function(area, state)
    if topic not in state.invokers.values():
        statement = "ID-1" if "ID-1" not in state.invokers else area.topic
        params = {"FunctionName": area.function, "StatementId": statement, "Action": "lambda:InvokeFunction",
                  "Principal": "sns.amazonaws.com", "SourceArn": topic}  # fmt: skip
        words = f"let topic {area.topic} invoke function {area.function}"
        steps.append(_call(words, "lambda", "add_permission", params, back=f"remove permission {statement}"))
    if function not in state.subscribed:
        params = {"TopicArn": topic, "Protocol": "lambda", "Endpoint": function}
        steps.append(_call(f"subscribe function {area.function} to topic {area.topic}", "sns", "subscribe", params))
    steps += _notify(area, state.notifications, topic)
    notes = (f"function {area.function}: {' '.join(f'{k}={v}' for k, v in sorted(area.variables.items()))}",)
    target = f"s3://{area.bucket}/{area.prefix}*{area.suffix}"
    return Plan("cloud storage create_staging_area", target, namespace, Group("staging area", tuple(steps)), notes)


def _call(words: str, service: str, operation: str, params: Mapping[str, Any], *, reason: str = "", back: str = "",
          **content: Any) -> CloudCall:  # fmt: skip
    return CloudCall(reason, words, service, operation, params, back, **content)


def _same(there: Any, wanted: str) -> bool:
    """Equal as JSON, else as text."""
    try:
        return bool(json.loads(str(there)) == json.loads(wanted))
    except ValueError:
        return bool(there == wanted)


def _policy(topic: str, bucket: str) -> dict[str, Any]:
    statement = {
        "Sid": "bucket",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "SNS:Publish",
        "Resource": topic,
        "Condition": {"ArnEquals": {"aws:SourceArn": bucket}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _function(area: StagingArea, state: StagingState) -> list[Node]:
    settings = {
        "FunctionName": area.function,
        "Runtime": area.runtime,
        "Role": area.role,
        "Handler": HANDLER,
        "Description": "Submits a job for each object that arrives in a staging area.",
        "VpcConfig": {"SubnetIds": list(area.subnets), "SecurityGroupIds": list(area.security_groups)},
        "Environment": {"Variables": dict(area.variables)},
    }
    there = state.function
    if there is None:
        return [_call(f"create function {area.function} from {area.file}, {area.runtime}", "lambda", "create_function",
                      settings, back=f"delete function {area.function}",
                      content=area.code, into="Code.ZipFile", file=area.file)]  # fmt: skip
    steps: list[Node] = []
    if there.get("CodeSha256") != base64.b64encode(hashlib.sha256(area.code).digest()).decode():
        steps.append(_call(f"update the code of function {area.function} from {area.file}", "lambda",
                           "update_function_code", {"FunctionName": area.function}, back="ship the earlier code",
                           content=area.code, into="ZipFile", file=area.file))  # fmt: skip
    other = [key for key, value in settings.items() if not _covers(there.get(key), value)]
    if other:
        words = f"update function {area.function}: {', '.join(other)}"
        steps.append(_call(words, "lambda", "update_function_configuration", settings))
    return steps


def _covers(there: Any, wanted: Any) -> bool:
    """The wanted values are there; AWS adds keys of its own, and keeps lists in its own order."""
    if isinstance(wanted, Mapping):
        if set(wanted) == {"Variables"}:
            return bool((there or {}).get("Variables", {}) == wanted["Variables"])
        return isinstance(there, Mapping) and all(_covers(there.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return sorted(there or ()) == sorted(wanted)
    return bool(there == wanted)


def _notify(area: StagingArea, there: Mapping[str, Any], topic: str) -> list[Node]:
    """One more notification beside those that the bucket has; the request replaces them all, so all are in it."""
    rules = [{"Name": "prefix", "Value": area.prefix}]
    if area.suffix:
        rules.append({"Name": "suffix", "Value": area.suffix})
    ours = {"Id": area.notification, "TopicArn": topic, "Events": [EVENT], "Filter": {"Key": {"FilterRules": rules}}}
    kept = [c for c in there.get("TopicConfigurations") or () if c.get("Id") != area.notification]
    if any(_notifies(c) == _notifies(ours) for c in there.get("TopicConfigurations") or ()):
        return []
    others = {k: v for k, v in there.items() if k.endswith("Configurations") or k.startswith("EventBridge")}
    config = {**others, "TopicConfigurations": [*kept, ours]}
    count = len(kept) + sum(len(v) for k, v in others.items() if k != "TopicConfigurations" and isinstance(v, list))
    words = f"notify topic {area.topic} of new objects {area.prefix}*{area.suffix} in s3://{area.bucket}"
    params = {"Bucket": area.bucket, "NotificationConfiguration": config}
    return [_call(words, "s3", "put_bucket_notification_configuration", params,
                  reason=f"{count} others stay" if count else "", back="put the earlier configuration")]  # fmt: skip


def _notifies(config: Mapping[str, Any]) -> Any:
    rules = config.get("Filter", {}).get("Key", {}).get("FilterRules") or ()
    wanted = sorted((str(r["Name"]).lower(), r["Value"]) for r in rules)
    return config.get("Id"), config.get("TopicArn"), list(config.get("Events") or ()), wanted


@dataclass(frozen=True)
class Page:
    """One object of the browse pages."""

    key: str
    content: bytes = field(repr=False)
    type: str
    file: str


def plan_style(
    bucket: str, pages: Sequence[Page], there: Mapping[str, str], website: Mapping[str, Any], encrypt: bool,
    namespace: str,
) -> Plan:  # fmt: skip
    """Objects that differ, and website hosting. there: {key: MD5 in hex}; website: the bucket's configuration.

    With encrypt every object is sent: its sum does not say whether it is encrypted.
    """
    steps: list[Node] = []
    for page in pages:
        if not encrypt and there.get(page.key) == hashlib.md5(page.content, usedforsecurity=False).hexdigest():
            continue
        params = {"Bucket": bucket, "Key": page.key, "ContentType": page.type}
        if encrypt:
            params["ServerSideEncryption"] = "AES256"
        words = f"upload s3://{bucket}/{page.key}{', encrypted by the server' if encrypt else ''}"
        steps.append(_call(words, "s3", "put_object", params, back="ship the earlier style",
                           content=page.content, into="Body", file=page.file))  # fmt: skip
    if not _covers(website, WEBSITE):
        params = {"Bucket": bucket, "WebsiteConfiguration": WEBSITE}  # type: ignore[dict-item]
        words = f"make s3://{bucket} a website with index.html as index and error page"
        steps.append(_call(words, "s3", "put_bucket_website", params, back="delete the website configuration"))
    return Plan("cloud storage ship_style", f"s3://{bucket}", namespace, Group("browse pages", tuple(steps)))
