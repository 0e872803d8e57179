"""JupyterHub's configuration without the spawner: authentication, routing, stored data, culling and services.

`jupyterhub_config.py` (labs in containers) and the demo (labs as processes) both call `configure_hub`.
"""

import sys
import traceback
from pathlib import Path
from typing import Any

from traitlets.log import get_logger

from hub.auth import backchannel_logout, sign_out
from hub.auth.configure import configure_auth
from hub.config.auth_settings import BridgeAuth
from hub.config.field_types import SettingsError
from hub.config.lab_hosts import configure_lab_hosts
from hub.config.proxy import EdgeProxy
from hub.config.services import build_roles, build_services, register_metrics
from hub.config.settings import RESTORE_MARK, HubSettings
from hub.culler import api
from hub.culler.policy import Lifetimes, Limits
from hub.web import rendering, terms_handlers
from hub.web.terms import Acceptances, TermsInForce

CULLER_SCOPES = [
    "list:users",
    "read:users:name",
    "read:users:groups",
    "read:users:activity",
    "read:servers",
    "delete:servers",
]


def configure_hub(c: Any, settings: HubSettings) -> None:
    """Set all configuration that does not depend on the spawner.

    Raises:
        SettingsError: A restore was interrupted, or the authentication provider or the terms of use are not available.
    """
    server = settings.server
    if (server.data_dir / RESTORE_MARK).exists():
        raise SettingsError(
            "the hub cannot start: a restore into this project was interrupted. Run `docker compose down`, then repeat "
            "the same `passerelle hub restore …` command, which continues where it stopped."
        )
    ends = sign_out.SignOut(stop_labs=server.stops_labs_on_sign_out == "yes")
    sign_out.install(ends)
    logout_routes = backchannel_logout.build_routes(configure_auth(c, settings), ends)
    if not settings.auth.allowed:
        users = "only members of AUTH_ADMIN_GROUPS have" if settings.auth.admin_groups else "no user has"
        get_logger().warning(f"AUTH_ALLOWED_GROUPS is empty, so {users} access; '*' grants access to all users")
    _configure_proxy(c, settings)
    c.JupyterHub.db_url = f"sqlite:///{server.data_dir}/jupyterhub.sqlite"
    c.JupyterHub.upgrade_db = True  # JupyterHub keeps a copy of the old file
    c.JupyterHub.cookie_secret_file = f"{server.data_dir}/cookie_secret"
    c.JupyterHub.cleanup_servers = False  # labs survive a restart of the hub
    # Named servers use the same home as the user's default server.
    c.JupyterHub.allow_named_servers = server.named_server_limit > 0
    c.JupyterHub.named_server_limit_per_user = server.named_server_limit
    c.Spawner.default_url = "/lab"
    c.Spawner.http_timeout = 60
    # Includes the wait in the start queue (hub/spawner/start_queue.py); each step of a start has a timeout of its own.
    c.Spawner.start_timeout = 1800
    c.JupyterHub.concurrent_spawn_limit = 0  # the start queue limits starts and rejects none
    c.Spawner.args = []
    _configure_pages_and_culling(c, settings, logout_routes)
    services = build_services(server.data_dir, server.metrics_token)
    if services:
        c.JupyterHub.services.extend(services)
        c.JupyterHub.load_roles.extend(build_roles(services))
    register_metrics(server.data_dir)


def _configure_proxy(c: Any, settings: HubSettings) -> None:
    # Set explicitly rather than derived from requests: callback, absolute links and Secure cookies depend on it.
    c.JupyterHub.public_url = f"{settings.server.public_url}/"
    configure_lab_hosts(c, settings.server.lab_hosts)
    c.JupyterHub.hub_bind_url = settings.server.bind_url
    c.JupyterHub.hub_connect_url = settings.server.api_connect_url
    c.JupyterHub.proxy_class = EdgeProxy
    c.EdgeProxy.should_start = False
    c.EdgeProxy.enable_setup_dynamic_config = False  # deployment/edge/routes.yml holds the API's route and password
    c.EdgeProxy.dynamic_config_file = settings.traefik.dynamic_file
    c.EdgeProxy.traefik_entrypoint = "websecure"
    c.EdgeProxy.traefik_api_url = settings.traefik.api_url
    c.EdgeProxy.traefik_api_username = settings.traefik.api_user
    c.EdgeProxy.traefik_api_password = settings.traefik.api_password.get_secret_value()


def _configure_pages_and_culling(c: Any, settings: HubSettings, routes: list[rendering.Route]) -> None:
    server, notices, cull = settings.server, settings.notices, settings.cull
    lifetimes = Lifetimes(Limits(cull.idle_timeout, cull.max_age), settings.config_file.content)
    announcement = rendering.Announcement(notices.announcement, notices.folder)
    routes = [*routes, *api.routes_of(lifetimes, cull.warning, announcement)]
    if notices.terms_file and notices.folder:
        in_force = TermsInForce(notices.folder, notices.terms_file)
        gate = terms_handlers.TermsGate(in_force, Acceptances(server.data_dir))
        routes += terms_handlers.routes_of(gate)
        c.LifecycleMixin.check_terms = lambda user: gate.check(user, f"{server.public_url}/hub/terms")
    bridge_url = settings.auth.public_url if isinstance(settings.auth, BridgeAuth) else None
    signed_out = rendering.SignedOutNotice(
        labs_stop=server.stops_labs_on_sign_out == "yes", sign_out_url=bridge_url and f"{bridge_url}/logout"
    )
    rendering.init_templates(announcement, notices.support_contact, server.lab_hosts.warning, signed_out)
    rendering.add_routes(routes)
    c.JupyterHub.template_paths = [str(Path(__file__).parent / "web" / "templates")]
    c.LifecycleMixin.lifetimes = lifetimes
    if lifetimes.shortest:
        # A lab that reports no activity counts as idle, so a short limit needs frequent reports.
        c.Spawner.environment.update({"JUPYTERHUB_ACTIVITY_INTERVAL": str(lifetimes.report_interval)})
        arguments = [f"--idle-timeout={cull.idle_timeout}", f"--max-age={cull.max_age}"]
        if settings.config_file.path:
            arguments.append(f"--hub-toml={settings.config_file.path}")
        command = [sys.executable, "-m", "hub.culler.service", *arguments]
        c.JupyterHub.services = [{"name": "culler", "command": command}]
        c.JupyterHub.load_roles = [{"name": "culler", "services": ["culler"], "scopes": CULLER_SCOPES}]


def load_conf_d(folder: Path, config: Any) -> list[str]:
    """Run the `*.py` files of `deployment/conf.d` in name order, with `c`, and return their names.

    Raises:
        SettingsError: A file raised an exception; the message has file and line.
    """
    files = sorted(folder.glob("*.py"))
    for file in files:
        names = {"c": config, "get_config": lambda: config, "__file__": str(file), "__name__": f"conf.d.{file.stem}"}
        try:
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)  # noqa: S102  the administrator's code
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(file)]
            line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
            raise SettingsError(
                f"the hub cannot start: deployment/conf.d/{file.name} is wrong{f' in line {line}' if line else ''}: "
                f"{type(error).__name__}: {error} (correct it, or move it out of deployment/conf.d)."
            ) from error
    return [file.name for file in files]
