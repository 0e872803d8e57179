"""A hub configured for the bridge from the documentation of oauthenticator alone.

It has no proxy; the test sends requests to the hub itself.
"""

import os

from jupyterhub.proxy import Proxy

c = get_config()  # type: ignore[name-defined]  # noqa: F821
bridge, port = os.environ["BRIDGE_URL"], os.environ["HUB_PORT"]


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data): ...
    async def delete_route(self, routespec): ...
    async def get_all_routes(self):
        return {}


c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.default_url = "/hub/home"  # labs are not part of this test
c.JupyterHub.authenticator_class = "generic-oauth"
c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": ["read:users"]}]
c.JupyterHub.services = [{"name": "test", "api_token": os.environ["HUB_TEST_TOKEN"]}]
c.GenericOAuthenticator.client_id = "hub"
c.GenericOAuthenticator.client_secret = os.environ["HUB_CLIENT_SECRET"]
c.GenericOAuthenticator.basic_auth = os.environ["HUB_BASIC_AUTH"] == "1"
c.GenericOAuthenticator.oauth_callback_url = f"http://127.0.0.1:{port}/hub/oauth_callback"
c.GenericOAuthenticator.authorize_url = f"{bridge}/authorize"
c.GenericOAuthenticator.token_url = f"{bridge}/token"
c.GenericOAuthenticator.userdata_url = f"{bridge}/userinfo"
c.GenericOAuthenticator.scope = ["openid", "profile", "email", "groups"]
c.GenericOAuthenticator.username_claim = "preferred_username"
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.GenericOAuthenticator.admin_groups = {"jupyter-admins"}
c.GenericOAuthenticator.allowed_groups = {"staff"}
