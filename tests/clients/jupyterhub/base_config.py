"""Configuration of the test hub apart from the recipe: no proxy, no labs, no persistent database."""

import os

from jupyterhub.proxy import Proxy

c = get_config()  # type: ignore[name-defined]  # noqa: F821
port = os.environ["HUB_PORT"]


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data): ...
    async def delete_route(self, routespec): ...
    async def get_all_routes(self):
        return {}


c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.default_url = "/hub/home"  # the tests start no labs
c.JupyterHub.services = [{"name": "test", "api_token": os.environ["HUB_TEST_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": ["read:users", "admin:auth_state"]}]
c.Authenticator.auth_refresh_age = 1  # the default is five minutes
