"""Handlers of the steps that build images, and remove them from engine and registry."""

from __future__ import annotations

from sdsk8s.backends.docker.images import Images
from sdsk8s.backends.steps import Handlers, RunFacts, Say
from sdsk8s.planner.steps import Build, RemoveImage


def handlers(images: Images, run: RunFacts) -> Handlers:
    """{step type: handler}. A build adds its digest to those of the run."""

    def build(step: Build, say: Say) -> str:
        built = images.build(step.image, step.ref, say, run.logs)
        run.digests.add(step.ref, built.digest)
        return built.fact

    def remove(step: RemoveImage, say: Say) -> None:
        if step.where == "engine":
            images.engine.remove(step.ref)
        else:
            images.registry.delete(step.ref)

    return {Build: build, RemoveImage: remove}
