"""Proxy class that writes the routes of hub and labs to a file that Traefik watches.

The deployment starts Traefik, which keeps the last routes while the hub is down and needs no Docker socket.
"""

import os
import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from jupyterhub_traefik_proxy.traefik_utils import TraefikConfigFileHandler, atomic_writing, generate_rule
from traitlets import Instance, default, observe

from hub.config.lab_hosts import LabHosts

HUB_HEADERS, LAB_HEADERS = "hub-headers@file", "lab-headers@file"  # deployment/edge/routes.yml
KEPT_ENCODED = re.compile("|".join(map(quote, "%!#$&'()*+,;:=?[]")))
"""Characters that Traefik does not decode before it compares a path, except `/` and `@`: JupyterHub encodes neither."""


class RoutesFile(TraefikConfigFileHandler):  # type: ignore[misc]  # the package is untyped
    """The file of the routes, readable by Traefik, which is another user without capabilities."""

    def atomic_dump(self, data: dict[str, Any]) -> None:
        """Replace the file."""
        with atomic_writing(self.file_path) as stream:
            os.fchmod(stream.fileno(), 0o644)
            self._dump(data, stream)


class EdgeProxy(TraefikFileProviderProxy):  # type: ignore[misc]  # the package carries no types
    """File-provider proxy that limits each route to the hub's host or to a host of the labs.

    Without a host in its rule, /user/<name>/ would also match on the bridge's host, and a user's pages would share an
    origin with the sign-in service.
    """

    lab_hosts = Instance(LabHosts, args=("", ""), help="Hosts of the labs.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        # JupyterHub passes the bind URL of a proxy of its own; Traefik serves the public URL.
        super().__init__(**{**kwargs, "public_url": kwargs["app"].public_url})

    @observe("dynamic_config_file")
    def _set_dynamic_config_file(self, change: Any) -> None:
        self.dynamic_config_handler = RoutesFile(change["new"])

    @default("dynamic_config")
    def _load_routes(self) -> dict[str, Any]:
        """Load the routes from the file, update them to the current host, and drop those of another LAB_HOST."""
        config: dict[str, Any] = super()._load_dynamic_config()
        stored = dict(config["jupyterhub"]["routes"])
        for alias, route in stored.items():
            try:
                current, _ = self._dynamic_config_for_route(route["routespec"], route["target"], route["data"])
            except ValueError:
                del config["jupyterhub"]["routes"][alias], config["http"]["routers"][alias]
                del config["http"]["services"][route["service"]]
                continue
            config["http"]["routers"][alias] = current["http"]["routers"][alias]
        if stored:
            # The hub assumes that loaded routes are in the file, and writes a route only when its target changes.
            self.dynamic_config_handler.atomic_dump(config)
        return config

    def _dynamic_config_for_route(
        self, routespec: str, target: str, data: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        if "`" in unquote(routespec):
            # Traefik's rules quote with backticks, so a backtick in a path could inject a rule.
            raise ValueError(f"a route must not contain a backtick: {routespec!r}")
        hub_host = urlsplit(self.public_url).hostname
        host, _, path = routespec.partition("/")
        is_lab = self.lab_hosts.owns(host)
        if (host not in ("", hub_host) and not is_lab) or (self.lab_hosts.lab_host and not host and path):
            raise ValueError(f"a route must be on the hub's host or on a host of LAB_HOST: {routespec!r}")
        traefik_config, hub_config = super()._dynamic_config_for_route(routespec, target, data)
        # The base class decodes the whole path, which then would not match `%27` or `%2B` in a user's path.
        rule = generate_rule(KEPT_ENCODED.sub(lambda match: quote(match[0]), f"/{path}"))
        for router in traefik_config["http"]["routers"].values():
            router["rule"] = f"Host(`{host or hub_host}`) && ({rule})"
            router["middlewares"] = [LAB_HEADERS if is_lab else HUB_HEADERS]
        return traefik_config, hub_config
