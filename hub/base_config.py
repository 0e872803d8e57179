"""JupyterHub's configuration but for where labs run: who comes in, by which routes, what is kept, what is stopped.

Environment in, `c.X` out; `hub/config/settings.py` lists the environment. Loaded by `jupyterhub_config.py` (labs in
containers) and by the demo (labs as plain processes).
"""

import os
import sys
from pathlib import Path

from traitlets.log import get_logger

from hub.auth.configure import configure
from hub.auth.settings import read_sign_in
from hub.config.lifecycle import read_lifecycle
from hub.config.proxy import EdgeProxy
from hub.config.services import measure, roles, services
from hub.config.settings import Reader, SettingsError, read_hub

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # given by JupyterHub

reader = Reader(os.environ)
hub = read_hub(reader)
read_lifecycle(reader)  # so that its faults are told together with these
sign_in = read_sign_in(reader)
try:
    reader.check()
    configure(c, hub, sign_in)
except SettingsError as fault:
    sys.exit(str(fault))

# ── Who comes in ─────────────────────────────────────────────────────────────────────────────────────────────
if not (hub.everyone_is_allowed or hub.allowed_groups):
    who = "members of AUTH_ADMIN_GROUPS" if hub.admin_groups else "nobody, because AUTH_ADMIN_GROUPS is empty as well"
    get_logger().warning(f"AUTH_ALLOWED_GROUPS is empty, so {who} may sign in; '*' lets in everyone who can sign in")

# ── By which routes ──────────────────────────────────────────────────────────────────────────────────────────
# Known, not guessed from requests: it decides the callback, absolute links and whether cookies are Secure.
c.JupyterHub.public_url = f"{hub.public_url}/"
c.JupyterHub.hub_bind_url = hub.bind_url
c.JupyterHub.hub_connect_url = hub.api_connect_url
c.JupyterHub.proxy_class = EdgeProxy
c.EdgeProxy.should_start = False
c.EdgeProxy.enable_setup_dynamic_config = False  # deployment/edge/routes.yml has the API's route and password
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

# ── What labs do; when they stop, and what people see before a start, is a file of its own ───────────────────
c.Spawner.default_url = "/lab"
# Beside everybody's one lab, all with the same home.
c.JupyterHub.allow_named_servers = hub.named_servers > 0
c.JupyterHub.named_server_limit_per_user = hub.named_servers
c.Spawner.http_timeout = 60
# A turn in the queue of starts (hub/spawner/start_queue.py) included; each part of a start has a limit of its own. Nobody is told to
# come back later: whoever asks is in the queue.
c.Spawner.start_timeout = 1800
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.args = []
load_subconfig("lifecycle_config.py", path=str(Path(__file__).parent))  # type: ignore[name-defined]  # noqa: F821

# ── Who looks after it ───────────────────────────────────────────────────────────────────────────────────────
if operators := services(hub.data_dir, hub.metrics_token):
    c.JupyterHub.services.extend(operators)
    c.JupyterHub.load_roles.extend(roles(operators))
measure(hub.data_dir)
