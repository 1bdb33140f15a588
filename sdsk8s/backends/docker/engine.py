"""Docker Engine, or anything that speaks its API: build, push, look. The classic builder is enough."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3

from sdsk8s.backends.deferred import defer
from sdsk8s.backends.docker.recipe import BuildRequest, BuiltImage
from sdsk8s.errors import ImageError

defer("paramiko")  # for engines behind ssh:// alone, and half of the time that the docker package takes to load
import docker  # noqa: E402
from docker.errors import APIError, DockerException, ImageNotFound  # noqa: E402

OnLine = Callable[[str], None]
LAST_LINES = 15
# the classic builder says "Step 3/9 : RUN x", buildah behind Podman's API "[1/2] STEP 3/9: RUN x"
_STEP = re.compile(r"(?:\[\d+/\d+\] )?step (\d+)/(\d+) ?: (.*)", re.I)
_DIGEST = re.compile(r"\bdigest: (sha256:[0-9a-f]{64})")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TIMEOUT_S = 900  # of one read: a step may be silent for long


@dataclass(frozen=True)
class EngineImage:
    """One tag in the engine. created: seconds since 1970; size: bytes."""

    ref: str
    created: int
    size: int
    labels: Mapping[str, str]


@dataclass
class _Progress:
    """Where a build stands: the current step and its last lines."""

    number: int = 0
    step: str = ""
    lines: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        if found := _STEP.fullmatch(line):
            self.number, self.step = int(found.group(1)), found.group(3)
            self.lines.clear()
        elif line and not line.startswith((" ---> ", "Removing intermediate container")):
            self.lines = [*self.lines, line][-LAST_LINES:]


class Engine:
    """One endpoint. url: `unix:///...`, `tcp://...`; None takes DOCKER_HOST or the default socket."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self._client: Any = None

    @property
    def _api(self) -> Any:
        if self._client is None:
            environ = {**os.environ, "DOCKER_HOST": self.url}
            with self._words("the container engine does not answer"):
                # from_env brings TLS settings and registry credentials along
                self._client = docker.from_env(environment=environ, timeout=TIMEOUT_S)
        return self._client.api

    def ping(self) -> dict[str, Any]:
        """The engine's version document. ImageError with the endpoint when it does not answer."""
        api = self._api
        with self._words("the container engine does not answer"):
            return dict(api.version())

    def has(self, ref: str) -> bool:
        """True when the engine itself has the image."""
        try:
            self._inspect(ref)
        except ImageNotFound:
            return False
        return True

    def size(self, ref: str) -> int:
        """Uncompressed size in bytes of all layers. ImageError when the image does not exist."""
        try:
            return int(self._inspect(ref)["Size"])
        except ImageNotFound as err:
            raise ImageError("the engine has no such image", target=ref, words=err.explanation or "") from None

    def build(self, request: BuildRequest, on_line: OnLine) -> BuiltImage:
        """Build; every line goes to the log file and to on_line. ImageError names step, Dockerfile line, last lines.

        Builds share the engine's host network (it may have no bridge), so that they reach what the host reaches.
        """
        started = time.monotonic()
        progress = _Progress()
        request.log.parent.mkdir(parents=True, exist_ok=True)
        api = self._api
        with self._words(f"image {request.name} was not built"), request.log.open("w") as log:
            stream = api.build(
                fileobj=request.context,
                custom_context=True,
                tag=request.ref,
                target=request.target or "",
                buildargs=dict(request.args),
                network_mode="host",
                rm=True,
                forcerm=True,
                decode=True,
            )
            for line in _lines(stream):
                if isinstance(line, _Failure):
                    log.write(f"{line.text}\n")
                    raise _build_error(request, progress, line.text)
                log.write(f"{line}\n")
                progress.take(line)
                on_line(line)
        image = self._inspect(request.ref)
        return BuiltImage(str(image["Id"]), request.ref, int(image["Size"]), time.monotonic() - started)

    def push(self, ref: str, on_line: OnLine) -> str:
        """Push; the manifest's digest `sha256:...`. ImageError with the registry's words."""
        repository, _, tag = ref.rpartition(":")
        digest = ""
        api = self._api
        with self._words(f"{ref} was not pushed"):
            for event in api.push(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    raise ImageError(
                        "the image was not pushed", target=ref, words=event["error"], next=_push_hint(event["error"])
                    )
                # Docker gives the digest as a field, Podman only in its last line of text.
                told = _DIGEST.search(str(event.get("status") or event.get("stream") or ""))
                digest = (event.get("aux") or {}).get("Digest") or (told[1] if told else digest)
                # one line per layer and change of state, not per progress tick
                if event.get("status") and not event.get("progressDetail"):
                    on_line(" ".join(part for part in (event.get("id"), event["status"]) if part))
        if not digest:
            raise ImageError(
                "the push returned no digest", target=ref, words="the engine ended the push without a message"
            )
        return digest

    def pull(self, ref: str, on_line: OnLine) -> None:
        """Fetch an image by tag or digest. ImageError with the registry's words."""
        name, at, digest = ref.partition("@")
        repository, _, tag = name.rpartition(":") if not at else (name, "", digest)
        api = self._api
        with self._words(f"{ref} was not pulled"):
            for event in api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    words = str(event["error"])
                    raise ImageError("the image was not pulled", target=ref, words=words, next=_push_hint(words))
                if event.get("status") and not event.get("progressDetail"):
                    on_line(" ".join(part for part in (event.get("id"), event["status"]) if part))

    def labelled(self, label: str) -> list[EngineImage]:
        """Tagged images of the engine that carry a label (`name` or `name=value`), newest first."""
        api = self._api
        with self._words("the container engine cannot list its images"):
            found = api.images(filters={"label": label})
        out = [
            EngineImage(str(tag), int(i["Created"]), int(i["Size"]), dict(i.get("Labels") or {}))
            for i in found
            for tag in i.get("RepoTags") or ()
            if not str(tag).startswith("<none>")
        ]
        return sorted(out, key=lambda i: -i.created)

    def remove(self, ref: str) -> None:
        """Remove the tag, and the layers that nothing else needs. ImageError while a container uses it."""
        api = self._api
        with self._words(f"{ref} was not removed"):
            api.remove_image(ref)

    def files(self, ref: str) -> Iterator[bytes]:
        """The image's whole file system as the pieces of one tar. Nothing of it is run."""
        api = self._api
        with self._words(f"{ref} cannot be opened"):
            container = api.create_container(ref, command=["true"])
            try:
                yield from api.export(container["Id"])
            finally:
                api.remove_container(container["Id"], force=True)

    def config(self, ref: str) -> dict[str, Any]:
        """The image's settings: User, Env, Cmd, Labels."""
        try:
            return dict(self._inspect(ref).get("Config") or {})
        except ImageNotFound as err:
            raise ImageError("the engine has no such image", target=ref, words=err.explanation or "") from None

    def commands(self, ref: str) -> list[str]:
        """The commands that made the image's layers, newest first."""
        api = self._api
        with self._words(f"{ref} has no history"):
            return [str(step.get("CreatedBy", "")) for step in api.history(ref)]

    def _inspect(self, ref: str) -> dict[str, Any]:
        api = self._api
        with self._words("the container engine cannot inspect the image"):
            return dict(api.inspect_image(ref))

    @contextmanager
    def _words(self, what: str) -> Iterator[None]:
        """Turn the SDK's errors into ours, with endpoint and next step; ImageNotFound passes."""
        try:
            yield
        except ImageNotFound:
            raise
        except APIError as err:
            raise ImageError(what, target=self.url, words=str(err.explanation or err)) from err
        except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as err:
            raise ImageError(
                what,
                target=self.url,
                words=str(err),
                next="start the engine, or name its address: `engine:` in site.yaml or DOCKER_HOST",
            ) from err


@dataclass(frozen=True)
class _Failure:
    text: str


def _lines(stream: Iterator[Mapping[str, Any]]) -> Iterator[str | _Failure]:
    """Whole lines of a build's event stream; a _Failure is the last item of a failed one."""
    rest = ""
    for event in stream:
        if "error" in event or "errorDetail" in event:
            if rest:
                yield rest
            yield _Failure(str(event.get("error") or event["errorDetail"].get("message", "")))
            return
        rest += str(event.get("stream", ""))
        *whole, rest = rest.split("\n")
        yield from (_COLOUR.sub("", line.rsplit("\r", 1)[-1]).rstrip() for line in whole)
    if rest:
        yield rest


def dockerfile_line(text: str, number: int, step: str) -> int:
    """Line of the step in the Dockerfile, 1 for the first; 0 when it is unknown.

    number is the step's number as the builder counts (instructions from the top), step its text on one line.
    """
    starts: list[tuple[int, str]] = []
    current: list[str] = []
    for index, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not current:
            starts.append((index, ""))
        current.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            starts[-1] = (starts[-1][0], " ".join(" ".join(current).split()))
            current = []
    wanted = " ".join(step.split())
    if 0 < number <= len(starts) and starts[number - 1][1] == wanted:
        return starts[number - 1][0]
    same = [index for index, instruction in starts if instruction == wanted]
    return same[0] if same else 0


def _build_error(request: BuildRequest, progress: _Progress, failure: str) -> ImageError:
    line = dockerfile_line(request.dockerfile, progress.number, progress.step)
    place = f"step {progress.number}" + (f", Dockerfile line {line}" if line else "") + f": {progress.step[:160]}"
    # the builder repeats the whole instruction before the only news, the exit code
    reason = re.sub(r"The command '.*' returned", "the command returned", failure, flags=re.S)
    return ImageError(
        f"image {request.name} was not built",
        target=place if progress.step else request.ref,
        words="\n".join([*progress.lines, reason]),
        next=f"read the whole log: {request.log}",
    )


def _push_hint(words: str) -> str:
    if "HTTP response to HTTPS client" in words:
        return "the registry speaks plain HTTP: add it to the engine's `insecure-registries`"
    if "denied" in words or "unauthorized" in words or "authentication" in words:
        return "docker login REGISTRY"
    return "curl -s http://REGISTRY/v2/"
