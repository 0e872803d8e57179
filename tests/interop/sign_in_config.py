"""The shipped configuration of the hub, without a proxy and without labs: the tests speak to the hub itself."""

import os
from pathlib import Path

from jupyterhub.proxy import Proxy

from hub.config.conf_d import read_site

c = get_config()  # type: ignore[name-defined]  # noqa: F821
load_subconfig("base_config.py", path=str(Path(__file__).parents[2] / "hub"))  # type: ignore[name-defined]  # noqa: F821


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data): ...
    async def delete_route(self, routespec): ...
    async def get_all_routes(self):
        return {}


c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = os.environ["HUB_BIND_URL"]
c.JupyterHub.default_url = "/hub/home"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.services = [{"name": "test", "api_token": os.environ["HUB_TEST_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": ["admin:users", "tokens"]}]
read_site(Path(os.environ["HUB_CONF_DIR"]), c)
