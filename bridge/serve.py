"""The server: `passerelle serve` checks everything before the first worker starts."""

import errno
import http.client
import multiprocessing
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import click
import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from bridge.app import create_app
from bridge.errors import ConfigurationError
from bridge.log import configure_logging
from bridge.metrics import SHARED_DIRECTORY, open_shared_directory
from bridge.settings import Settings
from bridge.store import required_connections
from bridge.web.context import EXTENSION

# For an incomplete header and for an idle connection. Proxies open another connection when they need one.
IDLE_SECONDS = 10
HEADER_MAX_BYTES = 64 * 1024
CONNECTIONS_PER_WORKER = 2048
OTHER_FILES = 256
READY_TIMEOUT_SECONDS = 60
WEAK_SECRET_LENGTH = 32

log = structlog.get_logger()


def listening_address(host: str, port: int) -> str:
    """Return the IP address to listen on, after a test that the port is free.

    The test does not use SO_REUSEPORT, as the workers do: it would let a second bridge share the port.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        fault = f"PASSERELLE_BIND: {host} is neither an IP address nor a host name that resolves"
        raise ConfigurationError([fault]) from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: "the port is in use by another program; stop it or choose another port",
                errno.EACCES: "ports below 1024 require a privilege; choose another port",
                errno.EADDRNOTAVAIL: "this machine does not have that address; use one of its own, or 0.0.0.0 for all",
            }
            reason = reasons.get(error.errno or 0, error.strerror or str(error))
            raise ConfigurationError([f"PASSERELLE_BIND: cannot listen on {host}:{port}: {reason}"]) from None
    return str(address[0])


def serve_forever(settings: Settings, *, settings_file: str = "") -> None:
    """Serve until SIGTERM or SIGINT; raise ConfigurationError if the port, the database or a file cannot be used."""
    configure_logging(settings.log_level)
    log.info("settings_read", file=settings_file)
    os.umask(0o077)  # only this user may read a new database file
    _raise_file_limit()
    address = listening_address(settings.bind_host, settings.bind_port)
    # Creates tables and keys once, before the workers start.
    store = create_app(settings).extensions[EXTENSION].provider.store
    _log_warnings(settings, has_clients=bool(settings.clients) or any(not c.disabled for c in store.clients.all()))
    log_connection_shortage(store.connection_limit(), required_connections(settings.workers))
    store.close()
    multiprocessing.Process(target=_print_when_ready, args=(settings, os.getpid()), daemon=True).start()
    with _shared_metrics():
        Server(
            "bridge.asgi:application",
            factory=True,
            address=address,
            port=settings.bind_port,
            interface=Interfaces.ASGINL,
            # A connection of HTTP/2 would have no time limit, and proxies use HTTP/1.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=HEADER_MAX_BYTES),
            websockets=False,
            backlog=CONNECTIONS_PER_WORKER,
            backpressure=CONNECTIONS_PER_WORKER,
            workers=settings.workers,
            respawn_failed_workers=True,
            workers_kill_timeout=8,  # docker stop waits ten seconds
            log_enabled=False,
        ).serve()


def _raise_file_limit() -> None:
    """Allow as many open files as connections; many systems allow 1,024 by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_PER_WORKER + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Provide a directory in which the workers share their metrics."""
    try:
        directory = open_shared_directory()
    except OSError as error:  # a container with a read-only file system must still serve
        os.environ.pop(SHARED_DIRECTORY, None)
        log.warning("metrics_not_shared", detail=f"cannot create a temporary directory: {error.strerror}")
        yield
        return
    with directory as path:
        os.environ[SHARED_DIRECTORY] = path
        yield


def _log_warnings(settings: Settings, *, has_clients: bool) -> None:
    """Log warnings about settings that are not fit for production."""
    if not settings.is_https:
        log.warning("plain_http", detail="the issuer uses http: cookies are not protected; use this for tests only")
    if len(settings.secret_key.get_secret_value()) < WEAK_SECRET_LENGTH:
        log.warning("weak_secret_key", detail="shorter than 32 characters; create one with `openssl rand -hex 32`")
    if not has_clients:
        log.warning("no_clients", detail="no application is registered; see `passerelle clients add --help`")


def log_connection_shortage(allowed: int | None, required: int) -> None:
    """Log a warning if PostgreSQL allows fewer connections than required; `allowed` is None for SQLite."""
    if allowed is not None and allowed < required:
        detail = f"the PostgreSQL server allows {allowed} connections, and this bridge can open {required}"
        log.warning("few_database_connections", detail=f"{detail}; raise max_connections or lower PASSERELLE_WORKERS")


def _print_when_ready(settings: Settings, server_pid: int) -> None:
    """Print a line when the first worker responds. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind_host, settings.bind_host)  # noqa: S104
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while os.getppid() == server_pid and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, settings.bind_port, timeout=5)
        with suppress(OSError), closing(connection):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                click.echo(f"Passerelle serves {settings.issuer} on http://{settings.bind}")
                return
        time.sleep(0.05)
    if os.getppid() == server_pid:
        sentence = f"Passerelle does not respond on {settings.bind} after {READY_TIMEOUT_SECONDS} s; see the log above."
        click.echo(sentence, err=True)
