"""The demo's CAS server: a real one (django-cas-server), with invented users, for *.localhost and nothing else.

A program of its own, started as a process or container and never imported by the rest: it is under another
licence, and it has to be what the institution's CAS is, a stranger behind a URL.

    CAS_DATA_DIR=… CAS_PUBLIC_URL=https://cas.localhost/cas AUTH_PUBLIC_URL=https://auth.localhost \\
    HUB_PUBLIC_URL=https://jupyter.localhost python demo/cas/serve.py

Speaks plain http on CAS_BIND (default 0.0.0.0:8000), behind a proxy that ends TLS. CAS_SLO_URL is where it reports
that someone signed out (default: /cas/logout at AUTH_PUBLIC_URL).
"""

import os
import re
import secrets
import signal
import socketserver
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.apps import apps
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

REQUIRED = ("CAS_DATA_DIR", "CAS_PUBLIC_URL", "AUTH_PUBLIC_URL", "HUB_PUBLIC_URL")
PUBLIC_URLS = REQUIRED[1:]


class RefusedError(Exception):
    """Why this server must not start: one sentence."""


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread a request: enough for a demo, and nothing more to install."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without asking the name service who this machine is, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class Handler(WSGIRequestHandler):
    """Writes no request line to the log: it would hold the ticket."""

    timeout = 30

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:
        pass


def check_environment(environ: Mapping[str, str]) -> None:
    """Refuse what is not a demo: passwords that everyone can read must not guard a real name."""
    missing = [name for name in REQUIRED if not environ.get(name)]
    if missing:
        raise RefusedError(f"{', '.join(missing)} must be set for the demo's CAS server.")
    for name in PUBLIC_URLS:
        host = urlsplit(environ[name]).hostname or ""
        if not host.endswith(".localhost"):
            raise RefusedError(
                f"The demo's CAS server refuses to run: {name} is for {host or environ[name]!r}, and its "
                "passwords are public, so it serves *.localhost only; "
                "name your own CAS server and remove the profile `demo` in .env."
            )


def service_pattern(auth_public_url: str) -> str:
    """The one address that this CAS hands tickets to: the bridge's callback."""
    parts = urlsplit(auth_public_url)
    return rf"^{re.escape(f'{parts.scheme}://{parts.hostname}')}(:\d+)?/cas/callback(\?.*)?$"


def secret_key(data_dir: Path) -> str:
    """Django's key, made at the first start and kept, so that a restart signs no one out."""
    path = data_dir / "secret_key"
    if not path.exists():
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        draft.replace(path)
    return path.read_text(encoding="ascii")


def prepare_database(environ: Mapping[str, str]) -> None:
    """Bring the tables up to date and register the bridge as the only service."""
    call_command("migrate", verbosity=0, interactive=False)
    pattern_table = apps.get_model("cas_server", "ServicePattern").objects
    attribute_table = apps.get_model("cas_server", "ReplaceAttributName").objects
    bridge, _ = pattern_table.update_or_create(
        name="Passerelle",
        defaults={
            "pos": 1,
            "pattern": service_pattern(environ["AUTH_PUBLIC_URL"]),
            "single_log_out": True,
            "single_log_out_callback": environ.get("CAS_SLO_URL")
            or f"{environ['AUTH_PUBLIC_URL'].rstrip('/')}/cas/logout",
        },
    )
    attribute_table.get_or_create(service_pattern=bridge, name="*")  # releases every attribute


def serve(environ: Mapping[str, str]) -> None:
    """Serve until told to stop."""
    django.setup()
    prepare_database(environ)
    host, _, port = (environ.get("CAS_BIND") or "0.0.0.0:8000").rpartition(":")
    with Server((host.strip("[]"), int(port)), Handler) as server:
        server.set_app(StaticFilesHandler(get_wsgi_application()))
        print(f"CAS is ready on http://{host}:{port} for {environ['CAS_PUBLIC_URL']}", flush=True)
        server.serve_forever()


def stop(_number: int, _frame: FrameType | None) -> None:
    """End by an exception: it also ends a start that is still under way."""
    raise SystemExit(0)


def main() -> int:
    """Check, prepare, serve."""
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        check_environment(os.environ)
    except RefusedError as refusal:
        print(refusal, file=sys.stderr)
        return 1
    data_dir = Path(os.environ["CAS_DATA_DIR"])
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        os.environ["CAS_SECRET_KEY"] = secret_key(data_dir)
        os.environ["DJANGO_SETTINGS_MODULE"] = "cas_settings"
        serve(os.environ)
    except OSError as error:
        print(f"The demo's CAS server cannot start: {error}; check CAS_DATA_DIR and CAS_BIND.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
