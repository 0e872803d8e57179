"""Back-Channel Logout OP, module by module."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from idpyoidc.exception import MessageException

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty
from tests.conformance.world import AFTER_LOGOUT, Person
from tests.support.cas.logout_receiver import Told


def body(told: Told) -> str:
    return urlencode({"logout_token": told.token})


@by(IDPYOIDC, BY_HAND)
def test_oidcc_backchannel_logout_discovery_endpoint_verification(strict: RelyingParty) -> None:
    """Discovery announces it, with `sid` in every token."""
    assert strict.metadata["backchannel_logout_supported"] is True
    assert strict.metadata["backchannel_logout_session_supported"] is True


@by(IDPYOIDC)
def test_oidcc_backchannel_rp_initiated_logout(strict: RelyingParty, person: Person, world: World) -> None:
    """The logout token names the session of the ID token; the user returns and is signed out."""
    signed_in = strict.sign_in(person)
    landing = person.get(strict.logout_url(signed_in))
    assert landing.url.split("?")[0] == AFTER_LOGOUT

    (told,) = world.receiver.wait_for(1)
    assert told.content_type == "application/x-www-form-urlencoded"
    assert strict.verify_logout_token(body(told)) == signed_in.state
    assert strict.parse_error(person.get(strict.authorization_url(prompt="none"))) == "login_required"


@by(IDPYOIDC)
def test_each_client_gets_its_own_logout_token(strict: RelyingParty, person: Person, world: World) -> None:
    other = world.relying_party("second", method="client_secret_post")
    signed_in, elsewhere = strict.sign_in(person), other.sign_in(person)
    person.get(strict.logout_url(signed_in))

    heard = {}
    for told in world.receiver.wait_for(2):
        for party in (strict, other):
            with_party = _state(party, told)
            if with_party is not None:
                heard[party.client_id] = with_party
    assert heard == {"basic": signed_in.state, "second": elsewhere.state}


def _state(party: RelyingParty, told: Told) -> str | None:
    """Return the state, or None if idpyoidc rejects the token."""
    try:
        return party.verify_logout_token(body(told))
    except MessageException:
        return None


@by(IDPYOIDC)
def test_id_token_is_no_logout_token(strict: RelyingParty, person: Person) -> None:
    """Prove that idpyoidc verifies logout tokens, which the tests above rely on."""
    raw = strict.sign_in(person).raw_id_token
    with pytest.raises(MessageException):
        strict.verify_logout_token(urlencode({"logout_token": raw}))
