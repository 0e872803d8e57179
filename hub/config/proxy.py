"""Proxy class that writes the routes of hub and labs to a file that Traefik watches.

The deployment starts Traefik, which keeps the last routes while the hub is down and needs no Docker socket.
"""

import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from jupyterhub_traefik_proxy.traefik_utils import generate_rule
from traitlets import default

HEADERS_MIDDLEWARE = "hub-headers@file"  # deployment/edge/routes.yml
KEPT_ENCODED = re.compile("|".join(map(quote, "%!#$&'()*+,;:=?[]")))
"""Characters that Traefik does not decode before it compares a path, except `/` and `@`: JupyterHub encodes neither."""


class EdgeProxy(TraefikFileProviderProxy):  # type: ignore[misc]  # the package carries no types
    """File-provider proxy that limits routes to the hub's own host.

    Without a host in its rule, /user/<name>/ would also match on the bridge's host, and a user's pages would share an
    origin with the sign-in service.
    """

    def __init__(self, **kwargs: Any) -> None:
        # JupyterHub passes the bind URL of a proxy of its own; Traefik serves the public URL.
        super().__init__(**{**kwargs, "public_url": kwargs["app"].public_url})

    @default("dynamic_config")
    def _load_routes(self) -> dict[str, Any]:
        """Load the routes from the file and update them to the current host."""
        config: dict[str, Any] = super()._load_dynamic_config()
        for alias, route in config["jupyterhub"]["routes"].items():
            current, _ = self._dynamic_config_for_route(route["routespec"], route["target"], route["data"])
            config["http"]["routers"][alias] = current["http"]["routers"][alias]
        if config["jupyterhub"]["routes"]:
            # The hub assumes that loaded routes are in the file, and writes a route only when its target changes.
            self.dynamic_config_handler.atomic_dump(config)
        return config

    def _dynamic_config_for_route(
        self, routespec: str, target: str, data: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        if "`" in unquote(routespec):
            # Traefik's rules quote with backticks, so a backtick in a path could inject a rule.
            raise ValueError(f"a route must not contain a backtick: {routespec!r}")
        traefik_config, hub_config = super()._dynamic_config_for_route(routespec, target, data)
        host = urlsplit(self.public_url).hostname
        # The base class decodes the whole path, which then would not match `%27` or `%2B` in a user's path.
        rule = generate_rule(KEPT_ENCODED.sub(lambda match: quote(match[0]), routespec))
        for router in traefik_config["http"]["routers"].values():
            router["rule"] = f"Host(`{host}`) && ({rule})"
            router["middlewares"] = [HEADERS_MIDDLEWARE]
        return traefik_config, hub_config
