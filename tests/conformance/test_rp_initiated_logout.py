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
from tests.conformance.world import AFTER_LOGOUT, Landing, Person, change_query


@pytest.fixture
def signed_in(strict: RelyingParty, person: Person) -> SignedIn:
    return strict.sign_in(person)


@pytest.fixture
def logout_request(strict: RelyingParty, signed_in: SignedIn) -> str:
    """Return the logout request of idpyoidc: hint, return URI, state."""
    return strict.logout_url(signed_in)


def check_signed_out(strict: RelyingParty, person: Person) -> None:
    """Check what the certification checks after a successful logout."""
    assert strict.parse_error(person.get(strict.authorization_url(prompt="none"))) == "login_required"


def check_still_signed_in(page: Landing, strict: RelyingParty, person: Person) -> None:
    """Check that the user sees an error page, is not redirected and stays signed in."""
    assert page.is_page
    assert page.status == 400
    strict.complete_sign_in(person.get(strict.authorization_url(prompt="none")))


def confirm_sign_out(page: Landing, person: Person) -> Landing:
    """Confirm the sign-out on the confirmation page."""
    assert (page.status, page.is_page) == (200, True)
    return person.submit_form(page)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(strict: RelyingParty, world: World) -> None:
    """`end_session_endpoint` uses https."""
    assert strict.metadata["end_session_endpoint"] == f"{world.issuer}/logout"


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout(strict: RelyingParty, person: Person, logout_request: str) -> None:
    """The user returns to the client with its state and is signed out, although the CAS session continues."""
    landing = person.get(logout_request)
    assert landing.url.split("?")[0] == AFTER_LOGOUT
    assert landing.parameters == {"state": dict(parse_qsl(urlsplit(logout_request).query))["state"]}
    check_signed_out(strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri_row70(
    strict: RelyingParty, person: Person, logout_request: str
) -> None:
    """The bridge never redirects to an unregistered URI."""
    bad = change_query(logout_request, post_logout_redirect_uri="https://rp.example.org/not-registered")
    check_still_signed_in(person.get(bad), strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_modified_id_token_hint_row70(
    strict: RelyingParty, person: Person, signed_in: SignedIn, logout_request: str
) -> None:
    """A hint without signature (`alg` none) is rejected."""
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    unsigned = f"{header}.{signed_in.raw_id_token.split('.')[1]}."
    check_still_signed_in(person.get(change_query(logout_request, id_token_hint=unsigned)), strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_bad_id_token_hint_row70(
    strict: RelyingParty, person: Person, signed_in: SignedIn, logout_request: str
) -> None:
    """A hint that another issuer signed is rejected."""
    forged = jwt.encode({"alg": "RS256"}, signed_in.id_token.to_dict(), RSAKey.generate_key(2048))
    check_still_signed_in(person.get(change_query(logout_request, id_token_hint=forged)), strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_no_id_token_hint_row70(
    strict: RelyingParty, person: Person, logout_request: str
) -> None:
    """Without a hint the return URI belongs to no client, so there is no redirect."""
    check_still_signed_in(person.get(change_query(logout_request, id_token_hint=None)), strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_no_params_row70(
    strict: RelyingParty, person: Person, signed_in: SignedIn, world: World
) -> None:
    """The user confirms, and is signed out of the bridge and of CAS."""
    landing = confirm_sign_out(person.get(f"{world.issuer}/logout"), person)
    assert landing.is_page
    assert not world.cas.signed_in
    check_signed_out(strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(
    strict: RelyingParty, person: Person, logout_request: str
) -> None:
    """The user is signed out without a redirect."""
    assert person.get(change_query(logout_request, post_logout_redirect_uri=None)).is_page
    check_signed_out(strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_no_state(strict: RelyingParty, person: Person, logout_request: str) -> None:
    """The return URI gets no additional parameter."""
    assert person.get(change_query(logout_request, state=None)).url == AFTER_LOGOUT
    check_signed_out(strict, person)


@by(IDPYOIDC, BY_HAND)
def test_oidcc_rp_initiated_logout_only_state(strict: RelyingParty, person: Person, logout_request: str) -> None:
    """The behaviour is that of a request without parameters."""
    asked = person.get(change_query(logout_request, id_token_hint=None, post_logout_redirect_uri=None))
    assert confirm_sign_out(asked, person).is_page
    check_signed_out(strict, person)


@by(BY_HAND)
def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri_row70(
    strict: RelyingParty, person: Person, logout_request: str
) -> None:
    """The return URI is compared exactly."""
    added = change_query(logout_request, post_logout_redirect_uri=f"{AFTER_LOGOUT}?foo=bar")
    check_still_signed_in(person.get(added), strict, person)
