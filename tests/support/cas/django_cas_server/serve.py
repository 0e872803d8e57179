"""A CAS server for tests, django-cas-server or django-mama-cas, on loopback, over http or https.

It is a separate program that tests never import, because the licence of one differs. The environment variable CAS_SITE
is JSON: `software` (`cas_server` or `mama_cas`), `folder` for the database, `port`, `certificate` and `key` (null for
http), and `user` with `name`, `password` and `attributes`. The program reads one JSON command per line and prints one
JSON response each: {"register": pattern, "name": …, "logout_url": URL or ""} or
{"unregister": name}. It ends with its standard input.
"""

import json
import os
import socketserver
import ssl
import sys
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.apps import apps
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A server with one thread per request."""

    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext | None = None

    def server_bind(self) -> None:
        """Bind without a DNS lookup of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; the request's thread does the handshake, so that a slow client blocks no other."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection.settimeout(Handler.timeout)
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore aborted connections and certificate rejections, which tests cause."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(WSGIRequestHandler):
    """Log no request, because its URL holds the ticket."""

    timeout = 30

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        # The library derives wsgi.url_scheme from it; without it, forms with an Origin header are rejected.
        return environ | {"HTTPS": "on"} if isinstance(self.connection, ssl.SSLSocket) else environ

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:
        pass


def register(pattern: str, name: str, logout_url: str) -> None:
    """Register a service; without a logout URL, logout requests go to the service URL."""
    service = apps.get_model("cas_server", "ServicePattern").objects.create(
        name=name,
        pos=1,
        pattern=pattern,
        single_log_out=True,
        single_log_out_callback=logout_url,
    )
    # The wildcard that releases every attribute.
    apps.get_model("cas_server", "ReplaceAttributName").objects.create(service_pattern=service, name="*")


def obey(command: dict[str, str]) -> None:
    """Run one command."""
    if apps.is_installed("mama_cas"):
        from cas_users import Registry

        Registry.services.pop(command.get("unregister", ""), None)
        if "register" in command:
            Registry.services[command["name"]] = (command["register"], command["logout_url"])
    elif "register" in command:
        register(command["register"], command["name"], command["logout_url"])
    else:
        apps.get_model("cas_server", "ServicePattern").objects.filter(name=command["unregister"]).delete()


def main() -> None:
    """Prepare the database, serve, and run commands until standard input ends."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "cas_settings"
    site = json.loads(os.environ["CAS_SITE"])
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    if site["software"] == "mama_cas":
        user = site["user"]
        apps.get_model("auth", "User").objects.create_user(user["name"], password=user["password"])
    with Server(("127.0.0.1", site["port"]), Handler) as server:
        if site["certificate"]:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(site["certificate"], site["key"])
        server.set_app(get_wsgi_application())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for line in sys.stdin:
            obey(json.loads(line))
            print(json.dumps({"done": True}), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
