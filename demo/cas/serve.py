r"""The demo CAS server: a real one (django-cas-server) with fictitious users, for *.localhost only.

It runs as a separate process or container and is never imported, because it has another licence and stands for the
institution's CAS, which is known only by its URL.

    CAS_DATA_DIR=… CAS_PUBLIC_URL=https://cas.localhost/cas AUTH_PUBLIC_URL=https://auth.localhost \
    HUB_PUBLIC_URL=https://jupyter.localhost python demo/cas/serve.py

It serves http on CAS_BIND (default 0.0.0.0:8000) behind a proxy that terminates TLS. It sends logout requests to
CAS_SLO_URL (default: /cas/logout at AUTH_PUBLIC_URL).
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
    """A configuration with which this server must not start."""


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A server with one thread for each request, which needs no further package."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without a reverse lookup of this machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class Handler(WSGIRequestHandler):
    """A handler without request lines in the log, because they contain tickets."""

    timeout = 30

    def address_string(self) -> str:
        """Return the address without a reverse lookup."""
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def check_environment(environ: Mapping[str, str]) -> None:
    """Reject hosts other than *.localhost, because the passwords are public."""
    missing = [name for name in REQUIRED if not environ.get(name)]
    if missing:
        raise RefusedError(f"{', '.join(missing)} must be set for the demo CAS server.")
    for name in PUBLIC_URLS:
        host = urlsplit(environ[name]).hostname or ""
        if not host.endswith(".localhost"):
            raise RefusedError(
                f"The demo CAS server does not run: {name} is for {host or environ[name]!r}, but it serves *.localhost "
                "only, because its passwords are public: set CAS_URL to your CAS server and remove the profile `demo` "
                "in .env."
            )


def service_pattern(auth_public_url: str) -> str:
    """Return the pattern of the only registered service: the bridge's callback."""
    parts = urlsplit(auth_public_url)
    return rf"^{re.escape(f'{parts.scheme}://{parts.hostname}')}(:\d+)?/cas/callback(\?.*)?$"


def secret_key(data_dir: Path) -> str:
    """Return Django's key, created at the first start and kept, so that sessions survive a restart."""
    path = data_dir / "secret_key"
    if not path.exists():
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        draft.replace(path)
    return path.read_text(encoding="ascii")


def prepare_database(environ: Mapping[str, str]) -> None:
    """Migrate the database and register the bridge as the only service."""
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
    """Serve until a signal."""
    django.setup()
    prepare_database(environ)
    host, _, port = (environ.get("CAS_BIND") or "0.0.0.0:8000").rpartition(":")
    with Server((host.strip("[]"), int(port)), Handler) as server:
        server.set_app(StaticFilesHandler(get_wsgi_application()))
        print(f"CAS is ready on http://{host}:{port} for {environ['CAS_PUBLIC_URL']}", flush=True)
        server.serve_forever()


def stop(_number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, which also ends an unfinished start."""
    raise SystemExit(0)


def main() -> int:
    """Validate the environment, prepare the data directory and serve."""
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
        print(f"The demo CAS server cannot start: {error}; check CAS_DATA_DIR and CAS_BIND.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
