"""Spawner mixins: terms of use, culling inside the lab, and progress events in all languages."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner
from jupyterhub.traitlets import Callable
from jupyterhub.utils import maybe_future
from traitlets import Dict, Instance
from traitlets.config import Configurable

from hub.culler.policy import Lifetimes, idle_arguments
from passerelle_common.i18n import LANGUAGES, SOURCE_LANGUAGE, gettext_noop, translate

WAITING_INTERVAL = 10  # seconds between two events while the hub waits for the lab's server
AUTH_CACHE_OPTION = "--HubOAuth.cache_max_age"
AUTH_CACHE = 30
"""Seconds for which a lab uses the hub's last response about a token. A sign-out takes effect within this time."""

STEPS = {
    "queued": (5, gettext_noop("Many labs are starting. Yours is number %(place)s in the queue.")),
    "checked": (10, gettext_noop("Start allowed.")),
    "image": (20, gettext_noop("Image %(image)s found.")),
    "home_found": (35, gettext_noop("Your home with your files found.")),
    "home_new": (35, gettext_noop("Creating a new home for you.")),
    "created": (55, gettext_noop("Container created.")),
    "started": (70, gettext_noop("Container started; JupyterLab is starting.")),
    "waiting": (80, gettext_noop("JupyterLab is still starting (%(seconds)s s).")),
}


class LifecycleMixin(Configurable):
    """Spawner mixin, listed first."""

    lifetimes = Instance(Lifetimes, allow_none=True, help="Culling limits of all users.").tag(config=True)
    check_terms = Callable(
        None,
        allow_none=True,
        help="Called with the user before a start; raises SpawnException unless they accepted the terms of use.",
    ).tag(config=True)

    host_environment = Dict(help="Environment that the host names of the labs require.").tag(config=True)

    def get_env(self) -> dict[str, str]:
        """Return the server's environment; the administrator's configuration cannot override `host_environment`."""
        env: dict[str, str] = super().get_env()  # type: ignore[misc]
        return env | self.host_environment

    async def run_pre_spawn_hook(self) -> Any:
        """Check the terms of use before the administrator's hook, which cannot replace the check."""
        if self.check_terms is not None:
            self.check_terms(self.user)  # type: ignore[attr-defined]
        return await maybe_future(super().run_pre_spawn_hook())  # type: ignore[misc]

    def get_args(self) -> list[str]:
        """Return the server's arguments, with the cache of tokens and the idle timeouts of kernels and terminals."""
        arguments: list[str] = super().get_args()  # type: ignore[misc]
        # A server does not start with two values of one option, and the administrator may have set this one.
        if not any(argument.startswith(AUTH_CACHE_OPTION) for argument in arguments):
            arguments = [*arguments, f"{AUTH_CACHE_OPTION}={AUTH_CACHE}"]
        if self.lifetimes is None:
            return arguments
        groups = {group.name for group in self.user.groups}  # type: ignore[attr-defined]
        return [*arguments, *idle_arguments(self.lifetimes.limits_for(groups))]


def progress_event(step: str, **facts: object) -> dict[str, Any]:
    """Return an event for JupyterHub's progress stream, with its message in every language."""
    percent, msgid = STEPS[step]
    messages = {language: translate(msgid, language, **facts) for language in LANGUAGES}
    return {"progress": percent, "step": step, "message": messages[SOURCE_LANGUAGE], "messages": messages}


class ProgressMixin(DockerSpawner):  # type: ignore[misc]  # the package carries no types
    """Spawner mixin that reports the steps of a start."""

    def clear_state(self) -> None:
        """Discard the events of the last start."""
        super().clear_state()
        self._events: list[dict[str, Any]] = []
        self._new_event = asyncio.Event()

    def report(self, step: str, **facts: object) -> None:
        """Add an event, which all open progress pages receive at once and later pages receive when they open."""
        self._events.append(progress_event(step, **facts))
        self._new_event.set()
        self._new_event = asyncio.Event()

    async def pull_image(self, image: str) -> Any:
        """Check that the image exists; the deployment's pull policy never pulls."""
        self.report("checked")
        if self.pull_policy == "never":
            await self.docker("inspect_image", image)
        pulled = await super().pull_image(image)
        self.report("image", image=image.rpartition("/")[2])
        return pulled

    async def create_object(self) -> Any:
        """Create the container; the engine creates a missing home volume with it."""
        self.report("home_found" if await self._home_exists() else "home_new")
        created = await super().create_object()
        self.report("created")
        return created

    async def start_object(self) -> Any:
        """Start the container."""
        started = await super().start_object()
        self.report("started")
        return started

    async def _home_exists(self) -> bool:
        homes = [name for name, bind in self.volume_binds.items() if bind["bind"] == "/home/jovyan"]
        if not homes or homes[0].startswith("/"):
            return True
        try:
            await self.docker("inspect_volume", homes[0])
        except NotFound:
            return False
        except (APIError, DockerException):
            return True  # unknown, so do not announce a new home
        return True

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield past and future events; JupyterHub closes the stream at the end of the start."""
        sent, began = 0, time.monotonic()
        while True:
            while sent < len(self._events):
                yield self._events[sent]
                sent += 1
            new_event = self._new_event
            try:
                await asyncio.wait_for(new_event.wait(), WAITING_INTERVAL)
            except TimeoutError:
                if self._events and self._events[-1]["step"] == "started":
                    yield progress_event("waiting", seconds=int(time.monotonic() - began))
