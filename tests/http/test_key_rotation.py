"""ID tokens and the JWKS during a key rotation, for a client that caches the JWKS for two hours."""

from __future__ import annotations

import re
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.oauth.keys import PUBLISH_AHEAD_SECONDS, RETIRED_KEPT_SECONDS
from bridge.web.context import EXTENSION
from tests.http.conftest import MakeBridge
from tests.http.world import Running
from tests.support.bridge.actors import App, Browser

HOUR = 3600
TEN_MINUTES = 600
MAX_AGE = 24 * HOUR
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    """A bridge with keys of its own, because the tests rotate them."""
    return make_bridge()


def jwks(bridge: Running) -> dict[str, Any]:
    return bridge.wire.send("GET", JWKS).json


def id_token(bridge: Running, browser: Browser, hub: App) -> str:
    answer = browser.get(hub.authorization_url())
    if "/cas/login" in answer.location:
        answer = browser.get(browser.log_in_at_cas(answer))
    return str(hub.redeem(hub.extract_code(answer)).json["id_token"])


def kid_of(token: str, keys: dict[str, Any]) -> str:
    """Verify a token with these keys and return its kid."""
    return str(jwt.decode(token, KeySet.import_key_set(keys), ["RS256", "ES256"]).header["kid"])


def rotate_by_age(bridge: Running) -> list[str]:
    return list(bridge.app.extensions[EXTENSION].provider.keys.rotate_by_age(MAX_AGE))


def test_jwks_of_two_hours_ago_verifies_id_token_row64(bridge: Running, browser: Browser, hub: App) -> None:
    fetched = {bridge.clock.now: jwks(bridge)}
    start, signers = bridge.clock.now, []
    while bridge.clock.now < start + MAX_AGE + 6 * HOUR:
        rotate_by_age(bridge)
        fetched[bridge.clock.now] = jwks(bridge)
        two_hours_ago = max([at for at in fetched if at <= bridge.clock.now - 2 * HOUR], default=start)
        token = id_token(bridge, browser, hub)
        kid = kid_of(token, fetched[two_hours_ago])
        if kid not in signers:
            signers.append(kid)
        bridge.clock.advance(TEN_MINUTES)
    assert len(signers) == 2, "there was one rotation"


def test_workers_agree_on_jwks_within_30_seconds_row64(make_bridge: MakeBridge) -> None:
    one, other = make_bridge(), make_bridge()
    other.clock.now = one.clock.now
    before = jwks(other)
    one.app.extensions[EXTENSION].provider.keys.rotate("RS256")
    assert jwks(one) != before
    for each in (one, other):
        each.clock.advance(31)
    assert jwks(one) == jwks(other)
    assert len(jwks(other)["keys"]) == len(before["keys"]) + 1


def test_id_token_verifies_until_key_is_deleted_row64(bridge: Running, browser: Browser, hub: App) -> None:
    old = id_token(bridge, browser, hub)
    bridge.app.extensions[EXTENSION].provider.keys.rotate("RS256")
    bridge.clock.advance(PUBLISH_AHEAD_SECONDS + RETIRED_KEPT_SECONDS - 1)
    rotate_by_age(bridge)
    kid = kid_of(old, jwks(bridge))
    bridge.clock.advance(1)
    rotate_by_age(bridge)
    assert kid not in {key["kid"] for key in jwks(bridge)["keys"]}


def test_jwks_cache_time_is_shorter_than_wait_row64_row66(bridge: Running) -> None:
    allowed = re.search(r"max-age=(\d+)", bridge.wire.send("GET", JWKS).headers["Cache-Control"])
    assert allowed is not None
    assert 0 < int(allowed[1]) <= PUBLISH_AHEAD_SECONDS / 2


@pytest.mark.parametrize("rotated", [False, True])
def test_jwks_has_only_public_members_row63(bridge: Running, rotated: bool) -> None:
    if rotated:
        bridge.app.extensions[EXTENSION].provider.keys.rotate("ES256")
    keys = jwks(bridge)["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        public = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}}[key["kty"]]
        assert set(key) == {"kty", "kid", "use", "alg", *public}
        assert key["use"] == "sig"
