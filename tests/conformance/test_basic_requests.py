"""Basic OP and Form Post Basic OP, module by module: what a request may hold, and codes and tokens afterwards."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty
from tests.conformance.world import CALLBACK, SCOPES, Person, changed
from tests.support.cas.scripted_cas import ALICE


def unsigned(claims: dict[str, Any]) -> str:
    """A request object with `alg` none."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)]
    return b".".join([*parts, b""]).decode()


@by(IDPYOIDC)
def test_oidcc_ensure_request_with_unknown_parameter_succeeds_row50(rp: RelyingParty, person: Person) -> None:
    """It is ignored."""
    rp.sign_in(person, extra="foobar")


@by(IDPYOIDC)
def test_oidcc_id_token_hint(rp: RelyingParty, person: Person) -> None:
    """With `prompt=none`, for the user who is signed in."""
    first = rp.sign_in(person)
    second = rp.sign_in(person, prompt="none", id_token_hint=first.raw_id_token)
    assert second.id_token["sub"] == first.id_token["sub"]


@by(IDPYOIDC)
def test_an_id_token_hint_of_somebody_else_is_refused(rp: RelyingParty, person: Person, world: World) -> None:
    with world.person() as another:
        hint = rp.sign_in(another).raw_id_token
    world.cas.sign_in_as("bob", {**ALICE, "uid": ("bob",)})
    rp.sign_in(person)
    assert rp.refused(person.get(rp.asks(prompt="none", id_token_hint=hint))) == "login_required"


@by(IDPYOIDC)
def test_oidcc_login_hint(rp: RelyingParty, person: Person) -> None:
    """CAS has no place for it; it is ignored."""
    rp.sign_in(person, login_hint="buffy@example.org")


@by(IDPYOIDC)
def test_oidcc_ui_locales(rp: RelyingParty, person: Person, world: World) -> None:
    """A language that there is none of is no fault; the first is handed on to CAS."""
    rp.sign_in(person, ui_locales="se no")
    assert [seen.value("locale") for seen in world.cas.requests if seen.path == "/cas/login"][-1] == "se"


@by(IDPYOIDC)
def test_oidcc_claims_locales(rp: RelyingParty, person: Person) -> None:
    """CAS releases names in one language; the parameter is ignored."""
    rp.sign_in(person, claims_locales="se")


@by(IDPYOIDC)
def test_oidcc_ensure_request_with_acr_values_succeeds(rp: RelyingParty, person: Person) -> None:
    """A wish (OIDC Core §3.1.2.1): `acr` is told when CAS tells it, and never invented."""
    assert "acr" not in rp.sign_in(person, acr_values="1 2").id_token


@by(IDPYOIDC)
def test_oidcc_codereuse_row16(rp: RelyingParty, person: Person) -> None:
    """`invalid_grant` at once."""
    code = rp.sign_in(person).code
    answer = rp.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@by(IDPYOIDC)
def test_oidcc_codereuse_30seconds_row17(rp: RelyingParty, person: Person, world: World) -> None:
    """`invalid_grant` after half a minute as well, and what the first use brought is worth nothing any more."""
    first = rp.sign_in(person)
    world.passes(30)
    assert rp.redeem(first.code).json()["error"] == "invalid_grant"
    assert rp.asks_userinfo(token=first.access_token).status_code == 401


@by(BY_HAND)
def test_oidcc_ensure_registered_redirect_uri_row4(rp: RelyingParty, person: Person) -> None:
    """A page for the user, who is not sent there."""
    page = person.get(changed(rp.asks(), redirect_uri=f"{CALLBACK}/not-registered"))
    assert page.is_page
    assert page.status == 400


@by(IDPYOIDC)
def test_oidcc_ensure_post_request_succeeds_row61(rp: RelyingParty, person: Person) -> None:
    """The request in the body of a POST."""
    address, _, query = rp.asks().partition("?")
    rp.finishes(person.post(address, dict(parse_qsl(query))))


@by(IDPYOIDC)
def test_oidcc_server_client_secret_post(rp: RelyingParty, person: Person, world: World) -> None:
    """The secret in the body of the token request."""
    posting = world.relying_party(method="client_secret_post", response_mode=rp.response_mode)
    assert posting.sign_in(person).id_token["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported_row58(
    rp: RelyingParty, person: Person
) -> None:
    """Rejected: `request_uri_not_supported`. Nothing is fetched for whoever asks."""
    landing = person.get(changed(rp.asks(), request_uri="https://rp.example.org/request"))
    assert rp.refused(landing) == "request_uri_not_supported"


@by(IDPYOIDC)
def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported_row58(
    rp: RelyingParty, person: Person
) -> None:
    """Rejected: `request_not_supported`."""
    assert rp.refused(person.get(changed(rp.asks(), request=unsigned({"scope": "openid"})))) == "request_not_supported"


@by(IDPYOIDC)
def test_oidcc_ensure_request_object_with_redirect_uri_row58(rp: RelyingParty, person: Person) -> None:
    """Rejected likewise, at the registered address and not at that of the object."""
    evil = unsigned({"redirect_uri": "https://rp.example.org/evil"})
    assert rp.refused(person.get(changed(rp.asks(), request=evil))) == "request_not_supported"


@by(IDPYOIDC)
def test_oidcc_claims_essential(rp: RelyingParty, person: Person) -> None:
    """A claim asked for by name, without its scope: the client is registered for that."""
    wanted = {"userinfo": {"name": {"essential": True}}}
    assert rp.sign_in(person, claims=wanted).userinfo["name"] == "Alice Liddell"


@by(IDPYOIDC)
def test_oidcc_refresh_token_row23_row28(rp: RelyingParty, person: Person) -> None:
    """Fresh tokens and an ID token of the same user, of the same sign-in, for the same client."""
    first = rp.sign_in(person)
    fresh = rp.refresh(first)
    renewed = fresh["__verified_id_token"]
    for name in ("iss", "sub", "aud", "auth_time"):
        assert renewed[name] == first.id_token[name], name
    assert "nonce" not in renewed
    assert fresh["access_token"] != first.access_token
    assert rp.asks_userinfo(token=fresh["access_token"]).status_code == 200


@by(IDPYOIDC)
def test_oidcc_ensure_request_with_valid_pkce_succeeds(rp: RelyingParty, person: Person, world: World) -> None:
    """S256."""
    proving = world.relying_party(pkce=True, response_mode=rp.response_mode)
    assert "code_challenge_method=S256" in proving.asks()
    assert proving.sign_in(person).id_token["sub"] == "alice"


@by(IDPYOIDC)
def test_offline_access_is_asked_for_on_a_page(rp: RelyingParty, person: Person) -> None:
    """idpyoidc asks for consent together with `offline_access`, as OIDC Core §11 wants."""
    page = person.get(rp.asks(scope=list(SCOPES)))
    signed_in = rp.finishes(person.submits(page, button=("decision", "allow")))
    assert signed_in.userinfo["groups"] == ["staff", "jupyter-admins"]
