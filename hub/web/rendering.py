"""Names that every page of the hub gets: the user's language, the announcement and the support contact.

JupyterHub passes no request to its templates, so the namespace that every handler builds is extended here.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import responses
from pathlib import Path
from typing import Any

from jupyterhub import handlers
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import utcnow
from tornado.httputil import HTTPServerRequest

from hub.auth.configure import SIGNED_OUT
from hub.auth.oauth import SPENT
from hub.web.errors import error_text, spawn_error_text
from passerelle_common.i18n import Message, gettext_noop, negotiate_language, translate

log = logging.getLogger("announcements")
MAX_LENGTH = 4000  # characters of an announcement: every page carries the text
Route = tuple[str, type[Any], dict[str, Any]]

STATUS_PHRASES = (
    gettext_noop("Bad Request"),
    gettext_noop("Forbidden"),
    gettext_noop("Internal Server Error"),
    gettext_noop("Not Found"),
    gettext_noop("Service Unavailable"),
    gettext_noop("Too Many Requests"),
)
"""Headings of error pages that have a translation; other phrases of HTTP stay English."""

_jupyterhub_namespace: Callable[[Any], dict[str, Any]] = BaseHandler.template_namespace.fget
_jupyterhub_routes: list[Any] = list(handlers.default_handlers)


@dataclass(frozen=True)
class Announcement:
    """The announcement on every page: the text of HUB_ANNOUNCEMENT, and the folder of the files that replace it.

    A file is `announcement.txt`, or `announcement.fr.txt` for pages in French. It is read for every page, so that a
    change needs no restart. It is text, never markup: templates escape it.
    """

    setting: str = ""
    folder: Path | None = None

    def in_language(self, language: str) -> str:
        """Return the current text in a language; empty if there is none."""
        names = (f"announcement.{language}.txt", "announcement.txt")
        return next((text for name in names if (text := self._read(name))), self.setting)

    def _read(self, name: str) -> str:
        if self.folder is None:
            return ""
        try:
            with (self.folder / name).open(encoding="utf-8", errors="replace") as file:
                text = file.read(MAX_LENGTH + 1).strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            log.warning("%s is not shown, it cannot be read: %s", name, error.strerror)
            return ""
        return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"


@dataclass(frozen=True)
class SignedOutNotice:
    """Sentences of the login page after a sign-out."""

    labs_stop: bool
    sign_out_url: str | None = None
    """The logout page of the bridge, which leads to that of CAS."""

    def applies_to(self, request: HTTPServerRequest) -> bool:
        """Return whether the provider sent the browser here after a sign-out."""
        return request.query_arguments.get("state") == [SIGNED_OUT.encode()]


def request_language(request: HTTPServerRequest) -> str:
    """Return the language of the pages for a request."""
    return negotiate_language(request.headers.get("Accept-Language", ""))


def init_templates(
    announcement: Announcement,
    support_contact: str,
    shared_origin: Message | None = None,
    signed_out: SignedOutNotice | None = None,
) -> None:
    """Add translations and the deployment's texts to the namespace of every template.

    Args:
        announcement: The text on every page.
        support_contact: The contact on error pages.
        shared_origin: What the hosts of the labs cost, for administrators.
        signed_out: What the login page says after a sign-out.
    """

    def template_namespace(handler: Any) -> dict[str, Any]:
        language = request_language(handler.request)
        return {
            **_jupyterhub_namespace(handler),
            "language": language,
            "_": lambda msgid, **facts: translate(msgid, language, **facts),
            "error_text": lambda exception, message: error_text(exception, message, language),
            "spawn_error_text": lambda exception: spawn_error_text(exception, language),
            "is_spawn_error": lambda exception: isinstance(exception, SpawnException),
            "status_phrase": lambda status: responses.get(status, "Internal Server Error"),
            "expired_sign_in": SPENT,
            "notice": announcement.in_language(language),
            "support_contact": support_contact,
            "shared_origin": shared_origin and shared_origin.translate(language),
            "signed_out": signed_out if signed_out and signed_out.applies_to(handler.request) else None,
            "now": utcnow(),
        }

    BaseHandler.template_namespace = property(template_namespace)


def add_routes(routes: Sequence[Route]) -> None:
    """Register routes before JupyterHub's own, because the first handler that matches answers."""
    handlers.default_handlers[:] = [*routes, *_jupyterhub_routes]
