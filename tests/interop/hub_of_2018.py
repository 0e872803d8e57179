"""A hub configuration of 2018: a login handler that contains the URLs, without OpenID Connect.

Current libraries require only one addition, the allowed users. It has neither proxy nor labs, like
`jupyterhub_config.py`.
"""

import os

from jupyterhub.proxy import Proxy
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthLoginHandler

c = get_config()  # type: ignore[name-defined]  # noqa: F821
bridge, port = os.environ["BRIDGE_URL"], os.environ["HUB_PORT"]


class LoginHandler(OAuthLoginHandler):
    _OAUTH_AUTHORIZE_URL = f"{bridge}/login"
    _OAUTH_ACCESS_TOKEN_URL = f"{bridge}/token"


class FormerAuthenticator(GenericOAuthenticator):
    login_service = "CAS"
    login_handler = LoginHandler


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data): ...
    async def delete_route(self, routespec): ...
    async def get_all_routes(self):
        return {}


c.JupyterHub.authenticator_class = FormerAuthenticator
c.FormerAuthenticator.client_id = "0"
c.FormerAuthenticator.client_secret = os.environ["HUB_CLIENT_SECRET"]
c.FormerAuthenticator.oauth_callback_url = f"http://127.0.0.1:{port}/hub/oauth_callback"
c.FormerAuthenticator.token_url = f"{bridge}/token"
c.FormerAuthenticator.userdata_url = f"{bridge}/userdata"
c.FormerAuthenticator.allow_all = True
# The behaviour of 2018, before these were options.
c.FormerAuthenticator.enable_pkce = False
c.FormerAuthenticator.basic_auth = True

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.default_url = "/hub/home"
