"""The page of the terms of use, and the check before every start of a lab.

The check runs in the spawner, so that it covers the API, named servers and administrators who start labs for others.
The redirect in front of JupyterHub's spawn page only saves users an error page.
"""

from datetime import UTC, datetime
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.pages import SpawnHandler
from tornado import web
from tornado.httputil import url_concat

from hub.web.errors import spawn_error
from hub.web.rendering import Route, request_language
from hub.web.terms import Acceptances, Terms, TermsInForce
from passerelle_common.i18n import Message


class TermsGate:
    """Decides whether a user may start a lab under the current terms."""

    def __init__(self, in_force: TermsInForce, acceptances: Acceptances) -> None:
        self.in_force = in_force
        self.acceptances = acceptances

    def accepted(self, user: Any, terms: Terms) -> datetime | None:
        """Return when JupyterHub's user accepted these terms."""
        return self.acceptances.when(user.name, terms.version, since=user.created.replace(tzinfo=UTC))

    def is_open_for(self, user: Any) -> bool:
        """Return whether JupyterHub's user has accepted the current terms."""
        return self.accepted(user, self.in_force.now()) is not None

    def check(self, user: Any, terms_url: str) -> None:
        """Reject a start unless the user has accepted the current terms.

        Raises:
            SpawnException: With the address of the terms.
        """
        if not self.is_open_for(user):
            message = Message(
                "%(user)s has not accepted the terms of use, so the lab cannot start. Read and accept them at %(url)s",
                {"user": user.name, "url": terms_url},
            )
            raise spawn_error(message, reason="terms_not_accepted", status_code=403)


class _GateMixin:
    def initialize(self, gate: TermsGate) -> None:
        """Keep what the route gives; see `tornado.web.RequestHandler.initialize`."""
        self.gate = gate


class TermsHandler(_GateMixin, BaseHandler):  # type: ignore[misc]  # JupyterHub carries no types
    """`/hub/terms`: shows the terms and takes the user's answer."""

    @web.authenticated
    async def get(self) -> None:
        """Show the terms, with two buttons unless the user has accepted them."""
        await self._show()

    @web.authenticated
    async def post(self) -> None:
        """Record the answer, unless the terms have changed since the user loaded the page."""
        terms = self.gate.in_force.now()
        if self.get_body_argument("answer", "") != "accept":
            await self._show(outcome="refused")
        elif self.get_body_argument("version", "") != terms.version:
            await self._show(outcome="changed")
        else:
            self.gate.acceptances.accept(self.current_user.name, terms)
            self.log.info("%s accepted the terms of use %s", self.current_user.name, terms.version)
            self.redirect(self.get_next_url(self.current_user, default=f"{self.hub.base_url}spawn"), status=303)

    async def _show(self, outcome: str = "") -> None:
        terms = self.gate.in_force.now()
        text, text_language = terms.in_language(request_language(self.request))
        page = await self.render_template(
            "terms.html",
            no_spawner_check=True,
            text=text,
            text_language=text_language,
            version=terms.version,
            accepted=self.gate.accepted(self.current_user, terms),
            outcome=outcome,
            next=self.get_argument("next", ""),
        )
        self.set_header("Cache-Control", "no-store")
        self.finish(page)


class SpawnAfterTermsHandler(_GateMixin, SpawnHandler):  # type: ignore[misc]
    """JupyterHub's spawn page; redirects users who have not accepted the terms to them and back."""

    async def prepare(self) -> None:
        """Redirect before any method answers."""
        await super().prepare()
        user = self.current_user
        owner = self.path_args[0] if self.path_args else None
        if user is not None and owner in (None, user.name) and not self.gate.is_open_for(user):
            back = self.request.uri if self.request.method == "GET" else f"{self.hub.base_url}spawn"
            self.redirect(url_concat(f"{self.hub.base_url}terms", {"next": back}), status=303)


def routes_of(gate: TermsGate) -> list[Route]:
    """Return the routes of the terms and of JupyterHub's spawn page."""
    arguments = {"gate": gate}
    spawn_paths = [r"/spawn", r"/spawn/([^/]+)", r"/spawn/([^/]+)/([^/]+)"]
    return [(r"/terms", TermsHandler, arguments), *((path, SpawnAfterTermsHandler, arguments) for path in spawn_paths)]
