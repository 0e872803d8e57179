"""What the engine is doing for a start, told while it does it: each event is a thing done, none is a guess.

Events carry English, and `key` with facts, so that the page can say it in the reader's language.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner

from passerelle_common.i18n import LANGUAGES, SOURCE_LANGUAGE, gettext_noop, translate

TELL_AGAIN_AFTER = 10  # seconds of waiting for the lab's server

STEPS = {
    "queued": (5, gettext_noop("Many labs are starting at this moment. Yours is number %(place)s in the queue.")),
    "checked": (10, gettext_noop("You may start it.")),
    "image": (20, gettext_noop("The image %(image)s is there.")),
    "home_found": (35, gettext_noop("Your home is there, with your files.")),
    "home_new": (35, gettext_noop("A new home is made for you.")),
    "created": (55, gettext_noop("The container is made.")),
    "started": (70, gettext_noop("The container runs; JupyterLab is starting in it.")),
    "waiting": (80, gettext_noop("JupyterLab is still starting (%(seconds)s s).")),
}


def event_of(step: str, **facts: object) -> dict[str, Any]:
    """One event of JupyterHub's stream, with its message in every language."""
    percent, sentence = STEPS[step]
    messages = {language: translate(sentence, language, **facts) for language in LANGUAGES}
    return {"progress": percent, "step": step, "message": messages[SOURCE_LANGUAGE], "messages": messages}


class TellsProgress(DockerSpawner):  # type: ignore[misc]  # the package carries no types
    """To be mixed into a spawner of containers."""

    def clear_state(self) -> None:
        """A new start tells a new story."""
        super().clear_state()
        self._told: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    def tell(self, step: str, **facts: object) -> None:
        """Whoever looks at the page, in however many tabs, sees it at once; who comes later sees it as well."""
        self._told.append(event_of(step, **facts))
        self._more.set()
        self._more = asyncio.Event()

    async def pull_image(self, image: str) -> Any:
        """The first that is asked of the engine. It never pulls here; it says early what a start would fail of."""
        self.tell("checked")
        if self.pull_policy == "never":
            await self.docker("inspect_image", image)
        pulled = await super().pull_image(image)
        self.tell("image", image=image.rpartition("/")[2])
        return pulled

    async def create_object(self) -> Any:
        """Homes are made by the engine together with the container."""
        self.tell("home_found" if await self._home_exists() else "home_new")
        made = await super().create_object()
        self.tell("created")
        return made

    async def start_object(self) -> Any:
        """From here on the lab itself is at work."""
        started = await super().start_object()
        self.tell("started")
        return started

    async def _home_exists(self) -> bool:
        homes = [name for name, where in self.volume_binds.items() if where["bind"] == "/home/jovyan"]
        if not homes or homes[0].startswith("/"):
            return True
        try:
            await self.docker("inspect_volume", homes[0])
        except NotFound:
            return False
        except (APIError, DockerException):
            return True  # a failure to look is no reason to speak of a new home
        return True

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """All that was told, and what will be; JupyterHub ends it with the start."""
        told, began = 0, time.monotonic()
        while True:
            while told < len(self._told):
                yield self._told[told]
                told += 1
            more = self._more
            try:
                await asyncio.wait_for(more.wait(), TELL_AGAIN_AFTER)
            except TimeoutError:
                if self._told and self._told[-1]["step"] == "started":
                    yield event_of("waiting", seconds=int(time.monotonic() - began))
