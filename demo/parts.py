"""Processes of the demo, with their environments and addresses.

They are the services of compose.yml with the same settings; loopback ports replace the networks, and labs are
processes.
"""

import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.processes import Part

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# Variables that a part may inherit. Any other, like PASSERELLE_… or JUPYTER…, could change the demo.
INHERITED = ("LANG", "LC_ALL", "TZ", "TERM")


@dataclass(frozen=True)
class Layout:
    """The folder and the ports of one demo."""

    folder: Path
    port: int
    api_port: int
    cas_port: int
    bridge_port: int
    hub_port: int
    domain: str
    lab_host: str

    def host(self, name: str) -> str:
        """Return a public host."""
        return f"{name}.{self.domain}"

    def public_url(self, name: str) -> str:
        """Return a public URL."""
        return f"https://{self.host(name)}" + (f":{self.port}" if self.port != 443 else "")

    def secret(self, name: str) -> str:
        """Return the path of a secret."""
        return str(self.folder / "secrets" / name)


def lay_out(folder: Path, port: int, *, domain: str = "localhost", lab_host: str = "*.labs.localhost") -> Layout:
    """Choose free loopback ports for internal connections."""
    with socket.socket() as a, socket.socket() as b, socket.socket() as c, socket.socket() as d:
        for one in (a, b, c, d):
            one.bind(("127.0.0.1", 0))
        return Layout(folder, port, *(one.getsockname()[1] for one in (a, b, c, d)), domain, lab_host)


def base_environment(layout: Layout) -> dict[str, str]:
    """Return the environment of every part; home and temporary files are in the demo's folder."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | {
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(layout.folder / "home"),
        "TMPDIR": str(layout.folder / "tmp"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def prepare(layout: Layout) -> Part:
    """Return the process that creates secrets, certificate and static routes."""
    hosts = [*map(layout.host, ("jupyter", "auth", "cas")), layout.lab_host]
    env = {
        "SECRETS_DIR": str(layout.folder / "secrets"),
        "CERTS_DIR": str(layout.folder / "certs"),
        "TRAEFIK_DYNAMIC_DIR": str(layout.folder / "dynamic"),
        "TLS_HOSTS": ",".join(filter(None, hosts)),
        "LAB_HOST": layout.lab_host,
    }
    return Part(
        "prepare", [sys.executable, str(ROOT / "deployment" / "edge" / "prepare.py")], base_environment(layout) | env
    )


def traefik(layout: Layout) -> Part:
    """Return the edge, on loopback only, because the demo's passwords are public."""
    argv = [
        str(BIN / "traefik"),
        f"--entrypoints.websecure.address=127.0.0.1:{layout.port}",
        "--entrypoints.websecure.http.tls=true",
        "--entrypoints.websecure.http.aliasheadersstrategy=delete",
        "--entrypoints.websecure.transport.respondingtimeouts.readtimeout=600s",
        f"--entrypoints.auth_api.address=127.0.0.1:{layout.api_port}",
        "--api=true",
        "--api.dashboard=false",
        "--ping=true",
        "--ping.entrypoint=auth_api",
        f"--providers.file.directory={layout.folder / 'dynamic'}",
        "--providers.file.watch=true",
        "--global.sendanonymoususage=false",
        "--global.checknewversion=false",
    ]
    env = {
        "HUB_HOST": layout.host("jupyter"),
        "AUTH_HOST": layout.host("auth"),
        "CAS_HOST": layout.host("cas"),
        "LAB_HOST": layout.lab_host,
        "HUB_PUBLIC_URL": layout.public_url("jupyter"),
        "BRIDGE_URL": f"http://127.0.0.1:{layout.bridge_port}",
        "HUB_URL": f"http://127.0.0.1:{layout.hub_port}",
        "CAS_BACKEND_URL": f"http://127.0.0.1:{layout.cas_port}",
        "TLS_FILE": str(layout.folder / "certs" / "server.pem"),
        "API_USERS_FILE": layout.secret("traefik_api_users"),
    }
    return Part("traefik", argv, base_environment(layout) | env)


def cas(layout: Layout) -> Part:
    """Return the CAS server."""
    env = {
        "CAS_DATA_DIR": str(layout.folder / "cas"),
        "CAS_BIND": f"127.0.0.1:{layout.cas_port}",
        "CAS_PUBLIC_URL": f"{layout.public_url('cas')}/cas",
        "AUTH_PUBLIC_URL": layout.public_url("auth"),
        "HUB_PUBLIC_URL": layout.public_url("jupyter"),
        "CAS_SLO_URL": f"http://127.0.0.1:{layout.bridge_port}/cas/logout",
    }
    return Part("cas", [sys.executable, str(ROOT / "demo" / "cas" / "serve.py")], base_environment(layout) | env)


def bridge(layout: Layout) -> Part:
    """Return the bridge."""
    client = {
        "client_id": "jupyterhub",
        "client_name": "JupyterHub",
        "client_secret_file": layout.secret("hub_client_secret"),
        "redirect_uris": [f"{layout.public_url('jupyter')}/hub/oauth_callback"],
        "backchannel_logout_uri": f"http://127.0.0.1:{layout.hub_port}/hub/backchannel_logout",
        "post_logout_redirect_uris": [f"{layout.public_url('jupyter')}/hub/login"],
        "grant_types": ["authorization_code", "refresh_token"],
        "identity_max_age_seconds": 3600,
    }
    env = {
        "PASSERELLE_ISSUER": layout.public_url("auth"),
        "PASSERELLE_CAS_URL": f"{layout.public_url('cas')}/cas",
        "PASSERELLE_CAS_INTERNAL_URL": f"http://127.0.0.1:{layout.cas_port}/cas",
        "PASSERELLE_DATABASE_URL": f"sqlite:///{layout.folder / 'bridge.sqlite3'}",
        "PASSERELLE_SECRET_KEY_FILE": layout.secret("bridge_secret_key"),
        "PASSERELLE_BIND": f"127.0.0.1:{layout.bridge_port}",
        "PASSERELLE_WORKERS": "1",
        "PASSERELLE_PROXY_HOPS": "1",
        "PASSERELLE_CLIENTS": json.dumps([client]),
    }
    return Part("bridge", [str(BIN / "passerelle"), "serve"], base_environment(layout) | env)


def hub(layout: Layout) -> Part:
    """Return the hub, which stops its labs before it ends."""
    env = {
        "HUB_PUBLIC_URL": layout.public_url("jupyter"),
        "LAB_HOST": layout.lab_host,
        "HUB_BIND_URL": f"http://127.0.0.1:{layout.hub_port}",
        "HUB_API_CONNECT_URL": f"http://127.0.0.1:{layout.hub_port}",
        "HUB_DATA_DIR": str(layout.folder / "hub"),
        "AUTH_PUBLIC_URL": layout.public_url("auth"),
        "AUTH_INTERNAL_URL": f"http://127.0.0.1:{layout.bridge_port}",
        "OAUTH_CLIENT_ID": "jupyterhub",
        "OAUTH_CLIENT_SECRET_FILE": layout.secret("hub_client_secret"),
        "HUB_CRYPT_KEY_FILE": layout.secret("hub_crypt_key"),
        "AUTH_ADMIN_GROUPS": "jupyter-admins",
        "AUTH_ALLOWED_GROUPS": "*",
        "TRAEFIK_DYNAMIC_FILE": str(layout.folder / "dynamic" / "hub.toml"),
        "TRAEFIK_API_URL": f"http://127.0.0.1:{layout.api_port}",
        "TRAEFIK_API_PASSWORD_FILE": layout.secret("traefik_api_password"),
        "DEMO_HOMES_DIR": str(layout.folder / "homes"),
    }
    argv = [str(BIN / "jupyterhub"), f"--config={ROOT / 'demo' / 'jupyterhub_config.py'}"]
    return Part("hub", argv, base_environment(layout) | env, stop_within=20)


def install_lab_extension(folder: Path) -> dict[str, str]:
    """Install the extension of the lab image, which counts a computing kernel as activity and warns users.

    Args:
        folder: A new folder for its files.

    Returns:
        The environment variables with which a lab finds it.
    """
    extension, config = ROOT / "lab" / "extension", folder / "jupyter_server_config.d"
    for parent in (config, folder / "labextensions"):
        parent.mkdir(parents=True)
    (config / "passerelle_lab.json").symlink_to(extension / "passerelle_lab" / "server.json")
    (folder / "labextensions" / "passerelle-lab").symlink_to(extension / "labextension")
    return {"PYTHONPATH": str(extension), "JUPYTER_CONFIG_PATH": str(folder), "JUPYTER_PATH": str(folder)}
