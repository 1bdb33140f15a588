"""What a verb works with: options, Console, site, catalogue, cluster and images, each made when first asked for.

The back ends and the catalogue are imported here and when they are asked for: a verb's help, and a verb that needs no
cluster, load no back end; a copy to a pod loads no catalogue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.autoscalers import autoscalers
from sdsk8s.backends.kubernetes.history import History
from sdsk8s.backends.kubernetes.leases import Lock
from sdsk8s.backends.kubernetes.snapshot import KINDS, snapshot
from sdsk8s.console import debug
from sdsk8s.console.console import Console
from sdsk8s.errors import ConfigError
from sdsk8s.model.observed import Observed
from sdsk8s.model.site import Site
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.legacy import ssh_key
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.backends.bundles import Bundles
    from sdsk8s.backends.docker.images import Images
    from sdsk8s.backends.kubernetes.api import Cluster
    from sdsk8s.backends.kubernetes.pod import PodTarget
    from sdsk8s.backends.ssh import HostTarget
    from sdsk8s.model.catalogue import Catalogue
    from sdsk8s.model.component import Component


class Session:
    """One run's view of the world. Reading the site and catalogue comes first, so that bad files fail first."""

    def __init__(self, options: Options, console: Console | None = None) -> None:
        self.options = options
        self.console = console or Console()
        site = load_site(home_folder(options.home))
        self.site: Site = dataclasses.replace(
            site, namespace=options.namespace or site.namespace, context=options.context or site.context
        )
        if options.debug:
            debug.hide(self.site.secret_values().values())

    @cached_property
    def catalogue(self) -> Catalogue:
        """ConfigError when site.yaml names a component that it does not have."""
        from sdsk8s.site.catalogue import load_catalogue

        found = load_catalogue(self.site.manifests)
        for name in self.site.components:
            if name not in found.components:
                raise ConfigError(
                    f'components.{name}: unknown component "{name}"',
                    target=f"{self.site.home}/site.yaml",
                    words="known: " + ", ".join(c.name for c in found.ordered()),
                )
        return found

    def again(self) -> Session:
        """A new session with the same options, which has read nothing yet."""
        return Session(self.options, self.console)

    @property
    def home(self) -> Path:
        return Path(self.site.home)

    @property
    def only_shows(self) -> bool:
        """The plan is printed and nothing is done."""
        return self.options.dry_run or self.options.print_kubectl

    @cached_property
    def cluster(self) -> Cluster:
        from sdsk8s.backends.kubernetes.kubeconfig import connect

        return connect(self.site.context, self.options.kubeconfig, self.site.namespace)

    @cached_property
    def history(self) -> History:
        return History(self.cluster)

    @cached_property
    def images(self) -> Images:
        from sdsk8s.backends.docker.images import Images

        return Images(self.site, self.catalogue)

    @cached_property
    def bundles(self) -> Bundles:
        from sdsk8s.backends.bundles import Bundles

        return Bundles(self.site, self.images.registry)

    def lock(self, holder: str, message: str, run_id: str = "") -> Lock:
        """The site's lock, not held yet. message: what it is for."""
        return Lock(self.cluster, f"sdsk8s-{self.site.name}", holder, message, run_id=run_id)

    @cached_property
    def pod(self) -> Callable[[str, str], PodTarget]:
        """pod(name, container): a place where commands run."""
        from sdsk8s.backends.kubernetes.pod import PodTarget

        return partial(PodTarget, self.cluster)

    @cached_property
    def host(self) -> Callable[[str], HostTarget]:
        """host(address): the same for a host over SSH. Ask for it before threads do: it loads a large library."""
        from sdsk8s.backends.ssh import HostTarget

        return partial(HostTarget, key=ssh_key(self.site.config), known_hosts=self.home / "known_hosts")

    def here(self, components: list[Component]) -> list[Component]:
        """Those that live in the cluster. External ones are left to their owners."""
        return [c for c in components if self.site.where(c.name) == "kubernetes"]

    def observe(self, *kinds: str) -> Observed:
        """The cluster as it is now, of all kinds or of these; image digests are added when they are known."""
        return Observed(objects=snapshot(self.cluster, kinds or KINDS))

    def autoscalers(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """What else sets replicas: ({kind: {name: object}}, the kinds that this account may not read)."""
        return autoscalers(self.cluster)
