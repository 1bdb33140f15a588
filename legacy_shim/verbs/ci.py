"""`sds ci add_job|remove_job|build_job`: jobs of the site's Jenkins that build containers from repositories."""

from __future__ import annotations

import re
import sys
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import jinja2

from legacy_shim.console import legacy_session
from sdsk8s.backends.http.jenkins import Jenkins
from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

_REPO = re.compile(r"(?:.+//[^/]*/|[^/@]+@[^/:]+:)(?:.*/)?([^/]+)/([^/]+?)(?:\.git)?/?")
RELEASES = "origin/tags/release-*"
PORT = 8080
BUILD_SECONDS = 6 * 3600.0


def job_name(venue: str, repo: str, branch: str | None) -> str:
    """VENUE_container-builder_OWNER_REPO[_BRANCH]. UsageError when the address names no owner and repository."""
    found = _REPO.fullmatch(repo)
    if found is None:
        raise UsageError(
            f"no owner and repository in {_masked(repo)}", words="https://HOST/OWNER/REPO.git or git@HOST:OWNER/REPO"
        )
    tail = f"_{branch.replace('/', '-')}" if branch else ""
    return f"{venue}_container-builder_{found[1]}_{found[2]}{tail}"


def add_job(options: Options, *, repo: str, storage: str, branch: str | None, token: bool) -> int:
    """Create the job, or update its configuration."""
    session = legacy_session(options)
    config = session.site.config
    name = job_name(_venue(session), repo, branch)
    context = {
        **config,
        "PROJECT_URL": _with_token(session, repo) if token else repo,
        "BRANCH": branch,
        "BRANCH_SPEC": "**" if branch else RELEASES,
        "STORAGE_URL": storage_url(config, storage),
    }
    text = _rendered(session, "config-branch.xml" if branch else "config.xml", context)
    new = _server(session).put(name, text)
    session.console.print(f"{name}: {'created' if new else 'updated'}")
    return 0


def remove_job(options: Options, *, repo: str, branch: str | None) -> int:
    session = legacy_session(options)
    name = job_name(_venue(session), repo, branch)
    _server(session).delete(name)
    session.console.print(f"{name}: removed")
    return 0


def build_job(options: Options, *, repo: str, branch: str | None) -> int:
    """Build and wait; the console's text is the output."""
    session = legacy_session(options)
    name = job_name(_venue(session), repo, branch)
    result = _server(session).build(name, _stream, BUILD_SECONDS)
    good = result == "SUCCESS"
    (session.console.print if good else session.console.note)(f"{name}: {result}")
    return 0 if good else 1


def _stream(text: str) -> None:
    """A piece of the console's text, as it comes."""
    sys.stdout.write(text)
    sys.stdout.flush()


def storage_url(config: Any, kind: str) -> str:
    """Where built containers go. ConfigError names the keys that are missing."""
    keys = {
        "s3": ("S3_ENDPOINT", "CODE_BUCKET"),
        "gs": ("GS_ENDPOINT", "CODE_BUCKET"),
        "dav": ("DAV_USER", "DAV_PASSWORD", "DAV_SERVER"),
    }
    wanted = keys[kind.removesuffix("s") if kind in ("s3s", "davs") else kind]
    values = [str(config.get(k) or "") for k in wanted]
    if not all(values):
        missing = ", ".join(k for k, v in zip(wanted, values, strict=True) if not v)
        raise ConfigError(f"storage {kind} needs {missing}", next="sds configure")
    if kind.startswith("dav"):
        user, password, server = quote(values[0], safe=""), quote(values[1], safe=""), values[2]
        return f"{kind}://{user}:{password}@{server}/repository/products/containers/"
    return f"{kind}://{values[0]}/{values[1]}/"


def _venue(session: Session) -> str:
    venue = session.site.config.get("VENUE")
    if not venue:
        raise ConfigError("VENUE is empty", target=f"{session.home}/config", next="sds configure")
    return str(venue)


def _with_token(session: Session, repo: str) -> str:
    token = session.site.config.get("GIT_OAUTH_TOKEN")
    if not token:
        raise ConfigError("GIT_OAUTH_TOKEN is empty", target=f"{session.home}/config", next="omit -k, or set the key")
    parts = urlsplit(repo)
    if not parts.netloc:
        raise UsageError("-k expects an https address", words=repo)
    return urlunsplit(parts._replace(netloc=f"{token}@{parts.netloc.rpartition('@')[2]}"))


def _rendered(session: Session, name: str, context: dict[str, Any]) -> str:
    folder = session.home / "files"
    loader = jinja2.FileSystemLoader(str(folder))
    try:
        return jinja2.Environment(loader=loader, autoescape=True).get_template(name).render(**context)
    except jinja2.TemplateNotFound:
        raise ConfigError(
            f"template not found: {name}", target=str(folder), next="copy it from the legacy installation"
        ) from None
    except jinja2.TemplateError as err:
        raise ConfigError("the template cannot be filled in", target=str(folder / name), words=str(err)) from None


def _server(session: Session) -> Jenkins:
    config = session.site.config
    user, key = (str(config.get(k) or "").strip() for k in ("JENKINS_API_USER", "JENKINS_API_KEY"))
    if not user or not key:
        raise ConfigError(
            "Jenkins needs an API user and key",
            target=f"{session.home}/config",
            next="set JENKINS_API_USER and JENKINS_API_KEY",
        )
    base = config.get("JENKINS_URL") or (f"http://{config['CI_PVT_IP']}:{PORT}" if config.get("CI_PVT_IP") else "")
    if not base:
        raise ConfigError(
            "no address configured for Jenkins", target=f"{session.home}/config", next="set JENKINS_URL or CI_PVT_IP"
        )
    return Jenkins(str(base), user, key)


def _masked(repo: str) -> str:
    """The address without what stands before its host."""
    return re.sub(r"//[^/@]*@", "//", repo)
