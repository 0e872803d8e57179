"""Traefik as the hub's proxy: writes the route of every lab into a file that Traefik watches.

Traefik belongs to the deployment, not to the hub: it is started by others, keeps the last routes while the hub is
down, and needs no Docker socket. This class adds what the package leaves open: whose host the routes are.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from traitlets import default

HEADERS_MIDDLEWARE = "hub-headers@file"  # deployment/edge/routes.yml


class EdgeProxy(TraefikFileProviderProxy):  # type: ignore[misc]  # the package carries no types
    """Routes for the hub's own host only.

    Without a host in its rule, /user/<name>/ would also answer on the bridge's host: a user's pages there could
    read what belongs to the sign-in.
    """

    def __init__(self, **kwargs: Any) -> None:
        # JupyterHub passes the address it would bind a proxy of its own to; the public one is what counts here.
        super().__init__(**{**kwargs, "public_url": kwargs["app"].public_url})

    @default("dynamic_config")
    def _routes_of_the_last_run(self) -> dict[str, Any]:
        """The routes as the file has them, for the host of today: it may have moved since they were written."""
        config: dict[str, Any] = super()._load_dynamic_config()
        for alias, route in config["jupyterhub"]["routes"].items():
            fresh, _ = self._dynamic_config_for_route(route["routespec"], route["target"], route["data"])
            config["http"]["routers"][alias] = fresh["http"]["routers"][alias]
        if config["jupyterhub"]["routes"]:
            # The hub writes a route when its target changes, and takes these for written.
            self.dynamic_config_handler.atomic_dump(config)
        return config

    def _dynamic_config_for_route(
        self, routespec: str, target: str, data: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        if "`" in unquote(routespec):
            # Traefik's rules quote with backticks: one in a path could end the quotation and write its own rule.
            raise ValueError(f"a route must not hold a backtick: {routespec!r}")
        traefik_config, hub_config = super()._dynamic_config_for_route(routespec, target, data)
        host = urlsplit(self.public_url).hostname
        for router in traefik_config["http"]["routers"].values():
            router["rule"] = f"Host(`{host}`) && ({router['rule']})"
            router["middlewares"] = [HEADERS_MIDDLEWARE]
        return traefik_config, hub_config
