"""What all pages of the hub share: the reader's language, the announcement, whom to ask.

JupyterHub hands templates no request, and so no language; the one place where every page of it gets its names is
extended here. Our own pages come before JupyterHub's, because the first handler that fits answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.client import responses
from typing import Any

from jupyterhub import handlers
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import utcnow
from tornado.httputil import HTTPServerRequest

from hub.auth.oauth import SPENT
from hub.web.announcements import Announcement
from hub.web.i18n import language_of, translate, translate_finished
from hub.web.spawn_errors import is_refused_start, why_not_started

Route = tuple[str, type[Any], dict[str, Any]]

_names_of_jupyterhub: Callable[[Any], dict[str, Any]] = BaseHandler.template_namespace.fget
_routes_of_jupyterhub: list[Any] = list(handlers.default_handlers)


def reads(request: HTTPServerRequest) -> str:
    """The language of whoever sent this request."""
    return language_of(request.headers.get("Accept-Language", ""))


def init_templates(announcement: Announcement, support_contact: str) -> None:
    """Give every template the language and what is announced."""

    def template_namespace(handler: Any) -> dict[str, Any]:
        language = reads(handler.request)
        return {
            **_names_of_jupyterhub(handler),
            "language": language,
            "_": lambda sentence, **facts: translate(sentence, language).format(**facts),
            "_finished": lambda sentence: translate_finished(str(sentence), language),
            "phrase_of": lambda status: responses.get(status, "Internal Server Error"),
            "why_not_started": why_not_started,
            "spent_sign_in": SPENT,
            "is_refused_start": is_refused_start,
            "notice": announcement.in_language(language),
            "support_contact": support_contact,
            "now": utcnow(),
        }

    BaseHandler.template_namespace = property(template_namespace)


def serve(routes: Sequence[Route]) -> None:
    """Answer these before JupyterHub's own."""
    handlers.default_handlers[:] = [*routes, *_routes_of_jupyterhub]
