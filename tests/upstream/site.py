"""A live bridge behind a real CAS server, with clients, users and a logout receiver."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.bridge.actors import App, Response, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.bridge.tls_proxy import TlsProxy
from tests.support.cas.logout_receiver import LogoutReceiver
from tests.support.cas.real_cas import LogoutChannel, Person, RealCas, asks_for_password

REDIRECT_URI = "http://127.0.0.1:9/cb"
WHILE_SIGNED_IN = "openid profile email groups eduperson"
SCOPE = f"{WHILE_SIGNED_IN} offline_access"
LOGOUT_SECONDS_MAX = 2.0
# For tests with a bridge of their own whose result depends on the bridge more than on the server.
TWO_SERVERS = pytest.mark.parametrize(
    "cas", [pytest.param("apereo", marks=pytest.mark.needs("apereo")), "django"], indirect=True
)


@dataclass
class Tokens:
    """Tokens of a client."""

    app: App
    access_token: str
    id_token: str
    refresh_token: str

    @property
    def id_claims(self) -> dict[str, Any]:
        """Return the claims of the ID token, without verifying its signature."""
        return unverified_claims(self.id_token)

    @property
    def userinfo(self) -> dict[str, Any]:
        answer = self.app.fetch_userinfo(self.access_token)
        assert answer.status == 200, answer.text
        return answer.json

    def are_active(self) -> bool:
        """Return whether both tokens are active, without consuming them."""
        active = {self.app.query_token(token).json["active"] for token in (self.access_token, self.refresh_token)}
        assert len(active) == 1, active
        return active == {True}

    def assert_revoked(self) -> None:
        """Assert that the tokens work, or fail, at every endpoint."""
        for token in (self.access_token, self.refresh_token):
            assert self.app.query_token(token).json == {"active": False}
        assert self.app.fetch_userinfo(self.access_token).status == 401
        refused = self.app.refresh(self.refresh_token)
        assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


class Site:
    """A running site."""

    def __init__(
        self, cas: RealCas, bridge: LiveBridge, hub: LogoutReceiver, people: ExitStack, *, issuer: str
    ) -> None:
        self.cas, self.bridge, self.hub, self.issuer = cas, bridge, hub, issuer
        self._people = people

    def person(self) -> Person:
        """Return a new browser without cookies."""
        person = Person(Wire(self.issuer, port=self.bridge.port), self.cas)
        self._people.callback(person.at_cas.close)
        return person

    def app(self, person: Person, client_id: str = "hub") -> App:
        return App(person.wire, client_id, secret=secret_of(client_id), redirect_uri=REDIRECT_URI)

    def sign_in(self, person: Person, client_id: str = "hub", *, scope: str = SCOPE) -> Tokens:
        """Log in through CAS, if the bridge redirects there."""
        app = self.app(person, client_id)
        answer = person.get(app.authorization_url(scope=scope))
        if not answer.location.startswith(REDIRECT_URI):
            answer = person.get(person.log_in_at_cas(answer))
        redeemed = app.redeem(app.extract_code(answer))
        assert redeemed.status == 200, redeemed.text
        return Tokens(app, **{name: redeemed.json[name] for name in ("access_token", "id_token", "refresh_token")})

    def is_signed_in(self, person: Person) -> bool:
        """Return whether the bridge accepts the session of a browser without CAS."""
        return person.get(self.app(person).authorization_url()).location.startswith(REDIRECT_URI)

    def assert_no_ticket(self, person: Person) -> None:
        """Assert that CAS rejects users of this bridge, at once or after the password."""
        login_url = person.get(self.app(person).authorization_url()).location
        page = person.at_cas.get(login_url)
        # Some servers ask for the password before they reject.
        if page.status_code == 200 and asks_for_password(page.text):
            page = person.at_cas.submit_password(login_url, page)
            page = person.at_cas.get(login_url) if "Location" in page.headers else page
        assert "Location" not in page.headers, page.headers["Location"]
        assert page.status_code in (200, 403)

    def assert_logout_received(self, *ends: Tokens, began: float, already: int = 0) -> None:
        """Wait for one logout token per ended session."""
        told = self.hub.wait_for(already + len(ends))[already:]
        assert max(each.at for each in told) - began < LOGOUT_SECONDS_MAX
        assert {unverified_claims(each.token)["sid"] for each in told} == {end.id_claims["sid"] for end in ends}

    def assert_unaffected(self, bystander: Person, tokens: Tokens) -> None:
        """Assert that the logout of another browser ended nothing, unless CAS ends all sessions of the user."""
        if not self.cas.logout_ends_all_sessions:
            assert tokens.are_active()
            assert self.is_signed_in(bystander)


def clients(backchannel_logout_uri: str) -> list[dict[str, Any]]:
    """Return the clients: the hub with back-channel logout, the wiki, and one for the group "admin"."""
    usual = {
        "redirect_uris": [REDIRECT_URI],
        "scopes": SCOPE.split(),
        "consent": False,
        "grant_types": ["authorization_code", "refresh_token"],
    }
    special: Mapping[str, dict[str, Any]] = {
        "hub": {"backchannel_logout_uri": backchannel_logout_uri, "post_logout_redirect_uris": [REDIRECT_URI]},
        "wiki": {},
        "admins": {"allowed_groups": ["admin"]},
    }
    return [{"client_id": name, "client_secret": secret_of(name), **usual, **more} for name, more in special.items()]


def secret_of(client_id: str) -> str:
    return f"the secret of {client_id}, long enough"


@contextmanager
def site_at(
    folder: Path,
    cas: RealCas,
    *,
    channel: LogoutChannel = "at the logout URL",
    exactly: bool = False,
    is_registered: bool = True,
    front: TlsProxy | None = None,
    **settings: str,
) -> Iterator[Site]:
    """Run a bridge that is registered at CAS; settings are named as in the environment.

    `front` receives requests of CAS over https.
    """
    with LogoutReceiver() as hub, ExitStack() as stack:
        bridge = LiveBridge(
            folder,
            cas_url=cas.url,
            clients=clients(hub.url),
            settings={
                "PASSERELLE_CAS_CA_FILE": str(cas.ca_file),
                "PASSERELLE_CAS_PROTOCOL": cas.protocols[0],
                **settings,
            },
        )
        issuer = bridge.url if front is None else front.url
        bridge.environment["PASSERELLE_ISSUER"] = issuer
        if is_registered:
            cas.register(issuer, channel=channel, exactly=exactly)
            stack.callback(cas.unregister, issuer)
        stack.enter_context(bridge)
        if front is not None:
            front.forward_to(bridge.port)
            stack.enter_context(front)
        yield Site(cas, bridge, hub, stack, issuer=issuer)
    assert "Traceback" not in bridge.log, bridge.log


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT."""
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(claims, dict)
    return claims


def error_of(answer: Response) -> str:
    """Return the error of the authorization response."""
    assert answer.location.startswith(REDIRECT_URI), answer.location
    return answer.parameters["error"]


def wait_until_revoked(tokens: Tokens, *, began: float) -> None:
    """Assert that session and tokens end shortly after the logout at CAS."""
    while any(tokens.app.query_token(one).json["active"] for one in (tokens.access_token, tokens.refresh_token)):
        assert time.monotonic() - began < LOGOUT_SECONDS_MAX, "the tokens are still good"
        time.sleep(0.02)
    tokens.assert_revoked()
    assert time.monotonic() - began < LOGOUT_SECONDS_MAX + 1
