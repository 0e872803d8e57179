"""Every flow that there is, well and badly ended, with values that can be found again where they must not be."""

from __future__ import annotations

import html
import re
import secrets
from urllib.parse import urlencode

from tests.http.world import Running
from tests.support.bridge.actors import FORM, Answer, App, Browser, Wire
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
    """A browser and an application whose every word is a recognisable secret."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.browser = Browser(wire)
        self.app = App(wire, "app", secret=SECRET, redirect_uri="https://app.example.org/cb")
        self.told = {"X-Forwarded-For": CALLER}

    def secret(self, value: str) -> str:
        self.wire.secrets.add(value)
        return value

    def agrees(self, page: Answer, decision: str = "allow") -> Answer:
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        form = {name: html.unescape(value) for name, value in hidden}
        self.secret(form["form_token"])
        return self.browser.posts("/consent", {**form, "decision": decision}, **self.told)

    def posts(self, path: str, *, basic: str | None = None, **form: str) -> Answer:
        usual = {"client_id": "app", "client_secret": SECRET} if basic is None else {}
        header = {} if basic is None else {"Authorization": basic}
        answer = self.wire.ask("POST", path, headers=FORM | self.told | header, body=urlencode(usual | form))
        if path == "/token" and answer.status == 200:
            names = ("access_token", "refresh_token", "id_token")
            self.wire.secrets |= {answer.json[name] for name in names if name in answer.json}
        return answer

    def redeems(self, code: str) -> Answer:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": self.app.verifier}
        return self.posts("/token", redirect_uri=self.app.redirect_uri, **form)

    def asks_who(self, token: str) -> Answer:
        return self.wire.ask("GET", "/userinfo", headers=self.told | {"Authorization": f"Bearer {self.secret(token)}"})


def drive_every_flow(bridge: Running, actors: Actors, cas: ScriptedCas) -> None:
    """Everything that ends well, then everything that does not."""
    ends_well(bridge, actors)
    ends_badly(bridge, actors, cas)


def ends_well(bridge: Running, actors: Actors) -> None:
    browser, app = actors.browser, actors.app
    wants = {"scope": "openid profile offline_access"}
    page = browser.opens(browser.visits_cas(browser.opens(app.sends(**wants), **actors.told)), **actors.told)
    code = app.takes_code(actors.agrees(page))
    tokens = actors.redeems(code).json
    assert actors.asks_who(tokens["access_token"]).status == 200
    newer = actors.posts("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json
    assert actors.posts("/introspect", token=newer["access_token"]).json["active"]
    assert actors.posts("/revoke", token=newer["refresh_token"]).status == 200
    assert actors.posts("/token", grant_type="client_credentials").status == 200
    second = app.takes_code(browser.opens(app.sends(**wants, response_mode=None), **actors.told))
    again = actors.redeems(second).json
    assert browser.opens(app.sends(**wants, response_mode="form_post"), **actors.told).status == 200
    logout = urlencode({"id_token_hint": again["id_token"], "post_logout_redirect_uri": "https://app.example.org/"})
    assert browser.opens(f"/logout?{logout}", **actors.told).status == 303


def ends_badly(bridge: Running, actors: Actors, cas: ScriptedCas) -> None:
    browser, app = actors.browser, actors.app
    page = browser.signs_in(app.sends(scope="openid profile email groups"))
    assert "error" in actors.agrees(page, "deny").parameters
    code = app.takes_code(actors.agrees(browser.opens(app.sends(prompt="consent"))))
    tokens = actors.redeems(code).json
    assert actors.redeems(code).status == 400  # reuse
    assert actors.asks_who(tokens["access_token"]).status == 401
    code = app.takes_code(browser.opens(app.sends()))
    first = actors.redeems(code).json["refresh_token"]
    for _ in range(2):
        second = actors.posts("/token", grant_type="refresh_token", refresh_token=first).json
        bridge.clock.advance(11)
    assert second == {"error": "invalid_grant", "error_description": second["error_description"]}
    actors.posts("/token", grant_type="refresh_token", refresh_token=actors.secret(secrets.token_urlsafe(32)))
    actors.posts("/token", client_secret=actors.secret("a-wrong-secret-for-the-form"))
    actors.posts("/token", basic=f"Basic {actors.secret('YXBwOmEtd3JvbmctaGVhZGVyLXNlY3JldA==')}")
    actors.posts("/introspect", client_secret=actors.secret("a-wrong-secret-for-introspection"), token="x")
    actors.posts("/revoke", client_id="cli", token=actors.secret(secrets.token_urlsafe(32)))
    actors.asks_who(secrets.token_urlsafe(32))
    actors.asks_who(f"{secrets.token_urlsafe(32)} with spaces")
    for cookie in ("", secrets.token_urlsafe(32)):
        ticket, state = actors.secret(f"ST-{secrets.token_hex(12)}"), actors.secret(secrets.token_urlsafe(32))
        jar = {"Cookie": f"__Host-passerelle-login={actors.secret(cookie)}"} if cookie else {}
        bridge.wire.ask("GET", f"/cas/callback?state={state}&ticket={ticket}", headers=actors.told | jar)
    for script in (cas_scripts.redirects_to("https://elsewhere.example/"), None):
        cas.script = script
        other = Browser(bridge.wire)
        callback = other.visits_cas(other.opens(app.sends()))
        other.opens(callback.replace("ticket=ST-", "ticket=ST-x"))
        other.opens(callback)
    other.opens(app.sends(id_token_hint=actors.secret(tokens["id_token"]), prompt="none"))
    other.opens(app.sends(request=actors.secret("a-request-object-with-claims")))
