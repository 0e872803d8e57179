"""The hub's own configuration without proxy and labs; the tests send requests to the hub itself."""

import os
import sys
from pathlib import Path

from jupyterhub.proxy import Proxy

from hub.base_config import configure_hub, load_conf_d
from hub.config.field_types import SettingsError
from hub.config.settings import HubSettings, load_settings

c = get_config()  # type: ignore[name-defined]  # noqa: F821
try:
    configure_hub(c, load_settings(os.environ, HubSettings))
except SettingsError as fault:
    sys.exit(str(fault))


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
load_conf_d(Path(os.environ["HUB_CONF_DIR"]), c)
