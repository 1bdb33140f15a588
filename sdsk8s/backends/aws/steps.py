"""Handlers of the steps that are requests to a cloud, sent with the site's credentials."""

from __future__ import annotations

from sdsk8s.backends.aws.calls import send
from sdsk8s.backends.steps import Handlers, Say
from sdsk8s.model.site import Site
from sdsk8s.planner.steps import CloudCall


def handlers(site: Site) -> Handlers:
    """{step type: handler}."""

    def call(step: CloudCall, say: Say) -> str:
        return send(site, step.service, step.operation, step.params, step.into, step.content)

    return {CloudCall: call}
