"""The terms of use at the door: the page on which they are accepted, and the gate that every start passes.

The page needs no script. The gate is in the spawner, where a start by the API, of a named server or by an administrator
for somebody else passes as well; the page in front of it only spares people an error.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.spawner import SpawnException
from tornado import web
from tornado.httputil import url_concat

from hub.web.rendering import Route, reads
from hub.web.terms import Terms, TermsInForce
from hub.web.terms_store import Acceptances

NOT_ACCEPTED = "The terms of use have not been accepted yet: no lab can start before."


class TermsGate:
    """Who has accepted the terms of now."""

    def __init__(self, in_force: TermsInForce, acceptances: Acceptances) -> None:
        self.in_force = in_force
        self.acceptances = acceptances

    def accepted(self, user: Any, terms: Terms) -> datetime | None:
        """When JupyterHub's user accepted these terms."""
        return self.acceptances.when(user.name, terms.version, since=user.created.replace(tzinfo=UTC))

    def is_open_for(self, user: Any) -> bool:
        """Whether this user may start a lab."""
        return self.accepted(user, self.in_force.now()) is not None

    def check(self, user: Any, terms_url: str) -> None:
        """Refuse a start.

        :raises SpawnException: with where to accept
        """
        if not self.is_open_for(user):
            raise SpawnException(
                f"{NOT_ACCEPTED} {user.name} can read and accept them at {terms_url}",
                reason="terms_not_accepted",
                status_code=403,
            )


class TermsHandler(BaseHandler):  # type: ignore[misc]  # JupyterHub carries no types
    """`/hub/terms`: to read, to accept, to refuse."""

    def initialize(self, gate: TermsGate) -> None:
        """Given by the route."""
        self.gate = gate

    @web.authenticated
    async def get(self) -> None:
        """The text, with two buttons while it is not accepted."""
        await self._show()

    @web.authenticated
    async def post(self) -> None:
        """The answer. It counts for the text that was read, not for one that took its place meanwhile."""
        terms = self.gate.in_force.now()
        if self.get_body_argument("answer", "") != "accept":
            await self._show(said="refused")
        elif self.get_body_argument("version", "") != terms.version:
            await self._show(said="changed")
        else:
            self.gate.acceptances.accept(self.current_user.name, terms)
            self.log.info("%s accepted the terms of use %s", self.current_user.name, terms.version)
            self.redirect(self.get_next_url(self.current_user, default=f"{self.hub.base_url}spawn"), status=303)

    async def _show(self, said: str = "") -> None:
        terms = self.gate.in_force.now()
        text, text_language = terms.in_language(reads(self.request))
        page = await self.render_template(
            "terms.html",
            no_spawner_check=True,
            text=text,
            text_language=text_language,
            version=terms.version,
            accepted=self.gate.accepted(self.current_user, terms),
            said=said,
            next=self.get_argument("next", ""),
        )
        self.set_header("Cache-Control", "no-store")
        self.finish(page)


class StartAfterTerms(SpawnHandler):  # type: ignore[misc]
    """JupyterHub's page that starts a lab; who has not accepted the terms goes to them first, and then on."""

    def initialize(self, gate: TermsGate) -> None:
        """Given by the route."""
        self.gate = gate

    async def prepare(self) -> None:
        """Before any answer, of GET and POST alike."""
        await super().prepare()
        user = self.current_user
        whose = self.path_args[0] if self.path_args else None
        if user is not None and whose in (None, user.name) and not self.gate.is_open_for(user):
            back = self.request.uri if self.request.method == "GET" else f"{self.hub.base_url}spawn"
            self.redirect(url_concat(f"{self.hub.base_url}terms", {"next": back}), status=303)


def routes_of(gate: TermsGate) -> list[Route]:
    """The page, and JupyterHub's addresses of a start."""
    to_gate = {"gate": gate}
    starts = [r"/spawn", r"/spawn/([^/]+)", r"/spawn/([^/]+)/([^/]+)"]
    return [(r"/terms", TermsHandler, to_gate), *((path, StartAfterTerms, to_gate) for path in starts)]
