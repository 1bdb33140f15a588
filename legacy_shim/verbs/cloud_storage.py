"""`sds cloud storage ship_style` and `create_staging_area`."""

from __future__ import annotations

import dataclasses
import io
import json
import mimetypes
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from legacy_shim.console import LegacyConsole, legacy_session
from legacy_shim.verbs.cloud import cloud_run, only_aws
from legacy_shim.verbs.cloud_answers import Answers
from legacy_shim.verbs.cloud_asg import security_groups, subnets
from sdsk8s.backends.aws import calls, inventory, staging
from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.model.bundle import BundleFile
from sdsk8s.model.site import Site
from sdsk8s.planner.cloud.staging import RUNTIME, Page, StagingArea, StagingState, arns, plan_staging, plan_style
from sdsk8s.render.bundles import render_file
from sdsk8s.verbs.options import Options

KEYS = (
    "LAMBDA_SECURITY_GROUPS",
    "LAMBDA_VPC",
    "LAMBDA_ROLE",
    "LAMBDA_RUNTIME",
    "SUBNETS",
    "JOB_TYPE",
    "JOB_RELEASE",
    "JOB_QUEUE",
    "JOB_TYPES",
    "MOZART_URL",
)
"""Of --set and --from. LAMBDA_RUNTIME, SUBNETS, JOB_TYPES and MOZART_URL are never asked."""
FUNCTION = "hysds-cloud-functions/aws/data-staged"
LISTING = "s3-bucket-listing"
"""Folders of the site's source tree."""
TEMPLATE = "s3-bucket-listing.html.tmpl"


def ship_style(options: Options, *, cloud: str, bucket: str | None, encrypt: bool) -> int:
    only_aws(cloud, "storage ship_style")
    session = legacy_session(options)
    site = session.site
    name = _bucket(site, bucket)
    pages = style_pages(site, name)
    there = staging.sums(site, name, [p.key for p in pages])
    plan = plan_style(name, pages, there, staging.website(site, name), encrypt, site.namespace)
    return cloud_run(session, plan, f"Shipping the browse pages to {name}")


def style_pages(site: Site, bucket: str) -> list[Page]:
    """index.html, list.js and the files below index-style. ConfigError: a file is missing or contains secrets."""
    template = Path(site.home) / "files" / TEMPLATE
    folder = Path(site.source) / LISTING
    for path in (template, folder / "list.js", folder / "index-style"):
        if not path.exists():
            words = "the template is one of the site's files, the rest is the package s3-bucket-listing of its tree"
            raise ConfigError("some browse pages are missing", target=str(path), words=words)
    here = dataclasses.replace(site, config={**site.config, "DATASET_BUCKET": bucket})
    text = render_file(here, BundleFile("index.html", (TEMPLATE,)), template.read_bytes(), "")
    for key, value in site.secret_values().items():
        if value.encode() in text:
            raise ConfigError(f"the value of {key} would be visible in the page", target=str(template))
    files = [folder / "list.js", *sorted(p for p in (folder / "index-style").rglob("*") if p.is_file())]
    pages = [Page("index.html", text, "text/html", "index.html")]
    for file in files:
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        pages.append(Page(file.relative_to(folder).as_posix(), file.read_bytes(), kind, str(file)))
    return pages


def create_staging_area(
    options: Options,
    *,
    cloud: str,
    bucket: str | None,
    prefix: str,
    suffix: str | None,
    source: str | None,
    assignments: Iterable[str] | None,
) -> int:
    only_aws(cloud, "storage create_staging_area")
    session = legacy_session(options)
    site = session.site
    answers = Answers(LegacyConsole(), KEYS, site.config, "STAGING_AREA", source, assignments)
    name = _bucket(site, bucket)
    code = zipped(Path(site.source) / FUNCTION)
    there = staging.notifications(site, name)
    partition, region, account = calls.account(site)
    area = _ask(site, answers, name, prefix, suffix or "", code)
    topic, function = arns(area, partition, region, account)
    attributes, configuration = staging.topic(site, topic), staging.function(site, area.function)
    state = StagingState(
        attributes,
        configuration,
        staging.invokers(site, area.function) if configuration else {},
        staging.subscribed(site, topic) if attributes else (),
        there,
    )
    plan = plan_staging(area, state, topic, function, partition, site.namespace)
    return cloud_run(session, plan, f"Creating a staging area in {name}")


def _ask(site: Site, answers: Answers, bucket: str, prefix: str, suffix: str, code: bytes) -> StagingArea:
    """The questions in the legacy order."""
    question = "Select security groups lambda will use"
    groups, vpc = security_groups(site, answers, "LAMBDA_SECURITY_GROUPS", "LAMBDA_VPC", question)
    nets = subnets(site, answers, vpc)
    roles = {str(r["Arn"]): f"{r['Arn']} ({r.get('CreateDate', '')})" for r in inventory.roles(site)}
    role = answers.choose("LAMBDA_ROLE", "Current roles are", "Select role to use for lambda execution", roles)
    job = answers.text("JOB_TYPE", "Enter job type to submit on data staged event")
    release = answers.text("JOB_RELEASE", f"Enter release version for {job}")
    queue = answers.text("JOB_QUEUE", f"Enter queue name to submit {job}-{release} jobs to")
    variables = {
        "DATASET_S3_ENDPOINT": str(site.config.get("DATASET_S3_ENDPOINT") or ""),
        "JOB_TYPE": job,
        "JOB_RELEASE": release,
        "JOB_QUEUE": queue,
        "MOZART_URL": str(answers.get("MOZART_URL") or f"https://{site.config.get('MOZART_PVT_IP')}/mozart"),
    }
    types = _mapping(answers.get("JOB_TYPES"))
    if types:
        variables["JOB_TYPES"] = json.dumps(types)
    if suffix:
        variables["SIGNAL_FILE_SUFFIX"] = suffix
    runtime = str(answers.get("LAMBDA_RUNTIME") or RUNTIME)
    venue = str(site.config.get("VENUE") or "ops")
    return StagingArea(
        venue, bucket, prefix, suffix, role, tuple(groups), tuple(nets), variables, code, runtime=runtime
    )


def _mapping(value: Any) -> dict[str, Any]:
    """JOB_TYPES: {job type: regular expression of file names}, as YAML or as JSON text."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError as err:
            raise UsageError("JOB_TYPES is not valid JSON", words=str(err)) from None
    if value and not isinstance(value, dict):
        raise UsageError("JOB_TYPES: expected a mapping of job types to regular expressions")
    return dict(value or {})


def zipped(folder: Path) -> bytes:
    """The folder's files in a zip archive whose bytes depend on nothing else."""
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    if not files:
        words = "the function's code is the package hysds-cloud-functions of the site's source tree"
        raise ConfigError("the code of the function is missing", target=str(folder), words=words)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if file.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def _bucket(site: Site, given: str | None) -> str:
    name = given or str(site.config.get("DATASET_BUCKET") or "")
    if not name:
        raise ConfigError("no bucket configured", target=f"{site.home}/config", next="set DATASET_BUCKET, or -b BUCKET")
    return name
