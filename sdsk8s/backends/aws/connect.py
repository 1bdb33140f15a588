"""Clients of boto3 with a site's settings, and its errors in words that name the cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from sdsk8s.errors import CloudError, CredentialsError
from sdsk8s.model.site import Site

_AMAZON = ".amazonaws.com"


def endpoint(site: Site, key: str = "S3_ENDPOINT") -> str:
    """URL of the site's S3 service; "" for Amazon's own, which boto3 finds by the region.

    key: of the configuration: S3_ENDPOINT (bundles; site.yaml's `ship` goes before it) or DATASET_S3_ENDPOINT.
    """
    own = site.s3_endpoint if key == "S3_ENDPOINT" else ""
    given = own or str(site.config.get(key) or "")
    if not given or (given.endswith(_AMAZON) and not own):
        return ""
    return given if "://" in given else f"https://{given}"


def client(site: Site, service: str, endpoint: str = "") -> Any:
    """A boto3 client. Credentials: AWS_ACCESS_KEY and AWS_SECRET_KEY of the configuration, else boto3's own chain
    (environment, ~/.aws, instance role). endpoint: "" leaves it to boto3 (AWS_ENDPOINT_URL, or Amazon's own)."""
    config = site.config
    keys: dict[str, str] = {}
    if config.get("AWS_ACCESS_KEY") and config.get("AWS_SECRET_KEY"):
        keys["aws_access_key_id"] = str(config["AWS_ACCESS_KEY"])
        keys["aws_secret_access_key"] = str(config["AWS_SECRET_KEY"])
    settings = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"})
    region = str(config.get("AWS_REGION") or "us-east-1")
    with explained(service):
        session = botocore.session.Session()
        session.register_component("data_loader", _loader())
        return boto3.session.Session(botocore_session=session).client(
            service, region_name=region, endpoint_url=endpoint or None, config=settings, **keys
        )


@cache
def _loader() -> Any:
    """boto3's descriptions of the services, read once: a second client of a service costs little."""
    return botocore.session.Session().get_component("data_loader")


@contextmanager
def explained(target: str) -> Iterator[None]:
    """Turn boto3's errors into CloudError: what failed, the service's own words, and what to try."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as err:
        raise CredentialsError(
            "no AWS credentials are configured",
            target=target,
            words=str(err),
            next="set AWS_ACCESS_KEY and AWS_SECRET_KEY in the configuration, AWS_PROFILE, or use an instance role",
        ) from None
    except NoRegionError as err:
        raise CloudError("no AWS region is set", target=target, words=str(err), next="set AWS_REGION") from None
    except (HTTPClientError, EndpointConnectionError) as err:
        raise CloudError(
            "the service does not answer", target=target, words=str(err), next="check the endpoint and the network"
        ) from None
    except ClientError as err:
        error = err.response.get("Error", {})
        code = str(error.get("Code", ""))
        raise CloudError(
            _WHAT.get(code, f"AWS refused {err.operation_name}"),
            target=target,
            words=f"{code}: {error.get('Message', '')}",
            next=_NEXT.get(code, ""),
        ) from None
    except BotoCoreError as err:
        raise CloudError("the request to AWS failed", target=target, words=str(err)) from None


_WHAT = {
    "AccessDenied": "these credentials lack the permission for that",
    "InvalidAccessKeyId": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "NoSuchBucket": "the bucket does not exist",
    "404": "no such bucket or object",
    "403": "these credentials lack the permission for that",
}
_NEXT = {
    "NoSuchBucket": "create the bucket, or correct its name in the configuration",
    "InvalidAccessKeyId": "correct AWS_ACCESS_KEY",
    "SignatureDoesNotMatch": "correct AWS_SECRET_KEY",
}
