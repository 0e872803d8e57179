"""A live bridge behind a real CAS server: its applications, its people, and the application that hears of logouts."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.bridge.actors import App, Response, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.bridge.tls_proxy import TlsProxy
from tests.support.cas.logout_receiver import LogoutReceiver
from tests.support.cas.real_cas import HowToldOfLogout, Person, RealCas

REDIRECT_URI = "http://127.0.0.1:9/cb"
WHILE_SIGNED_IN = "openid profile email groups eduperson"
SCOPE = f"{WHILE_SIGNED_IN} offline_access"
LOGOUT_SECONDS_MAX = 2.0


@dataclass
class Tokens:
    """What an application got, and from where."""

    app: App
    access_token: str
    id_token: str
    refresh_token: str

    @property
    def id_claims(self) -> dict[str, Any]:
        """What the ID token says; whether it is signed well is asked elsewhere."""
        return unverified_claims(self.id_token)

    @property
    def userinfo(self) -> dict[str, Any]:
        answer = self.app.fetch_userinfo(self.access_token)
        assert answer.status == 200, answer.text
        return answer.json

    def are_good(self) -> bool:
        """Whether both tokens are, asked without using them up."""
        active = {self.app.query_token(token).json["active"] for token in (self.access_token, self.refresh_token)}
        assert len(active) == 1, active
        return active == {True}

    def assert_are_dead(self) -> None:
        """On every way on which a token can be used."""
        for token in (self.access_token, self.refresh_token):
            assert self.app.query_token(token).json == {"active": False}
        assert self.app.fetch_userinfo(self.access_token).status == 401
        refused = self.app.refresh(self.refresh_token)
        assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


class Site:
    """All of it, while it runs."""

    def __init__(
        self, cas: RealCas, bridge: LiveBridge, hub: LogoutReceiver, people: ExitStack, *, issuer: str
    ) -> None:
        self.cas, self.bridge, self.hub, self.issuer = cas, bridge, hub, issuer
        self._people = people

    def person(self) -> Person:
        """A browser of its own, known to nobody."""
        person = Person(Wire(self.issuer, port=self.bridge.port), self.cas)
        self._people.callback(person.at_cas.close)
        return person

    def app(self, person: Person, client_id: str = "hub") -> App:
        return App(person.wire, client_id, secret=secret_of(client_id), redirect_uri=REDIRECT_URI)

    def sign_in(self, person: Person, client_id: str = "hub", *, scope: str = SCOPE) -> Tokens:
        """The whole way, over CAS where the bridge sends there."""
        app = self.app(person, client_id)
        answer = person.get(app.authorization_url(scope=scope))
        if not answer.location.startswith(REDIRECT_URI):
            answer = person.get(person.log_in_at_cas(answer))
        redeemed = app.redeem(app.extract_code(answer))
        assert redeemed.status == 200, redeemed.text
        return Tokens(app, **{name: redeemed.json[name] for name in ("access_token", "id_token", "refresh_token")})

    def is_signed_in(self, person: Person) -> bool:
        """Whether the bridge itself would let this browser in, without CAS."""
        return person.get(self.app(person).authorization_url()).location.startswith(REDIRECT_URI)

    def gives_no_ticket(self, person: Person) -> None:
        """CAS itself turns this bridge's users away, at once or after the password."""
        login_url = person.get(self.app(person).authorization_url()).location
        page = person.at_cas.get(login_url)
        if page.status_code == 200:  # django-cas-server asks who it is before it says no
            page = person.at_cas.types_password(login_url, page)
            page = person.at_cas.get(login_url) if "Location" in page.headers else page
        assert "Location" not in page.headers, page.headers["Location"]
        assert page.status_code in (200, 403)

    def hears_of_logout(self, *ends: Tokens, began: float, already: int = 0) -> None:
        """The application is told in time, once for each session that ended."""
        told = self.hub.hears(already + len(ends))[already:]
        assert max(each.at for each in told) - began < LOGOUT_SECONDS_MAX
        assert {unverified_claims(each.token)["sid"] for each in told} == {end.id_claims["sid"] for end in ends}


def clients(backchannel_logout_uri: str) -> list[dict[str, Any]]:
    """The hub, which hears of logouts; the wiki; and an application for the group "admin" alone."""
    usual = {
        "redirect_uris": [REDIRECT_URI],
        "scopes": SCOPE.split(),
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
    told: HowToldOfLogout = "at the logout URL",
    exactly: bool = False,
    is_registered: bool = True,
    front: TlsProxy | None = None,
    **settings: str,
) -> Iterator[Site]:
    """A bridge that CAS knows, until the end of the block; settings by the names of the environment.

    :param front: at which CAS finds it by https
    """
    with LogoutReceiver() as hub, ExitStack() as stack:
        bridge = LiveBridge(
            folder,
            cas_url=cas.url,
            clients=clients(hub.url),
            settings={"PASSERELLE_CAS_CA_FILE": str(cas.ca_file), **settings},
        )
        issuer = bridge.url if front is None else front.url
        bridge.environment["PASSERELLE_ISSUER"] = issuer
        if is_registered:
            cas.register(issuer, told=told, exactly=exactly)
            stack.callback(cas.unregister, issuer)
        stack.enter_context(bridge)
        if front is not None:
            front.forward_to(bridge.port)
            stack.enter_context(front)
        yield Site(cas, bridge, hub, stack, issuer=issuer)
    assert "Traceback" not in bridge.log, bridge.log


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT."""
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(claims, dict)
    return claims


def error_of(answer: Response) -> str:
    """The error that an application is told of through the browser."""
    assert answer.location.startswith(REDIRECT_URI), answer.location
    return answer.parameters["error"]


def waits_until_dead(tokens: Tokens, *, began: float) -> None:
    """CAS tells before it answers, or a moment after; then nothing may be alive any more."""
    while tokens.are_good():
        assert time.monotonic() - began < LOGOUT_SECONDS_MAX, "the tokens are still good"
        time.sleep(0.02)
    tokens.assert_are_dead()
    assert time.monotonic() - began < LOGOUT_SECONDS_MAX + 1
