"""A user who signs in to several applications and out again."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.store import fingerprint
from tests.http.world import ISSUER, Running
from tests.support.bridge.actors import App, Browser, Response

HUB = "https://hub.example.org/hub/oauth_callback"
GOODBYE = "https://hub.example.org/goodbye?from=here"
CLIENTS: list[dict[str, Any]] = [
    {
        "client_id": "hub",
        "client_name": "<i>JupyterHub</i>",
        "client_secret": "secret-of-the-hub",
        "redirect_uris": [HUB],
        "post_logout_redirect_uris": [GOODBYE, "org.example.hub:/bye"],
        "scopes": ["openid", "profile", "offline_access"],
        "consent": False,
        "grant_types": ["authorization_code", "refresh_token"],
    },
    {
        "client_id": "wiki",
        "client_secret": "secret-of-the-wiki",
        "redirect_uris": ["https://wiki.example.org/cb"],
        "post_logout_redirect_uris": ["https://wiki.example.org/bye"],
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "ES256",
        "grant_types": ["authorization_code", "refresh_token"],
    },
]
SESSION_COOKIE = "__Host-passerelle-session"


class Person:
    """A browser and the tokens of its applications."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.browser = Browser(running.wire)

    def sign_in(self, client_id: str = "hub", **changes: str) -> dict[str, Any]:
        app = application(self.running, client_id)
        request = app.authorization_url(scope=changes.pop("scope", "openid profile"), **changes)
        answer = self.browser.get(request)
        if urlsplit(answer.location).path == "/cas/login":
            answer = self.browser.get(self.browser.log_in_at_cas(answer))
        tokens = app.redeem(app.extract_code(answer)).json
        self.running.wire.secrets.add(tokens["refresh_token"])
        return tokens

    def sign_out(self, method: str = "GET", **parameters: str) -> Response:
        if method == "GET":
            return self.browser.get(f"{ISSUER}/logout?{urlencode(parameters)}")
        return self.browser.post("/logout", parameters)

    def submit(self, page: Response) -> Response:
        """Submit the form of a page of the bridge."""
        assert 'action="/logout"' in page.text
        return self.browser.post("/logout", fields(page))

    @property
    def is_signed_in(self) -> bool:
        cookie = self.browser.cookies.get(SESSION_COOKIE, "")
        return bool(self.running.store.sessions.find(fingerprint(cookie), now=int(self.running.clock())))


def application(running: Running, client_id: str) -> App:
    registered = next(client for client in CLIENTS if client["client_id"] == client_id)
    return App(running.wire, client_id, secret=registered["client_secret"], redirect_uri=registered["redirect_uris"][0])


def fields(page: Response) -> dict[str, str]:
    return {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    }


def claims_in(token: str) -> dict[str, Any]:
    from joserfc.jws import extract_compact

    claims = json.loads(extract_compact(token.encode()).payload)
    assert isinstance(claims, dict)
    return claims


def is_asked(answer: Response) -> bool:
    return answer.status == 200 and "form_token" in fields(answer)
