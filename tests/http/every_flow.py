"""Every flow, successful and failed, with recognisable secrets to search for."""

from __future__ import annotations

import html
import re
import secrets
from urllib.parse import urlencode

from tests.http.world import Running
from tests.support.bridge.actors import FORM, App, Browser, Response, Wire
from tests.support.cas import cas_scripts
from tests.support.cas.scripted_cas import ScriptedCas

SECRET = "a-recognisable-secret-of-the-application"
CALLER = "192.0.2.44"
CLIENT = {
    "client_id": "app",
    "client_name": "The application",
    "client_secret": SECRET,
    "redirect_uris": ["https://app.example.org/cb"],
    "post_logout_redirect_uris": ["https://app.example.org/"],
    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    "scopes": ["openid", "profile", "email", "groups", "offline_access", "job:run"],
    "consent": True,
}


class Actors:
    """A browser and an application with recognisable secrets."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.browser = Browser(wire)
        self.app = App(wire, "app", secret=SECRET, redirect_uri="https://app.example.org/cb")
        self.sent_headers = {"X-Forwarded-For": CALLER}

    def secret(self, value: str) -> str:
        self.wire.secrets.add(value)
        return value

    def give_consent(self, page: Response, decision: str = "allow") -> Response:
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        form = {name: html.unescape(value) for name, value in hidden}
        self.secret(form["form_token"])
        return self.browser.post("/consent", {**form, "decision": decision}, **self.sent_headers)

    def post(self, path: str, *, basic: str | None = None, **form: str) -> Response:
        usual = {"client_id": "app", "client_secret": SECRET} if basic is None else {}
        header = {} if basic is None else {"Authorization": basic}
        answer = self.wire.send("POST", path, headers=FORM | self.sent_headers | header, body=urlencode(usual | form))
        if path == "/token" and answer.status == 200:
            names = ("access_token", "refresh_token", "id_token")
            self.wire.secrets |= {answer.json[name] for name in names if name in answer.json}
        return answer

    def redeem(self, code: str) -> Response:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": self.app.verifier}
        return self.post("/token", redirect_uri=self.app.redirect_uri, **form)

    def fetch_userinfo(self, token: str) -> Response:
        return self.wire.send(
            "GET", "/userinfo", headers=self.sent_headers | {"Authorization": f"Bearer {self.secret(token)}"}
        )


def drive_every_flow(bridge: Running, actors: Actors, cas: ScriptedCas) -> None:
    """Run the successful flows, then the failing ones."""
    ends_well(bridge, actors)
    ends_badly(bridge, actors, cas)


def ends_well(bridge: Running, actors: Actors) -> None:
    browser, app = actors.browser, actors.app
    wants = {"scope": "openid profile offline_access"}
    page = browser.get(
        browser.log_in_at_cas(browser.get(app.authorization_url(**wants), **actors.sent_headers)), **actors.sent_headers
    )
    code = app.extract_code(actors.give_consent(page))
    tokens = actors.redeem(code).json
    assert actors.fetch_userinfo(tokens["access_token"]).status == 200
    newer = actors.post("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json
    assert actors.post("/introspect", token=newer["access_token"]).json["active"]
    assert actors.post("/revoke", token=newer["refresh_token"]).status == 200
    assert actors.post("/token", grant_type="client_credentials").status == 200
    second = app.extract_code(browser.get(app.authorization_url(**wants, response_mode=None), **actors.sent_headers))
    again = actors.redeem(second).json
    assert browser.get(app.authorization_url(**wants, response_mode="form_post"), **actors.sent_headers).status == 200
    logout = urlencode({"id_token_hint": again["id_token"], "post_logout_redirect_uri": "https://app.example.org/"})
    assert browser.get(f"/logout?{logout}", **actors.sent_headers).status == 303


def ends_badly(bridge: Running, actors: Actors, cas: ScriptedCas) -> None:
    browser, app = actors.browser, actors.app
    page = browser.sign_in(app.authorization_url(scope="openid profile email groups"))
    assert "error" in actors.give_consent(page, "deny").parameters
    code = app.extract_code(actors.give_consent(browser.get(app.authorization_url(prompt="consent"))))
    tokens = actors.redeem(code).json
    assert actors.redeem(code).status == 400  # reuse
    assert actors.fetch_userinfo(tokens["access_token"]).status == 401
    code = app.extract_code(browser.get(app.authorization_url()))
    first = actors.redeem(code).json["refresh_token"]
    for _ in range(2):
        second = actors.post("/token", grant_type="refresh_token", refresh_token=first).json
        bridge.clock.advance(11)
    assert second == {"error": "invalid_grant", "error_description": second["error_description"]}
    actors.post("/token", grant_type="refresh_token", refresh_token=actors.secret(secrets.token_urlsafe(32)))
    actors.post("/token", client_secret=actors.secret("a-wrong-secret-for-the-form"))
    actors.post("/token", basic=f"Basic {actors.secret('YXBwOmEtd3JvbmctaGVhZGVyLXNlY3JldA==')}")
    actors.post("/introspect", client_secret=actors.secret("a-wrong-secret-for-introspection"), token="x")
    actors.post("/revoke", client_id="cli", token=actors.secret(secrets.token_urlsafe(32)))
    actors.fetch_userinfo(secrets.token_urlsafe(32))
    actors.fetch_userinfo(f"{secrets.token_urlsafe(32)} with spaces")
    for cookie in ("", secrets.token_urlsafe(32)):
        ticket, state = actors.secret(f"ST-{secrets.token_hex(12)}"), actors.secret(secrets.token_urlsafe(32))
        jar = {"Cookie": f"__Host-passerelle-login={actors.secret(cookie)}"} if cookie else {}
        bridge.wire.send("GET", f"/cas/callback?state={state}&ticket={ticket}", headers=actors.sent_headers | jar)
    for script in (cas_scripts.redirect("https://elsewhere.example/"), None):
        cas.script = script
        other = Browser(bridge.wire)
        callback = other.log_in_at_cas(other.get(app.authorization_url()))
        other.get(callback.replace("ticket=ST-", "ticket=ST-x"))
        other.get(callback)
    other.get(app.authorization_url(id_token_hint=actors.secret(tokens["id_token"]), prompt="none"))
    other.get(app.authorization_url(request=actors.secret("a-request-object-with-claims")))
