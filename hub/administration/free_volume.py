"""A home that has to be free. The volume service of the hub measures homes in containers that live for seconds or for two minutes,
and does so just when a lab has stopped: those are waited for, and anybody else at the home is named.
"""

from __future__ import annotations

import time

from hub.administration import output
from hub.administration.engine import Engine
from hub.administration.faults import AdministrationError
from hub.storage.volumes import LABEL

LOOKS_EVERY = 0.5  # seconds
WITHIN = 180.0  # longer than a measurement may take
TRIES = 5


def wait_until_free(engine: Engine, volume: str) -> None:
    """Return when nobody has the volume; raise if somebody has it who does not measure it."""
    deadline = time.monotonic() + WITHIN
    said = False
    while at_work := engine.users_of(volume):
        if others := [one.name for one in at_work if LABEL not in one.labels]:
            raise AdministrationError(
                f"{volume} is in use by {', '.join(sorted(others))}: stop that (`docker rm -f`), and run this again."
            )
        if time.monotonic() >= deadline:
            names = ", ".join(sorted(one.name for one in at_work))
            raise AdministrationError(f"{volume} is measured by {names} for too long: run this again later.")
        if not said:
            output.say("the home is being measured: waiting for the end of that")
            said = True
        time.sleep(LOOKS_EVERY)


def remove(engine: Engine, volume: str) -> None:
    """For good; a measurement may begin between any look and the next."""
    for left in reversed(range(TRIES)):
        wait_until_free(engine, volume)
        try:
            engine.remove_volume(volume)
        except AdministrationError:
            if not left:
                raise
            time.sleep(LOOKS_EVERY)
        else:
            return
