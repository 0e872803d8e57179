"""A lab: the container of one person's server, from its start to its removal.

Owns how the Docker engine is asked, what is done before a start, and what people are told when there is none. What a
lab is given (image, limits, folders, quota) is decided elsewhere and comes in through `before_start`.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner
from jupyterhub.spawner import SpawnException
from jupyterhub.traitlets import Callable
from requests.exceptions import RequestException
from tornado.web import HTTPError
from traitlets import List

from hub.spawner.base import LifecycleMixin
from hub.spawner.errors import explain, explain_end
from hub.spawner.progress import TellsProgress
from hub.spawner.start_queue import turns_of_this_machine

ENGINE_THREADS = 8  # the engine's client keeps ten connections
ENGINE_TIMEOUT = 60  # seconds; less than Spawner.start_timeout
STOPS_WITHIN = 5  # seconds from SIGTERM to SIGKILL; a lab that is asked to stop has saved before
LIVES_WITHIN = 90  # seconds; then JupyterHub waits on, for Spawner.http_timeout
ANSWERS_WITHIN = 2  # seconds, after which is looked whether it still runs
ASKED_AGAIN_AFTER = 1.0  # seconds, twice as many each time
ENGINE_IS_BACK_WITHIN = 60  # seconds, after a restart of it
LAST_LINES = 20  # of a lab that ended, for the log of the hub
NAME_IS_FREE_WITHIN = 15  # seconds, in which the engine removes the container of the last run

# What a start may change on a lab, and finds again as configured at the next one.
FRESH = (
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


class Lab(LifecycleMixin, TellsProgress, DockerSpawner):  # type: ignore[misc]  # the package carries no types
    """One person's server in a container."""

    before_start = List(
        trait=Callable(),
        config=True,
        help="""
        Called one after the other, with the lab, before its container is made; each may be a coroutine function. One
        may change the lab's settings for this start: the next start begins with the configured ones again. To refuse
        the start, raise `jupyterhub.spawner.SpawnException` with a sentence for the person who waits.
        """,
    )

    # The engine answers one slow request (a stop, a start on a busy machine) in seconds; with the single thread of the
    # base class everybody else would wait for it. All labs share these threads.
    _executor = ThreadPoolExecutor(max_workers=ENGINE_THREADS, thread_name_prefix="engine")
    turns = turns_of_this_machine()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._configured = {name: deepcopy(getattr(self, name)) for name in FRESH}

    def clear_state(self) -> None:
        """Forget the last run; JupyterHub calls this before each start, ahead of every hook."""
        super().clear_state()
        for name, value in self._configured.items():
            setattr(self, name, deepcopy(value))

    async def start(self) -> Any:
        """Run the hooks, then the container; whatever goes wrong becomes a sentence."""
        try:
            async with self.turns.turn(lambda place: self.tell("queued", place=place)):
                return await self._start()
        except SpawnException as refusal:
            # By these names its pages look for a sentence, and without them show what is for the log, or nothing.
            refusal.jupyterhub_message = refusal.message
            refusal.jupyterhub_html_message = refusal.message_html or None
            raise

    async def _start(self) -> Any:
        try:
            for prepare in self.before_start:
                done = prepare(self)
                if inspect.isawaitable(done):
                    await done
            address = await super().start()
            await self._wait_for_life(*address)
            return address
        except HTTPError:  # a refusal that speaks for itself, SpawnException among them
            raise
        except (DockerException, RequestException, OSError) as fault:
            self.log.error("Not starting %s from %s: %s", self._log_name, self.image, fault)
            raise explain(fault, self.image) from fault
        except Exception as fault:  # a hook's mistake; whoever waits needs a sentence all the same
            self.log.exception("Not starting %s", self._log_name)
            raise explain(fault, self.image) from fault

    async def _wait_for_life(self, host: str, port: int) -> None:
        """Return when the lab answers. One that ends instead is told at once, and why; JupyterHub would wait for it,
        and then know nothing.
        """
        deadline = time.monotonic() + LIVES_WITHIN
        path = self.server.base_url if self.server else "/"
        while time.monotonic() < deadline:
            if await _answers(host, port, f"{path}api"):
                return
            found = await self.get_object()
            if found is None or not found["State"]["Running"]:
                said = await self.docker("logs", self.container_id, tail=LAST_LINES) if found else b""
                await self._remove_ended()
                raise explain_end(found and found["State"], said.decode(errors="replace"), self.image, self.mem_limit)
        self.log.warning("%s does not answer after %s s and is waited for", self._log_name, LIVES_WITHIN)

    async def get_object(self) -> Any:
        """The container, or None if there is none. An engine in trouble has not stopped the lab: that raises."""
        try:
            found = await self.docker("inspect_container", self.object_name)
        except NotFound:
            self.object_id = ""
            return None
        self.object_id = found["Id"]
        return found

    async def poll(self) -> Any:
        """None while it runs. The container of a lab that ended by itself is removed, once it has said how it ended."""
        status = await (self._poll_at_the_start_of_the_hub() if self._check_pending else super().poll())
        if status is not None and self.object_id and not self._start_pending:
            self.log.warning("%s ended by itself: %s", self._log_name, status)
            await self._remove_ended()
        return status

    async def _poll_at_the_start_of_the_hub(self) -> Any:
        """The same, of an engine that may be in trouble. Later JupyterHub lets that pass and asks again, but when it
        starts it takes an error for a lab that has ended, and stops it. Told that the lab runs, it tries for a minute
        to reach it before it says otherwise.
        """
        pause, give_up = ASKED_AGAIN_AFTER, time.monotonic() + ENGINE_IS_BACK_WITHIN
        while True:
            try:
                return await super().poll()
            except (DockerException, RequestException, OSError) as fault:
                self.log.warning("The engine does not say whether %s runs: %s", self._log_name, fault)
            if time.monotonic() + pause > give_up:
                return None
            await asyncio.sleep(pause)
            pause *= 2

    async def _remove_ended(self) -> None:
        if self.object_id:
            await self.remove_object()
            self.object_id = ""

    async def post_start_exec(self) -> None:
        """A lab that cannot run the command either lives without it, or has ended, which is told better elsewhere."""
        try:
            await super().post_start_exec()
        except APIError as fault:
            self.log.warning("The command after the start of %s did not run: %s", self.container_name, fault)

    async def create_object(self) -> Any:
        """Make the container, if need be after the engine has removed the one of the last run."""
        for _ in range(NAME_IS_FREE_WITHIN):
            try:
                return await super().create_object()
            except APIError as fault:
                if fault.status_code != 409:
                    raise
            await asyncio.sleep(1)
        return await super().create_object()

    async def stop_object(self) -> None:
        """Stop the container, in less time than the engine would give it."""
        try:
            await self.docker("stop", self.container_id, timeout=STOPS_WITHIN)
        except APIError as fault:
            if fault.status_code != 404:
                raise
            self.log.debug("Already removed %s", self.container_name)


async def _answers(host: str, port: int, path: str) -> bool:
    """Whether a web server answers there within seconds, whatever it says. Jupyter takes connections long before."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
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
