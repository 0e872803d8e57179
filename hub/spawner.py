"""A lab: the container of one person's server, from its start to its removal.

Owns how the Docker engine is asked, what is done before a start, and what people are told when there is none. What a
lab is given (image, limits, folders, quota) is decided elsewhere and comes in through `before_start`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

from docker.errors import APIError, DockerException  # type: ignore[import-untyped]
from dockerspawner import DockerSpawner
from jupyterhub.traitlets import Callable
from requests.exceptions import RequestException
from tornado.web import HTTPError
from traitlets import List

from hub.lifecycle import Mortal
from hub.progress import TellsProgress
from hub.start_failures import explain

ENGINE_THREADS = 8  # the engine's client keeps ten connections
ENGINE_ANSWERS_WITHIN = 60  # seconds; less than Spawner.start_timeout
STOPS_WITHIN = 5  # seconds from SIGTERM to SIGKILL; a lab that is asked to stop has saved before
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
)


class Lab(Mortal, TellsProgress, DockerSpawner):  # type: ignore[misc]  # the package carries no types
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
            for prepare in self.before_start:
                done = prepare(self)
                if asyncio.iscoroutine(done):
                    await done
            return await super().start()
        except HTTPError:  # a refusal that speaks for itself, SpawnException among them
            raise
        except (DockerException, RequestException, OSError) as fault:
            self.log.error("Not starting %s from %s: %s", self._log_name, self.image, fault)
            raise explain(fault, self.image) from fault

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
