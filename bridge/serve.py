"""Starting: everything that can be wrong is found before the first worker, and said in one sentence."""

from __future__ import annotations

import errno
import http.client
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from granian.constants import Interfaces
from granian.server import Server

from bridge import create_app
from bridge.errors import ConfigurationError
from bridge.log import configure_logging
from bridge.metrics import SHARED_DIRECTORY, open_shared_directory
from bridge.settings import Settings
from bridge.web.context import EXTENSION

# A request that waits for CAS holds its thread for up to eight seconds.
THREADS_PER_WORKER = 16
READY_TIMEOUT_SECONDS = 60
WEAK_SECRET_LENGTH = 32

log = structlog.get_logger()


def listening_address(host: str, port: int) -> str:
    """The IP address to listen on, once it is sure that we can.

    Asked without SO_REUSEPORT, which the workers use: with it a second bridge would share the first one's port.

    :raises ConfigurationError: naming the port and the remedy
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise ConfigurationError([f"PASSERELLE_BIND: {host} is neither an IP address nor a known name"]) from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: "another program listens there; stop it or choose another port",
                errno.EACCES: "ports below 1024 need a privilege; choose another port",
                errno.EADDRNOTAVAIL: "this machine has no such address; use one of its own, or 0.0.0.0 for all",
            }
            reason = reasons.get(error.errno or 0, error.strerror or str(error))
            raise ConfigurationError([f"PASSERELLE_BIND: cannot listen on {host}:{port}: {reason}"]) from None
    return str(address[0])


def serve_forever(settings: Settings, *, settings_file: str = "") -> None:
    """Serve until SIGTERM or SIGINT.

    :param settings_file: for the log, which tells what counts where nobody named it
    :raises ConfigurationError: when the port, the database, the keys in it or the CA file cannot be used
    """
    configure_logging(settings.log_level)
    log.info("settings_read", file=settings_file)
    os.umask(0o077)  # what a database file holds is nobody else's business
    address = listening_address(settings.bind_host, settings.bind_port)
    # Tables and keys are made here, once; the workers then find them.
    store = create_app(settings).extensions[EXTENSION].store
    _warn(settings, has_clients=bool(settings.clients) or any(not kept.disabled for kept in store.clients.all()))
    store.close()
    multiprocessing.Process(target=_announce, args=(settings, os.getpid()), daemon=True).start()
    with _shared_numbers():
        Server(
            "bridge.wsgi:application",
            factory=True,
            address=address,
            port=settings.bind_port,
            interface=Interfaces.WSGI,
            workers=settings.workers,
            blocking_threads=THREADS_PER_WORKER,
            respawn_failed_workers=True,
            workers_kill_timeout=8,  # docker stop waits ten seconds
            log_enabled=False,
        ).serve()


@contextmanager
def _shared_numbers() -> Iterator[None]:
    """A directory where the workers count together, as long as they live."""
    try:
        place = open_shared_directory()
    except OSError as error:  # a container without any place to write still has to serve
        os.environ.pop(SHARED_DIRECTORY, None)
        log.warning("metrics_not_shared", detail=f"no directory for temporary files: {error.strerror}")
        yield
        return
    with place as path:
        os.environ[SHARED_DIRECTORY] = path
        yield


def _warn(settings: Settings, *, has_clients: bool) -> None:
    """What works, but should not stay so."""
    if not settings.is_https:
        log.warning("plain_http", detail="the issuer is http: cookies are not protected; for trying out only")
    if len(settings.secret_key.get_secret_value()) < WEAK_SECRET_LENGTH:
        log.warning("weak_secret_key", detail="use `openssl rand -hex 32`")
    if not has_clients:
        log.warning("no_clients", detail="no application is registered: `passerelle clients add --help` shows how")


def _announce(settings: Settings, server_pid: int) -> None:
    """In a process of its own: print the line when a worker answers, and not before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind_host, settings.bind_host)  # noqa: S104
    give_up = time.monotonic() + READY_TIMEOUT_SECONDS
    while os.getppid() == server_pid and time.monotonic() < give_up:
        connection = http.client.HTTPConnection(host, settings.bind_port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                print(f"Passerelle serves {settings.issuer} on http://{settings.bind}", flush=True)  # noqa: T201
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    if os.getppid() == server_pid:
        print(  # noqa: T201
            f"Passerelle does not answer on {settings.bind} after {READY_TIMEOUT_SECONDS} s; see the log above.",
            file=sys.stderr,
            flush=True,
        )
