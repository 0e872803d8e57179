"""Basic OP and Form Post Basic OP, module by module: sign-ins, claims, and how fresh a session has to be.

Each test runs with the answers in the query and in a posted form. The modules about what else a request may hold are
in `test_basic_requests.py`.
"""

from __future__ import annotations

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty
from tests.conformance.world import Person, changed

OF_SCOPE = {
    "profile": {"preferred_username", "name", "given_name", "family_name"},
    "email": {"email", "email_verified"},
    "groups": {"groups"},
    "eduperson": {"eduperson_affiliation"},
}


@by(IDPYOIDC)
def test_oidcc_server(rp: RelyingParty, person: Person, world: World) -> None:
    """A whole sign-in: code, ID token, userinfo."""
    signed_in = rp.sign_in(person)
    assert signed_in.id_token["sub"] == "alice"
    assert world.cas.passwords_typed == 1


@by(IDPYOIDC)
def test_oidcc_response_type_missing_row51(rp: RelyingParty, person: Person) -> None:
    """Told to the client, whose address is proven."""
    assert rp.refused(person.get(changed(rp.asks(), response_type=None))) == "invalid_request"


@by(IDPYOIDC)
def test_oidcc_idtoken_signature_row63(rp: RelyingParty, person: Person) -> None:
    """RS256, by a key that the header names and the key set has."""
    header = rp.sign_in(person).id_token.jws_header
    assert header["alg"] == "RS256"
    assert header["kid"]


@by(BY_HAND)
def test_oidcc_idtoken_unsigned_row62(rp: RelyingParty) -> None:
    """Not offered: nothing leaves unsigned. The module is for providers that offer it."""
    assert "none" not in rp.metadata["id_token_signing_alg_values_supported"]


@by(IDPYOIDC)
def test_oidcc_userinfo_get(rp: RelyingParty, person: Person) -> None:
    """The token in the header of a GET."""
    assert rp.claims(rp.asks_userinfo(token=rp.sign_in(person).access_token))["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_userinfo_post_header(rp: RelyingParty, person: Person) -> None:
    """The token in the header of a POST."""
    assert rp.claims(rp.asks_userinfo("POST", token=rp.sign_in(person).access_token))["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_userinfo_post_body_row56(rp: RelyingParty, person: Person) -> None:
    """The token in the body of a POST."""
    assert rp.claims(rp.asks_userinfo("POST", token=rp.sign_in(person).access_token, in_body=True))["sub"] == "alice"


@by(IDPYOIDC)
def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(rp: RelyingParty, person: Person) -> None:
    """The nonce is for the client to want; without one there is none in the ID token."""
    code = rp.reads(person.get(changed(rp.asks(), nonce=None)))["code"]
    assert "nonce" not in rp.verified(rp.redeem(code))


def check_scope(rp: RelyingParty, person: Person, *scopes: str) -> None:
    """Userinfo has the claims of these scopes and of no others."""
    told = set(rp.sign_in(person, scope=["openid", *scopes]).userinfo.keys())
    assert told == {"sub"}.union(*(OF_SCOPE.get(scope, set()) for scope in scopes))


@by(IDPYOIDC)
def test_oidcc_scope_profile(rp: RelyingParty, person: Person) -> None:
    """As far as CAS releases it."""
    check_scope(rp, person, "profile")


@by(IDPYOIDC)
def test_oidcc_scope_email(rp: RelyingParty, person: Person) -> None:
    """`email` and `email_verified`."""
    check_scope(rp, person, "email")


@by(IDPYOIDC)
def test_oidcc_scope_address_row52(rp: RelyingParty, person: Person) -> None:
    """Not supported, not in `scopes_supported`, and left out without complaint."""
    assert "address" not in rp.metadata["scopes_supported"]
    check_scope(rp, person, "address")


@by(IDPYOIDC)
def test_oidcc_scope_phone_row52(rp: RelyingParty, person: Person) -> None:
    """Not supported, not in `scopes_supported`, and left out without complaint."""
    assert "phone" not in rp.metadata["scopes_supported"]
    check_scope(rp, person, "phone")


@by(IDPYOIDC)
def test_oidcc_scope_all(rp: RelyingParty, person: Person) -> None:
    """All that there is, and two that there are not."""
    check_scope(rp, person, "profile", "email", "address", "phone", "groups", "eduperson")


@by(IDPYOIDC)
def test_oidcc_ensure_other_scope_order_succeeds(rp: RelyingParty, person: Person) -> None:
    """`openid` need not come first."""
    assert "email" in rp.sign_in(person, scope=["email", "openid"]).userinfo


@by(IDPYOIDC)
def test_oidcc_alternate_happy_flow(rp: RelyingParty, person: Person) -> None:
    """Scopes and parameters in reverse order."""
    address, _, query = rp.asks(scope=["email", "openid"]).partition("?")
    assert "email" in rp.finishes(person.get(f"{address}?{'&'.join(reversed(query.split('&')))}")).userinfo


@by(IDPYOIDC)
def test_oidcc_display_page(rp: RelyingParty, person: Person) -> None:
    """`display` is CAS's affair; here it changes nothing."""
    rp.sign_in(person, display="page")


@by(IDPYOIDC)
def test_oidcc_display_popup(rp: RelyingParty, person: Person) -> None:
    """Likewise."""
    rp.sign_in(person, display="popup")


@by(IDPYOIDC)
def test_oidcc_prompt_login_row60(rp: RelyingParty, person: Person, world: World) -> None:
    """The password is asked for again, and the ID token says when."""
    first = rp.sign_in(person)
    world.passes(5)
    second = rp.sign_in(person, prompt="login")
    assert world.cas.passwords_typed == 2
    assert second.id_token["auth_time"] > first.id_token["auth_time"] - 5
    assert second.id_token["sub"] == first.id_token["sub"]


@by(IDPYOIDC)
def test_oidcc_prompt_none_not_logged_in_row59(rp: RelyingParty, person: Person, world: World) -> None:
    """`login_required`, and nobody saw a page."""
    assert rp.refused(person.get(rp.asks(prompt="none"))) == "login_required"
    assert world.cas.passwords_typed == 0


@by(IDPYOIDC)
def test_oidcc_prompt_none_logged_in(rp: RelyingParty, person: Person, world: World) -> None:
    """The same user, the same moment of sign-in."""
    first = rp.sign_in(person)
    second = rp.sign_in(person, prompt="none")
    assert (second.id_token["sub"], second.id_token["auth_time"]) == (
        first.id_token["sub"],
        first.id_token["auth_time"],
    )
    assert world.cas.passwords_typed == 1


@by(IDPYOIDC)
def test_oidcc_max_age_1_row60(rp: RelyingParty, person: Person, world: World) -> None:
    """A session older than that is not good enough."""
    first = rp.sign_in(person)
    world.passes(2)
    second = rp.sign_in(person, max_age=1)
    assert world.cas.passwords_typed == 2
    assert second.id_token["auth_time"] > first.id_token["auth_time"] - 2


@by(IDPYOIDC)
def test_oidcc_max_age_10000_row60(rp: RelyingParty, person: Person, world: World) -> None:
    """A younger session is; the ID token says when it began."""
    first = rp.sign_in(person, max_age=10000)
    second = rp.sign_in(person, max_age=10000)
    assert world.cas.passwords_typed == 1
    assert second.id_token["auth_time"] == first.id_token["auth_time"]
