"""Basic OP and Form Post Basic OP, module by module: sign-ins, claims and session age.

Each test runs with response_mode query and form_post. The modules on other request parameters are in
`test_basic_requests.py`.
"""

from __future__ import annotations

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty
from tests.conformance.world import Person, change_query

OF_SCOPE = {
    "profile": {"preferred_username", "name", "given_name", "family_name"},
    "email": {"email", "email_verified"},
    "groups": {"groups"},
    "eduperson": {"eduperson_affiliation"},
}


@by(IDPYOIDC)
def test_oidcc_server(rp: RelyingParty, person: Person, world: World) -> None:
    """Code, ID token and userinfo of a complete sign-in."""
    signed_in = rp.sign_in(person)
    assert signed_in.id_token["sub"] == "alice"
    assert world.cas.passwords_typed == 1


@by(IDPYOIDC)
def test_oidcc_response_type_missing_row51(rp: RelyingParty, person: Person) -> None:
    """The error goes to the client, whose redirect URI is valid."""
    assert rp.parse_error(person.get(change_query(rp.authorization_url(), response_type=None))) == "invalid_request"


@by(IDPYOIDC)
def test_oidcc_idtoken_signature_row63(rp: RelyingParty, person: Person) -> None:
    """The token is signed with RS256 by the key in the JWKS that its header names."""
    header = rp.sign_in(person).id_token.jws_header
    assert header["alg"] == "RS256"
    assert header["kid"]


@by(BY_HAND)
def test_oidcc_idtoken_unsigned_row62(rp: RelyingParty) -> None:
    """Not supported; the module is for providers that support unsigned ID tokens."""
    assert "none" not in rp.metadata["id_token_signing_alg_values_supported"]


@by(IDPYOIDC)
def test_oidcc_userinfo_get(rp: RelyingParty, person: Person) -> None:
    """The token is in the header of a GET request."""
    assert rp.claims(rp.request_userinfo(token=rp.sign_in(person).access_token))["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_userinfo_post_header(rp: RelyingParty, person: Person) -> None:
    """The token is in the header of a POST request."""
    assert rp.claims(rp.request_userinfo("POST", token=rp.sign_in(person).access_token))["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_userinfo_post_body_row56(rp: RelyingParty, person: Person) -> None:
    """The token is in the body of a POST request."""
    assert rp.claims(rp.request_userinfo("POST", token=rp.sign_in(person).access_token, in_body=True))["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(rp: RelyingParty, person: Person) -> None:
    """The nonce is optional; without one the ID token has none."""
    code = rp.parse_response(person.get(change_query(rp.authorization_url(), nonce=None)))["code"]
    assert "nonce" not in rp.verify_id_token(rp.redeem(code))


def check_scope(rp: RelyingParty, person: Person, *scopes: str) -> None:
    """Check that userinfo has exactly the claims of these scopes."""
    told = set(rp.sign_in(person, scope=["openid", *scopes]).userinfo.keys())
    assert told == {"sub"}.union(*(OF_SCOPE.get(scope, set()) for scope in scopes))


@by(IDPYOIDC)
def test_oidcc_scope_profile(rp: RelyingParty, person: Person) -> None:
    """Userinfo has the profile claims that CAS releases."""
    check_scope(rp, person, "profile")


@by(IDPYOIDC)
def test_oidcc_scope_email(rp: RelyingParty, person: Person) -> None:
    """Userinfo has `email` and `email_verified`."""
    check_scope(rp, person, "email")


@by(IDPYOIDC)
def test_oidcc_scope_address_row52(rp: RelyingParty, person: Person) -> None:
    """Not supported, not in `scopes_supported`, and ignored."""
    assert "address" not in rp.metadata["scopes_supported"]
    check_scope(rp, person, "address")


@by(IDPYOIDC)
def test_oidcc_scope_phone_row52(rp: RelyingParty, person: Person) -> None:
    """Not supported, not in `scopes_supported`, and ignored."""
    assert "phone" not in rp.metadata["scopes_supported"]
    check_scope(rp, person, "phone")


@by(IDPYOIDC)
def test_oidcc_scope_all(rp: RelyingParty, person: Person) -> None:
    """Request every supported scope and two unsupported ones."""
    check_scope(rp, person, "profile", "email", "address", "phone", "groups", "eduperson")


@by(IDPYOIDC)
def test_oidcc_ensure_other_scope_order_succeeds(rp: RelyingParty, person: Person) -> None:
    """`openid` may be at any position."""
    assert "email" in rp.sign_in(person, scope=["email", "openid"]).userinfo


@by(IDPYOIDC)
def test_oidcc_alternate_happy_flow(rp: RelyingParty, person: Person) -> None:
    """Scopes and parameters are in reverse order."""
    address, _, query = rp.authorization_url(scope=["email", "openid"]).partition("?")
    assert "email" in rp.complete_sign_in(person.get(f"{address}?{'&'.join(reversed(query.split('&')))}")).userinfo


@by(IDPYOIDC)
def test_oidcc_display_page(rp: RelyingParty, person: Person) -> None:
    """The bridge ignores `display`, because CAS shows the login page."""
    rp.sign_in(person, display="page")


@by(IDPYOIDC)
def test_oidcc_display_popup(rp: RelyingParty, person: Person) -> None:
    """The bridge ignores `display`."""
    rp.sign_in(person, display="popup")


@by(IDPYOIDC)
def test_oidcc_prompt_login_row60(rp: RelyingParty, person: Person, world: World) -> None:
    """The user enters the password again; `auth_time` in the ID token is newer."""
    first = rp.sign_in(person)
    world.advance_time(5)
    second = rp.sign_in(person, prompt="login")
    assert world.cas.passwords_typed == 2
    assert second.id_token["auth_time"] > first.id_token["auth_time"] - 5
    assert second.id_token["sub"] == first.id_token["sub"]


@by(IDPYOIDC)
def test_oidcc_prompt_none_not_logged_in_row59(rp: RelyingParty, person: Person, world: World) -> None:
    """The error is `login_required`, without any page."""
    assert rp.parse_error(person.get(rp.authorization_url(prompt="none"))) == "login_required"
    assert world.cas.passwords_typed == 0


@by(IDPYOIDC)
def test_oidcc_prompt_none_logged_in(rp: RelyingParty, person: Person, world: World) -> None:
    """The ID token has the same `sub` and `auth_time`."""
    first = rp.sign_in(person)
    second = rp.sign_in(person, prompt="none")
    assert (second.id_token["sub"], second.id_token["auth_time"]) == (
        first.id_token["sub"],
        first.id_token["auth_time"],
    )
    assert world.cas.passwords_typed == 1


@by(IDPYOIDC)
def test_oidcc_max_age_1_row60(rp: RelyingParty, person: Person, world: World) -> None:
    """An older session requires a new login."""
    first = rp.sign_in(person)
    world.advance_time(2)
    second = rp.sign_in(person, max_age=1)
    assert world.cas.passwords_typed == 2
    assert second.id_token["auth_time"] > first.id_token["auth_time"] - 2


@by(IDPYOIDC)
def test_oidcc_max_age_10000_row60(rp: RelyingParty, person: Person, world: World) -> None:
    """A younger session is reused; the ID token has its `auth_time`."""
    first = rp.sign_in(person, max_age=10000)
    second = rp.sign_in(person, max_age=10000)
    assert world.cas.passwords_typed == 1
    assert second.id_token["auth_time"] == first.id_token["auth_time"]
