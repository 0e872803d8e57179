"""RP-Initiated Logout OP, module by module."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty, SignedIn
from tests.conformance.world import AFTER_LOGOUT, Landing, Person, changed


@pytest.fixture
def signed_in(strict: RelyingParty, person: Person) -> SignedIn:
    return strict.sign_in(person)


@pytest.fixture
def request_to_sign_out(strict: RelyingParty, signed_in: SignedIn) -> str:
    """As idpyoidc writes it: hint, return address, state."""
    return strict.asks_to_sign_out(signed_in)


def check_signed_out(strict: RelyingParty, person: Person) -> None:
    """What the certification asks after every logout that has to work."""
    assert strict.refused(person.get(strict.asks(prompt="none"))) == "login_required"


def check_nothing_happened(page: Landing, strict: RelyingParty, person: Person) -> None:
    """The user sees why, is sent nowhere, and is as signed in as before."""
    assert page.is_page
    assert page.status == 400
    strict.finishes(person.get(strict.asks(prompt="none")))


def agreed(page: Landing, person: Person) -> Landing:
    """The user was asked, and wants to be signed out."""
    assert (page.status, page.is_page) == (200, True)
    return person.submits(page)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(strict: RelyingParty, world: World) -> None:
    """`end_session_endpoint`, by https."""
    assert strict.metadata["end_session_endpoint"] == f"{world.issuer}/logout"


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout(strict: RelyingParty, person: Person, request_to_sign_out: str) -> None:
    """Back to the application with its state, and signed out, although CAS still knows the user."""
    landing = person.get(request_to_sign_out)
    assert landing.url.split("?")[0] == AFTER_LOGOUT
    assert landing.parameters == {"state": dict(parse_qsl(urlsplit(request_to_sign_out).query))["state"]}
    check_signed_out(strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri_row70(
    strict: RelyingParty, person: Person, request_to_sign_out: str
) -> None:
    """An address that is not registered is never followed."""
    bad = changed(request_to_sign_out, post_logout_redirect_uri="https://rp.example.org/not-registered")
    check_nothing_happened(person.get(bad), strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_modified_id_token_hint_row70(
    strict: RelyingParty, person: Person, signed_in: SignedIn, request_to_sign_out: str
) -> None:
    """A hint whose signature was taken away (`alg` none) is none."""
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    unsigned = f"{header}.{signed_in.raw_id_token.split('.')[1]}."
    check_nothing_happened(person.get(changed(request_to_sign_out, id_token_hint=unsigned)), strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_bad_id_token_hint_row70(
    strict: RelyingParty, person: Person, signed_in: SignedIn, request_to_sign_out: str
) -> None:
    """A hint that somebody else signed is none."""
    forged = jwt.encode({"alg": "RS256"}, signed_in.id_token.to_dict(), RSAKey.generate_key(2048))
    check_nothing_happened(person.get(changed(request_to_sign_out, id_token_hint=forged)), strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_no_id_token_hint_row70(
    strict: RelyingParty, person: Person, request_to_sign_out: str
) -> None:
    """Nobody proved whose return address it is, so nobody is sent there."""
    check_nothing_happened(person.get(changed(request_to_sign_out, id_token_hint=None)), strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_no_params_row70(
    strict: RelyingParty, person: Person, signed_in: SignedIn, world: World
) -> None:
    """Where people sign out by hand: they are asked, and then signed out, at CAS as well."""
    landing = agreed(person.get(f"{world.issuer}/logout"), person)
    assert landing.is_page
    assert not world.cas.signed_in
    check_signed_out(strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(
    strict: RelyingParty, person: Person, request_to_sign_out: str
) -> None:
    """Signed out, without a way back."""
    assert person.get(changed(request_to_sign_out, post_logout_redirect_uri=None)).is_page
    check_signed_out(strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_no_state(strict: RelyingParty, person: Person, request_to_sign_out: str) -> None:
    """Back to the application, with nothing added to its address."""
    assert person.get(changed(request_to_sign_out, state=None)).url == AFTER_LOGOUT
    check_signed_out(strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_only_state(strict: RelyingParty, person: Person, request_to_sign_out: str) -> None:
    """As without any parameter."""
    asked = person.get(changed(request_to_sign_out, id_token_hint=None, post_logout_redirect_uri=None))
    assert agreed(asked, person).is_page
    check_signed_out(strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri_row70(
    strict: RelyingParty, person: Person, request_to_sign_out: str
) -> None:
    """Compared exactly."""
    added = changed(request_to_sign_out, post_logout_redirect_uri=f"{AFTER_LOGOUT}?foo=bar")
    check_nothing_happened(person.get(added), strict, person)
