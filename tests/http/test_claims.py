"""Claims in tokens and userinfo responses: scopes, claims requests, subjects and signatures."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from bridge.oauth.claims import CLAIMS_OF_SCOPE
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running
from tests.support.bridge.actors import FORM, App, Browser
from tests.support.cas.scripted_cas import ScriptedCas


def client(client_id: str, **facts: Any) -> dict[str, Any]:
    uri = f"https://{client_id}.example.org/cb"
    return {"client_id": client_id, "client_secret": f"secret-of-{client_id}", "redirect_uris": [uri], **facts}


HIDING = {"subject_type": "pairwise", "scopes": ["openid", "groups"]}
CLIENTS = [
    client("hub"),
    client("campus", scopes=["openid", "eduperson"]),
    client("elliptic", id_token_signed_response_alg="ES256"),
    client("proxy", scopes=["openid"], claims=["email", "groups", "https://example.org/claims/site"]),
    client("one", **HIDING, grant_types=["authorization_code", "refresh_token"]),
    client("two", **HIDING),
    client("three", **HIDING, sector_identifier="one.example.org"),
]


@pytest.fixture
def running(make_bridge: MakeBridge) -> Running:
    return make_bridge(
        clients=json.dumps(CLIENTS),
        attributes='{"acr": ["authnContextClass"], "amr": ["methods"], "https://example.org/claims/site": ["site"]}',
    )


class Told:
    """Responses of one login to one client."""

    def __init__(self, running: Running, client_id: str, browser: Browser | None = None, **changes: str) -> None:
        self.app = App(
            running.wire, client_id, secret=f"secret-of-{client_id}", redirect_uri=f"https://{client_id}.example.org/cb"
        )
        browser = browser or Browser(running.wire)
        answer = browser.get(self.app.authorization_url(**({"scope": None} | changes)))
        if "/cas/login" in answer.location:
            answer = browser.get(browser.log_in_at_cas(answer))
        self.tokens = self.app.redeem(self.app.extract_code(answer)).json
        self.jwks = KeySet.import_key_set(running.wire.send("GET", "/.well-known/jwks.json").json)

    @property
    def userinfo(self) -> dict[str, Any]:
        return self.app.fetch_userinfo(self.tokens["access_token"]).json

    @property
    def id_token(self) -> dict[str, Any]:
        return dict(jwt.decode(self.tokens["id_token"], self.jwks, ["RS256", "ES256"]).claims)

    @property
    def introspection(self) -> dict[str, Any]:
        form = {
            "token": self.tokens["access_token"],
            "client_id": self.app.client_id,
            "client_secret": self.app.secret or "",
        }
        return self.app.wire.send("POST", "/introspect", headers=FORM, body=urlencode(form)).json


def test_eduperson_scope_releases_federation_claims(running: Running, cas: ScriptedCas) -> None:
    cas.sign_in_as(
        "alice",
        {
            "eduPersonAffiliation": ("staff",),
            "eduPersonScopedAffiliation": ("staff@example.org",),
            "eduPersonPrincipalName": ("alice@example.org",),
            "schacHomeOrganization": ("example.org",),
            "supannEntiteAffectation": ("DSI",),
            "mail": ("alice@example.org",),
            "uidNumber": ("1000",),
        },
    )
    assert Told(running, "campus").userinfo == {
        "sub": "alice",
        "eduperson_affiliation": ["staff"],
        "eduperson_scoped_affiliation": ["staff@example.org"],
        "eduperson_principal_name": "alice@example.org",
        "schac_home_organization": "example.org",
        "supann_entite_affectation": ["DSI"],
    }


def test_groups_claim_is_always_a_list(running: Running, cas: ScriptedCas) -> None:
    for groups in ((), ("administration-student",), ("a", "b")):
        cas.sign_in_as("bob", {"memberOf": groups})
        assert Told(running, "hub").userinfo["groups"] == list(groups)


@pytest.mark.parametrize(
    "value",
    [
        "<&>\"'",
        "\\",
        "a\tb",
        "a\u2028b\u2029c",
        "\U0001f4ab é ß",
        "x" * 20_000,
        "</script>",
        "{{7*7}}",
        '"}, "sub": "admin"',
    ],
)
def test_special_values_arrive_unchanged(running: Running, cas: ScriptedCas, value: str) -> None:
    cas.sign_in_as("bob", {"displayName": (value,), "memberOf": (value,)})
    told = Told(running, "hub").userinfo
    assert (told["sub"], told["name"], told["groups"]) == ("bob", value, [value])


def test_mapped_acr_and_amr_are_in_id_token(running: Running, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {"authnContextClass": ("https://refeds.org/profile/mfa",), "methods": ("pwd", "otp")})
    told = Told(running, "hub").id_token
    assert (told["acr"], told["amr"]) == ("https://refeds.org/profile/mfa", ["pwd", "otp"])
    cas.sign_in_as("bob", {})
    assert {"acr", "amr"}.isdisjoint(Told(running, "hub").id_token)


def asking(**places: list[str]) -> str:
    return json.dumps({place: dict.fromkeys(names) for place, names in places.items()})


def test_requested_claims_are_returned_where_requested(running: Running) -> None:
    told = Told(running, "hub", scope="openid", claims=asking(id_token=["email"], userinfo=["name", "groups"]))
    assert told.id_token["email"] == "alice@example.org"
    assert "name" not in told.id_token
    assert told.userinfo == {"sub": "alice", "name": "Alice Liddell", "groups": ["staff", "jupyter-admins"]}


def test_claims_request_is_limited_to_registration(running: Running) -> None:
    everything = [*(name for names in CLAIMS_OF_SCOPE.values() for name in names), "sub", "iss", "attributes", "uid"]
    told = Told(running, "campus", scope="openid", claims=asking(id_token=everything, userinfo=everything))
    assert set(told.userinfo) == {"sub", "eduperson_affiliation"}
    assert told.id_token["eduperson_affiliation"] == ["staff", "member"]
    assert {"email", "name", "preferred_username", "groups", "uid"}.isdisjoint(told.id_token)
    assert told.id_token["sub"] == "alice"


def test_registered_claims_are_returned_without_request(running: Running, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {"mail": ("b@x.org",), "site": ("A1",), "displayName": ("Bob",)})
    told = Told(running, "proxy")
    expected = {"email": "b@x.org", "groups": [], "https://example.org/claims/site": ["A1"]}
    assert told.userinfo == {"sub": "bob", **expected}
    assert {name: told.id_token.get(name) for name in expected} == expected


def test_pairwise_subjects_differ_between_clients(running: Running) -> None:
    browser = Browser(running.wire)
    told = {name: Told(running, name, browser) for name in ("one", "two", "three", "hub")}
    subjects = {name: each.userinfo["sub"] for name, each in told.items()}
    assert subjects["hub"] == "alice"
    assert subjects["one"] == subjects["three"], "of one sector"
    assert len(set(subjects.values())) == 3
    sids = {name: each.id_token["sid"] for name, each in told.items()}
    assert sids["one"] == sids["three"]
    assert len(set(sids.values())) == 3, "one browser is one user"
    for name, each in told.items():
        assert each.id_token["sub"] == each.introspection["sub"] == subjects[name]


def test_pairwise_subject_is_stable_per_user(running: Running, cas: ScriptedCas) -> None:
    first = Told(running, "one").userinfo["sub"]
    assert Told(running, "one").userinfo["sub"] == first
    cas.sign_in_as("bob", {})
    assert Told(running, "one").userinfo["sub"] != first


def test_public_subject_is_hidden_from_pairwise_clients(running: Running, cas: ScriptedCas) -> None:
    cas.sign_in_as("u-31415926", {"groups": ("staff",), "mail": ("x@example.org",), "displayName": ("X",)})
    told = Told(running, "one", scope="openid groups", claims=asking(id_token=["preferred_username"], userinfo=["sub"]))
    refreshed = told.app.request_token(
        {
            "grant_type": "refresh_token",
            "refresh_token": told.tokens["refresh_token"],
            "client_id": "one",
            "client_secret": "secret-of-one",
        }.items()
    )
    running.wire.secrets.add(refreshed.json["refresh_token"])
    payloads = [jws.extract_compact(each["id_token"].encode()).payload for each in (told.tokens, refreshed.json)]
    everything = json.dumps([told.tokens, told.userinfo, told.introspection, refreshed.json, *map(str, payloads)])
    assert "u-31415926" not in everything


def test_subject_of_another_client_is_no_login_hint(running: Running) -> None:
    browser = Browser(running.wire)
    one, two = Told(running, "one", browser), Told(running, "two", browser)
    for app, token, is_known in ((one.app, one, True), (one.app, two, False)):
        request = app.authorization_url(scope="openid", prompt="none", id_token_hint=token.tokens["id_token"])
        answer = browser.get(request)
        if not is_known and "error" not in answer.location:
            answer = browser.get(browser.log_in_at_cas(answer))
        assert ("code" in answer.parameters) is is_known


def test_client_may_use_es256_id_tokens(running: Running) -> None:
    told = Told(running, "elliptic")
    header = jws.extract_compact(told.tokens["id_token"].encode()).headers()
    (key,) = [key for key in told.jwks.keys if key.kid == header["kid"]]
    assert header["alg"] == "ES256"
    assert jwt.decode(told.tokens["id_token"], key, ["ES256"]).claims["sub"] == "alice"
    assert jws.extract_compact(Told(running, "hub").tokens["id_token"].encode()).headers()["alg"] == "RS256"


def test_template_email_is_an_ordinary_claim(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    running = make_bridge(
        clients=json.dumps(CLIENTS),
        email_template="{username}@example.org",
        email_verified="false",
        username_case="lower",
    )
    cas.sign_in_as("Bob", {})
    told = Told(running, "hub").userinfo
    assert (told["email"], told["email_verified"]) == ("bob@example.org", False)
    assert (told["sub"], told["preferred_username"]) == ("bob", "bob")


def test_spellings_of_one_person_have_one_subject(bridge: Running, hub: App, cas: ScriptedCas) -> None:
    for spelling in ("Dora", "dora", "DORA"):
        cas.sign_in_as(spelling, {"mail": ("dora@example.org",), "displayName": ("Dora",)})
        code = hub.extract_code(Browser(bridge.wire).sign_in(hub.authorization_url()))
        told = hub.fetch_userinfo(hub.redeem(code).json["access_token"]).json
        assert (told["sub"], told["preferred_username"]) == ("dora", "dora")


@pytest.mark.parametrize("attribute", ["mail", "displayName"])
def test_same_name_of_another_person_is_denied(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], attribute: str
) -> None:
    bridge = make_bridge()
    hub = App(bridge.wire, secret=HUB_SECRET)
    cas.sign_in_as("bob", {attribute: ("robert@example.org",)})
    assert hub.extract_code(Browser(bridge.wire).sign_in(hub.authorization_url()))
    cas.sign_in_as("BOB", {attribute: ("roberta@example.org",)})
    answer = Browser(bridge.wire).sign_in(hub.authorization_url())
    assert answer.parameters["error"] == "access_denied"
    assert "capital letters" in answer.parameters["error_description"]
    assert any("sign_in_denied" in line for line in logged)


def test_person_may_change_their_own_email(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge()
    hub = App(bridge.wire, secret=HUB_SECRET)
    for spelling, email in (("bob", "old@x.org"), ("bob", "new@x.org"), ("Bob", "new@x.org")):
        cas.sign_in_as(spelling, {"mail": (email,)})
        assert hub.extract_code(Browser(bridge.wire).sign_in(hub.authorization_url()))


def test_missing_subject_attribute_denies_login(make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str]) -> None:
    running = make_bridge(clients=json.dumps(CLIENTS), subject_attribute="eduPersonUniqueId")
    cas.sign_in_as("bob", {"eduPersonUniqueId": ("b0b@example.org",)})
    assert Told(running, "hub").userinfo["sub"] == "b0b@example.org"
    cas.sign_in_as("b0b@example.org", {})
    app = App(running.wire, "hub", secret="secret-of-hub", redirect_uri="https://hub.example.org/cb")
    answer = Browser(running.wire).sign_in(app.authorization_url())
    assert answer.parameters["error"] == "access_denied"
    assert "code" not in answer.parameters
    assert any("0 values of eduPersonUniqueId" in line for line in logged)
