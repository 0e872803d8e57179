"""Basic OP and Form Post Basic OP, module by module: request parameters, codes and tokens."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty
from tests.conformance.world import CALLBACK, SCOPES, Person, change_query
from tests.support.cas.scripted_cas import ALICE


def unsigned(claims: dict[str, Any]) -> str:
    """Return a request object with `alg` none."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)]
    return b".".join([*parts, b""]).decode()


@by(IDPYOIDC)
def test_oidcc_ensure_request_with_unknown_parameter_succeeds_row50(rp: RelyingParty, person: Person) -> None:
    """Unknown parameters are ignored."""
    rp.sign_in(person, extra="foobar")


@by(IDPYOIDC)
def test_oidcc_id_token_hint(rp: RelyingParty, person: Person) -> None:
    """`prompt=none` with the hint of the signed-in user succeeds."""
    first = rp.sign_in(person)
    second = rp.sign_in(person, prompt="none", id_token_hint=first.raw_id_token)
    assert second.id_token["sub"] == first.id_token["sub"]


@by(IDPYOIDC)
def test_id_token_hint_of_another_user_is_rejected(rp: RelyingParty, person: Person, world: World) -> None:
    with world.person() as another:
        hint = rp.sign_in(another).raw_id_token
    world.cas.sign_in_as("bob", {**ALICE, "uid": ("bob",)})
    rp.sign_in(person)
    assert rp.parse_error(person.get(rp.authorization_url(prompt="none", id_token_hint=hint))) == "login_required"


@by(IDPYOIDC)
def test_oidcc_login_hint(rp: RelyingParty, person: Person) -> None:
    """CAS has no such parameter; it is ignored."""
    rp.sign_in(person, login_hint="buffy@example.org")


@by(IDPYOIDC)
def test_oidcc_ui_locales(rp: RelyingParty, person: Person, world: World) -> None:
    """Unsupported languages are ignored; the first one is passed to CAS."""
    rp.sign_in(person, ui_locales="se no")
    assert [seen.value("locale") for seen in world.cas.requests if seen.path == "/cas/login"][-1] == "se"


@by(IDPYOIDC)
def test_oidcc_claims_locales(rp: RelyingParty, person: Person) -> None:
    """The parameter is ignored, because CAS releases names in one language."""
    rp.sign_in(person, claims_locales="se")


@by(IDPYOIDC)
def test_oidcc_ensure_request_with_acr_values_succeeds(rp: RelyingParty, person: Person) -> None:
    """Voluntary claim (OIDC Core §3.1.2.1): `acr` is present only if CAS reports it."""
    assert "acr" not in rp.sign_in(person, acr_values="1 2").id_token


@by(IDPYOIDC)
def test_oidcc_codereuse_row16(rp: RelyingParty, person: Person) -> None:
    """The second use returns `invalid_grant`."""
    code = rp.sign_in(person).code
    answer = rp.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@by(IDPYOIDC)
def test_oidcc_codereuse_30seconds_row17(rp: RelyingParty, person: Person, world: World) -> None:
    """A second use after 30 s returns `invalid_grant` and revokes the issued tokens."""
    first = rp.sign_in(person)
    world.advance_time(30)
    assert rp.redeem(first.code).json()["error"] == "invalid_grant"
    assert rp.request_userinfo(token=first.access_token).status_code == 401


@by(BY_HAND)
def test_oidcc_ensure_registered_redirect_uri_row4(rp: RelyingParty, person: Person) -> None:
    """The user sees an error page and is not redirected."""
    page = person.get(change_query(rp.authorization_url(), redirect_uri=f"{CALLBACK}/not-registered"))
    assert page.is_page
    assert page.status == 400


@by(IDPYOIDC)
def test_oidcc_ensure_post_request_succeeds_row61(rp: RelyingParty, person: Person) -> None:
    """The request is in the body of a POST."""
    address, _, query = rp.authorization_url().partition("?")
    rp.complete_sign_in(person.post(address, dict(parse_qsl(query))))


@by(IDPYOIDC)
def test_oidcc_server_client_secret_post(rp: RelyingParty, person: Person, world: World) -> None:
    """The secret is in the body of the token request."""
    posting = world.relying_party(method="client_secret_post", response_mode=rp.response_mode)
    assert posting.sign_in(person).id_token["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported_row58(
    rp: RelyingParty, person: Person
) -> None:
    """The error is `request_uri_not_supported`; the bridge fetches no client-supplied URL."""
    landing = person.get(change_query(rp.authorization_url(), request_uri="https://rp.example.org/request"))
    assert rp.parse_error(landing) == "request_uri_not_supported"


@by(IDPYOIDC)
def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported_row58(
    rp: RelyingParty, person: Person
) -> None:
    """The error is `request_not_supported`."""
    assert (
        rp.parse_error(person.get(change_query(rp.authorization_url(), request=unsigned({"scope": "openid"}))))
        == "request_not_supported"
    )


@by(IDPYOIDC)
def test_oidcc_ensure_request_object_with_redirect_uri_row58(rp: RelyingParty, person: Person) -> None:
    """The error goes to the registered redirect URI, not to the one in the object."""
    evil = unsigned({"redirect_uri": "https://rp.example.org/evil"})
    assert rp.parse_error(person.get(change_query(rp.authorization_url(), request=evil))) == "request_not_supported"


@by(IDPYOIDC)
def test_oidcc_claims_essential(rp: RelyingParty, person: Person) -> None:
    """A claim is requested by name without its scope; the client is registered for it."""
    wanted = {"userinfo": {"name": {"essential": True}}}
    assert rp.sign_in(person, claims=wanted).userinfo["name"] == "Alice Liddell"


@by(IDPYOIDC)
def test_oidcc_refresh_token_row23_row28(rp: RelyingParty, person: Person) -> None:
    """The refreshed ID token has the same `sub`, `auth_time` and `aud`."""
    first = rp.sign_in(person)
    fresh = rp.refresh(first)
    renewed = fresh["__verified_id_token"]
    for name in ("iss", "sub", "aud", "auth_time"):
        assert renewed[name] == first.id_token[name], name
    assert "nonce" not in renewed
    assert fresh["access_token"] != first.access_token
    assert rp.request_userinfo(token=fresh["access_token"]).status_code == 200


@by(IDPYOIDC)
def test_oidcc_ensure_request_with_valid_pkce_succeeds(rp: RelyingParty, person: Person, world: World) -> None:
    """PKCE with S256 succeeds."""
    proving = world.relying_party(pkce=True, response_mode=rp.response_mode)
    assert "code_challenge_method=S256" in proving.authorization_url()
    assert proving.sign_in(person).id_token["sub"] == "alice"


@by(IDPYOIDC)
def test_offline_access_requires_consent_page(rp: RelyingParty, person: Person) -> None:
    """idpyoidc sends prompt=consent with `offline_access` (OIDC Core §11)."""
    page = person.get(rp.authorization_url(scope=list(SCOPES)))
    signed_in = rp.complete_sign_in(person.submit_form(page, button=("decision", "allow")))
    assert signed_in.userinfo["groups"] == ["staff", "jupyter-admins"]
