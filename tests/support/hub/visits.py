"""Visits of a user to each page of the bridge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page

from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.live_bridge import LiveBridge

SCOPES = ["openid", "profile", "email", "groups", "eduperson", "offline_access"]
GRANTS = ["authorization_code", "refresh_token"]
CLIENTS: list[dict[str, Any]] = [
    {
        "client_id": "notebook",
        "client_name": "Cahiers de calcul",
        "client_secret": "the secret of notebook",
        "scopes": SCOPES,
        "grant_types": GRANTS,
        "consent": True,
    },
    {
        "client_id": "wiki",
        "client_name": "Wiki of the Department of Mathematics and Computer Science",
        "client_secret": "the secret of wiki",
        "scopes": SCOPES,
        "grant_types": GRANTS,
    },
    {
        "client_id": "cluster",
        "client_name": "The Cluster",
        "client_secret": "the secret of cluster",
        "allowed_groups": ["hpc"],
    },
]


@dataclass
class Visit:
    """A new user of the bridge with a browser."""

    page: Page
    bridge: LiveBridge
    wire: Wire

    @property
    def clients(self) -> list[dict[str, Any]]:
        """Return the bridge's clients."""
        return list(json.loads(self.bridge.environment["PASSERELLE_CLIENTS"]))

    def app(self, client_id: str) -> App:
        (client,) = [client for client in self.clients if client["client_id"] == client_id]
        return App(self.wire, client_id, secret=client["client_secret"], redirect_uri=client["redirect_uris"][0])

    def asks_to_sign_in(self, client_id: str, **changes: str) -> App:
        app = self.app(client_id)
        self.page.goto(app.authorization_url(scope=" ".join(SCOPES), **changes))
        return app

    def lets_application_in(self, client_id: str) -> None:
        """Complete the sign-in up to the application's tokens."""
        app = self.asks_to_sign_in(client_id)
        if "/authorize" in self.page.url or "/cas/callback" in self.page.url:
            self.page.locator("button[value=allow]").click()
        self.page.wait_for_url(f"{app.redirect_uri}?**")
        code = parse_qs(urlsplit(self.page.url).query)["code"][0]
        assert app.redeem(code).status == 200


def opens_consent(visit: Visit) -> None:
    visit.asks_to_sign_in("notebook")


def opens_refusal(visit: Visit) -> None:
    visit.asks_to_sign_in("cluster")


def opens_error(visit: Visit) -> None:
    visit.page.goto(f"{visit.bridge.url}/authorize?client_id=unknown")


def opens_technical_error(visit: Visit) -> None:
    visit.page.goto(f"{visit.bridge.url}/authorize")


def opens_nothing(visit: Visit) -> None:
    visit.page.goto(f"{visit.bridge.url}/nowhere")


def opens_interrupted(visit: Visit) -> None:
    visit.page.goto(f"{visit.bridge.url}/cas/callback?state=lost&ticket=ST-1")


def opens_form_post(visit: Visit) -> None:
    visit.page.route("**/submit.js", lambda route: route.abort())  # as a browser without scripts
    visit.asks_to_sign_in("wiki", response_mode="form_post")


def opens_start(visit: Visit) -> None:
    visit.page.goto(f"{visit.bridge.url}/")


def opens_empty_account(visit: Visit) -> None:
    visit.asks_to_sign_in("wiki")
    visit.page.goto(f"{visit.bridge.url}/")


def opens_account(visit: Visit) -> None:
    Browser(visit.wire).sign_in(visit.app("wiki").authorization_url())  # in another browser
    visit.lets_application_in("notebook")
    visit.lets_application_in("wiki")
    visit.page.goto(f"{visit.bridge.url}/")
    visit.page.locator("summary").click()


def opens_sign_out(visit: Visit) -> None:
    visit.asks_to_sign_in("wiki")
    visit.page.goto(f"{visit.bridge.url}/logout")


def opens_signed_out(visit: Visit) -> None:
    visit.page.goto(f"{visit.bridge.url}/logout")


PAGES: dict[str, Callable[[Visit], None]] = {
    "consent": opens_consent,
    "not-admitted": opens_refusal,
    "error": opens_error,
    "technical-error": opens_technical_error,
    "not-found": opens_nothing,
    "interrupted": opens_interrupted,
    "form-post": opens_form_post,
    "start": opens_start,
    "account-empty": opens_empty_account,
    "account": opens_account,
    "sign-out": opens_sign_out,
    "signed-out": opens_signed_out,
}
