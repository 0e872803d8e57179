"""Docker spawner of the labs: hooks before a start, requests to the engine, and errors for the user.

Hooks (`before_start`) decide image, limits, folders and quota.
"""

import asyncio
import inspect
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner
from jupyterhub.spawner import SpawnException
from jupyterhub.traitlets import Callable
from tornado.web import HTTPError
from traitlets import List, Unicode

from hub.config.field_types import SettingsError
from hub.spawner.base import LifecycleMixin, ProgressMixin
from hub.spawner.errors import engine_error, exit_error
from hub.spawner.start_queue import SpawnQueue

ENGINE_THREADS = 8  # fewer than the ten connections of the engine's client
CHECK_TIMEOUT = 10  # seconds; at the start of the hub
GUARD_START_TIMEOUT = 20  # seconds
ENGINE_TIMEOUT = 60  # seconds; less than Spawner.start_timeout
STOP_TIMEOUT = 5  # seconds from SIGTERM to SIGKILL; JupyterLab saves all documents before
START_TIMEOUT = 90  # seconds, after which JupyterHub waits for Spawner.http_timeout
PROBE_TIMEOUT = 2  # seconds of requests to the lab between two checks of its container
RETRY_DELAY = 1.0  # seconds, doubled after each attempt
ENGINE_RESTART_TIMEOUT = 60  # seconds for a restart of the engine
LOG_LINES = 20  # of a lab that ended, for the hub's log
NAME_TIMEOUT = 15  # seconds in which the engine removes the container of the last run

# Traits that a hook may change for one start.
RESTORED_TRAITS = (
    "image",
    "mem_limit",
    "cpu_limit",
    "environment",
    "volumes",
    "read_only_volumes",
    "mounts",
    "extra_host_config",
    "extra_create_kwargs",
    "network_name",
    "args",
    "cmd",
)


class Lab(LifecycleMixin, ProgressMixin, DockerSpawner):  # type: ignore[misc]  # the package carries no types
    """A user's server in a container."""

    before_start = List(
        trait=Callable(),
        config=True,
        help="""
        Functions or coroutine functions, called in order with the lab before its container is created. A hook may
        change the lab's settings for this start; the next start begins with the configured values. To reject the start,
        raise `jupyterhub.spawner.SpawnException` with a message for the user.
        """,
    )

    first_script = Unicode(
        "",
        config=True,
        help="""
        A shell script that the lab runs before its server, as the lab's user. Its failure does not prevent the start.
        It replaces `DockerSpawner.post_start_cmd`, because the guard of the Docker socket admits no `exec`.
        """,
    )

    # A request to the engine can take seconds. With the base class's single thread, it would delay all other labs.
    _executor = ThreadPoolExecutor(max_workers=ENGINE_THREADS, thread_name_prefix="engine")
    queue = SpawnQueue()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._configured = {name: deepcopy(getattr(self, name)) for name in RESTORED_TRAITS}

    def clear_state(self) -> None:
        """Restore the configured traits; JupyterHub calls this before each start, ahead of all hooks."""
        super().clear_state()
        for name, value in self._configured.items():
            setattr(self, name, deepcopy(value))

    async def start(self) -> Any:
        """Wait in the queue, run the hooks, then start the container; report every error to the user."""
        try:
            async with self.queue.slot(lambda place: self.report("queued", place=place)):
                return await self._start()
        except SpawnException as error:
            # JupyterHub's pages show these attributes; without them, they show the log message or nothing.
            error.jupyterhub_message = error.message
            error.jupyterhub_html_message = error.message_html or None
            raise

    async def _start(self) -> Any:
        try:
            for hook in self.before_start:
                result = hook(self)
                if inspect.isawaitable(result):
                    await result
            address = await super().start()
            await self._wait_for_server(*address)
            return address
        except HTTPError:  # has a message for the user; includes SpawnException
            raise
        except (DockerException, OSError) as fault:
            self.log.error("Cannot start %s from %s: %s", self._log_name, self.image, fault)
            raise engine_error(fault, self.image) from fault
        except Exception as fault:  # a defect in a hook
            self.log.exception("Cannot start %s", self._log_name)
            raise engine_error(fault, self.image) from fault

    async def _wait_for_server(self, host: str, port: int) -> None:
        """Return when the lab responds; report a lab that ends instead, with its output in the log.

        JupyterHub alone would wait until the timeout, without the reason.
        """
        deadline = time.monotonic() + START_TIMEOUT
        path = self.server.base_url if self.server else "/"
        while time.monotonic() < deadline:
            if await _probe(host, port, f"{path}api"):
                return
            found = await self.get_object()
            if found is None or not found["State"]["Running"]:
                output = await self.docker("logs", self.container_id, tail=LOG_LINES) if found else b""
                await self._remove_ended()
                raise exit_error(found and found["State"], output.decode(errors="replace"), self.image, self.mem_limit)
        self.log.warning("%s has not responded within %s s; still waiting", self._log_name, START_TIMEOUT)

    async def get_object(self) -> Any:
        """Return the container, or None if there is none; raise on other errors of the engine."""
        try:
            found = await self.docker("inspect_container", self.object_name)
        except NotFound:
            self.object_id = ""
            return None
        self.object_id = found["Id"]
        return found

    async def poll(self) -> Any:
        """Return None while the lab runs, otherwise its status; remove the container of a lab that ended."""
        status = await (self._poll_at_hub_start() if self._check_pending else super().poll())
        if status is not None and self.object_id and not self._start_pending:
            self.log.warning("%s ended by itself: %s", self._log_name, status)
            await self._remove_ended()
        return status

    async def _poll_at_hub_start(self) -> Any:
        """Poll with retries, and assume that the lab runs if the engine does not recover.

        At its own start, JupyterHub treats an error as the end of the lab and stops it. For a running lab, it tries to
        connect for a minute first.
        """
        delay, deadline = RETRY_DELAY, time.monotonic() + ENGINE_RESTART_TIMEOUT
        while True:
            try:
                return await super().poll()
            except (DockerException, OSError) as fault:
                self.log.warning("Cannot ask the engine whether %s runs: %s", self._log_name, fault)
            if time.monotonic() + delay > deadline:
                return None
            await asyncio.sleep(delay)
            delay *= 2

    async def _remove_ended(self) -> None:
        if self.object_id:
            await self.remove_object()
            self.object_id = ""

    async def get_command(self) -> list[str]:
        """Return the command of the container, with the script in front."""
        command: list[str] = await super().get_command()
        return ["sh", "-c", f'({self.first_script}); exec "$@"', "sh", *command] if self.first_script else command

    async def create_object(self) -> Any:
        """Create the container; wait while the engine removes the last container of the same name."""
        for _ in range(NAME_TIMEOUT):
            try:
                return await super().create_object()
            except APIError as fault:
                if fault.status_code != 409:
                    raise
            await asyncio.sleep(1)
        return await super().create_object()

    async def stop_object(self) -> None:
        """Stop the container with a shorter timeout than the engine's default."""
        try:
            await self.docker("stop", self.container_id, timeout=STOP_TIMEOUT)
        except APIError as fault:
            if fault.status_code != 404:
                raise
            self.log.debug("Already removed %s", self.container_name)


def check_engine() -> None:
    """Raise SettingsError unless the configured Docker engine responds; wait for a guard that starts meanwhile."""
    where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if where.startswith("unix://"):
        _wait_for_socket(Path(where.removeprefix("unix://")))
    try:
        with closing(docker.from_env(timeout=CHECK_TIMEOUT)) as client:
            client.ping()
    except (DockerException, OSError):
        raise SettingsError(
            f"the hub cannot start: no Docker engine responds at {where}. Start Docker, and see `docker compose logs "
            "guard` for the service that connects the hub to it."
        ) from None


def _wait_for_socket(path: Path) -> None:
    deadline = time.monotonic() + GUARD_START_TIMEOUT
    while path.parent.is_dir() and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(path))
            return
        time.sleep(RETRY_DELAY / 4)


async def _probe(host: str, port: int, path: str) -> bool:
    """Return whether an HTTP server responds; Jupyter accepts connections long before it does."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            while True:
                try:
                    reader, writer = await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(0.2)
                    continue
                try:
                    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                    if (await reader.read(5)).startswith(b"HTTP/"):
                        return True
                except OSError:
                    pass
                finally:
                    writer.close()
                await asyncio.sleep(0.2)
    except TimeoutError:
        return False
