"""JupyterHub's configuration but for where labs run: who comes in, by which routes, what is kept, what is stopped.

Environment in, `c.X` out; `hub/settings.py` lists the environment. Loaded by `jupyterhub_config.py` (labs in
containers) and by the demo (labs as plain processes).
"""

import os
import sys
from urllib.parse import urlencode

from traitlets.log import get_logger

from hub.operations import measure, roles, services
from hub.proxy import EdgeProxy
from hub.settings import Reader, SettingsError, read_hub

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # given by JupyterHub

reader = Reader(os.environ)
hub = read_hub(reader)
try:
    reader.check()
except SettingsError as fault:
    sys.exit(str(fault))

# ── Who comes in ─────────────────────────────────────────────────────────────────────────────────────────────
c.JupyterHub.authenticator_class = "generic-oauth"
# A page with one button rather than `auto_login`: a browser that reopens five tabs would start five sign-ins, of
# which one at most succeeds (each replaces the state of the one before), and whoever signs out on a shared
# computer would be signed in again by the next click, for as long as CAS remembers them.
c.OAuthenticator.auto_login = False
c.OAuthenticator.login_service = "CAS"
c.OAuthenticator.client_id = hub.oauth_client_id
c.OAuthenticator.client_secret = hub.oauth_client_secret
c.OAuthenticator.oauth_callback_url = f"{hub.public_url}/hub/oauth_callback"
c.OAuthenticator.enable_pkce = True
c.OAuthenticator.scope = ["openid", "profile", "email", "groups"]
# The browser goes to the public address, the hub itself to the internal one: no way out and back in again through
# a firewall that may not allow it, and no certificate to trust on the way.
c.OAuthenticator.authorize_url = f"{hub.auth_public_url}/authorize"
c.OAuthenticator.token_url = f"{hub.auth_internal_url}/token"
c.OAuthenticator.userdata_url = f"{hub.auth_internal_url}/userinfo"
c.OAuthenticator.http_request_kwargs = {"connect_timeout": 5, "request_timeout": 15}
# Signing out of the hub alone would sign the next person at a shared computer in again by one click. The bridge asks,
# ends its own session as well, and lets nobody else in by CAS's memory.
back = urlencode({"client_id": hub.oauth_client_id, "post_logout_redirect_uri": f"{hub.public_url}/hub/login"})
c.OAuthenticator.logout_redirect_url = f"{hub.auth_public_url}/logout?{back}"
c.OAuthenticator.username_claim = "preferred_username"
# Names become container names, volume names and Traefik rules, in which a backtick would be code.
c.Authenticator.username_pattern = r"^[a-z0-9][a-z0-9._@-]{0,62}$"

c.OAuthenticator.manage_groups = True
c.OAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.OAuthenticator.admin_groups = set(hub.admin_groups)
c.OAuthenticator.allowed_groups = set(hub.allowed_groups)
c.OAuthenticator.allow_all = hub.everyone_is_allowed
if not (hub.everyone_is_allowed or hub.allowed_groups):
    who = "members of ADMIN_GROUPS" if hub.admin_groups else "nobody, because ADMIN_GROUPS is empty as well"
    get_logger().warning(f"ALLOWED_GROUPS is empty, so {who} may sign in; '*' lets in everyone whom CAS lets in")

# ── By which routes ──────────────────────────────────────────────────────────────────────────────────────────
# Known, not guessed from requests: it decides the callback, absolute links and whether cookies are Secure.
c.JupyterHub.public_url = f"{hub.public_url}/"
c.JupyterHub.hub_bind_url = hub.bind_url
c.JupyterHub.hub_connect_url = hub.api_connect_url
c.JupyterHub.proxy_class = EdgeProxy
c.EdgeProxy.should_start = False
c.EdgeProxy.enable_setup_dynamic_config = False  # edge/routes.yml has the API's route and password
c.EdgeProxy.dynamic_config_file = hub.traefik_dynamic_file
c.EdgeProxy.traefik_entrypoint = "websecure"
c.EdgeProxy.traefik_api_url = hub.traefik_api_url
c.EdgeProxy.traefik_api_username = hub.traefik_api_user
c.EdgeProxy.traefik_api_password = hub.traefik_api_password

# ── What is kept ─────────────────────────────────────────────────────────────────────────────────────────────
c.JupyterHub.db_url = f"sqlite:///{hub.data_dir}/jupyterhub.sqlite"
c.JupyterHub.upgrade_db = True  # a copy of the old file stays beside it
c.JupyterHub.cookie_secret_file = f"{hub.data_dir}/cookie_secret"
# A restart of the hub is nobody's business but the administrator's: labs go on, and are found again.
c.JupyterHub.cleanup_servers = False

# ── What labs do, and when they stop ─────────────────────────────────────────────────────────────────────────
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = 60
c.Spawner.start_timeout = 120
c.Spawner.args = []
if hub.lab_idle_timeout:
    # The culler stops labs nobody used for that long. It sees kernels as use; those that only wait in a forgotten
    # tab, connected but idle, are therefore ended first, inside the lab.
    c.Spawner.args = [
        f"--MappingKernelManager.cull_idle_timeout={hub.lab_idle_timeout}",
        "--MappingKernelManager.cull_connected=True",
        f"--TerminalManager.cull_inactive_timeout={hub.lab_idle_timeout}",
    ]
    c.JupyterHub.services = [
        {
            "name": "idle-culler",
            "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={hub.lab_idle_timeout}"],
        }
    ]
    c.JupyterHub.load_roles = [
        {
            "name": "idle-culler",
            "services": ["idle-culler"],
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        }
    ]

# ── Who looks after it ───────────────────────────────────────────────────────────────────────────────────────
if operators := services(hub.data_dir, hub.metrics_token):
    c.JupyterHub.services.extend(operators)
    c.JupyterHub.load_roles.extend(roles(operators))
measure(hub.data_dir)
