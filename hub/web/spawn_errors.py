"""Why there is no lab, for the page: whatever ended a start becomes a sentence that its reader can act on."""

from __future__ import annotations

from typing import NamedTuple

from jupyterhub.spawner import SpawnException
from tornado.util import TimeoutError as TornadoTimeoutError

from hub.web.i18n import translate_finished

TOO_SLOW = (
    "Your lab was started but did not answer in time. Try again: the server may have been busy. If it happens each "
    "time, a file in your home may stop it, such as one you changed below .jupyter or .local."
)
UNKNOWN = (
    "Something went wrong that has no sentence of its own yet. Try again; if that does not help, tell the "
    "administrator, who finds the reason in the log of the hub."
)


class WayOut(NamedTuple):
    """What the person who waits can do instead; the page's first button. A refusal carries it as `way_out`."""

    name: str
    """English, and translated by the page."""
    address: str


def is_refused_start(exception: BaseException | None) -> bool:
    """Whether this ended a start."""
    return isinstance(exception, SpawnException)


def why_not_started(exception: BaseException | None, language: str) -> str:
    """The sentence."""
    if isinstance(exception, SpawnException):
        return translate_finished(str(exception.message), language)
    if isinstance(exception, TimeoutError | TornadoTimeoutError):
        return translate_finished(TOO_SLOW, language)
    told = getattr(exception, "jupyterhub_message", None)
    return translate_finished(str(told) if told else UNKNOWN, language)
