"""docs/openapi.yaml describes every route and the responses to generated requests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bridge.oauth.endpoints import provider_metadata
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, ISSUER, Running
from tests.support.bridge.actors import App, Browser

DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]
REQUESTS_OF_EACH = 40
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Without these responses only errors would be tested.
SUCCESSES = {
    303: ("GET /authorize", "POST /authorize", "GET /login", "POST /login"),
    200: (
        *("POST /token", "GET /userinfo", "POST /userinfo", "GET /userdata"),
        *("POST /introspect", "POST /revoke", "GET /logout", "POST /logout"),
        *("POST /cas/logout", "GET /cas/logout", "POST /cas/callback"),
    ),
}
# Methods that Flask adds to each GET, and static files.
NOT_DESCRIBED = {"HEAD", "OPTIONS"}
FILES = "/static/"


def described() -> set[tuple[str, str]]:
    return {(path, method.upper()) for path, operations in DOCUMENT["paths"].items() for method in operations}


def routed(bridge: Running) -> set[tuple[str, str]]:
    rules = [rule for rule in bridge.app.url_map.iter_rules() if not rule.rule.startswith(FILES)]
    return {(rule.rule, method) for rule in rules for method in (rule.methods or set()) - NOT_DESCRIBED}


def test_openapi_describes_exactly_the_routes(bridge: Running) -> None:
    assert routed(bridge) == described()


def test_openapi_describes_every_metadata_url() -> None:
    named = {name: url for name, url in provider_metadata(ISSUER).items() if name.endswith(("_endpoint", "_uri"))}
    assert named
    assert {url.removeprefix(ISSUER) for url in named.values()} <= set(DOCUMENT["paths"])


def test_openapi_metadata_members_are_present() -> None:
    promised = set(DOCUMENT["components"]["schemas"]["ProviderMetadata"]["required"])
    assert promised <= set(provider_metadata(ISSUER))


@pytest.fixture
def patient(make_bridge: MakeBridge) -> Running:
    """Return a bridge with high rate limits; otherwise most responses would be 429."""
    names = ("client_failures", "address_failures", "bad_tokens", "bad_callbacks")
    return make_bridge(**{f"{name}_per_minute": "100000" for name in names})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_generated_requests_get_described_responses_row5(operation: Any, patient: Running) -> None:
    """Half of the requests have no credentials, half pass the first checks as a known client and user."""
    browser, hub = Browser(patient.wire), App(patient.wire, secret=HUB_SECRET)
    tokens = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    statuses: set[int] = set()

    @settings(
        max_examples=REQUESTS_OF_EACH,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.booleans())
    def answered(case: Any, known: bool) -> None:
        if known:
            _as_known(case, hub, browser, tokens)
        response = case.call(app=patient.app, base_url=ISSUER)
        case.validate_response(response, checks=CHECKS)
        statuses.add(response.status_code)

    answered()
    wanted = {status for status, labels in SUCCESSES.items() if operation.label in labels}
    assert wanted <= statuses, f"only faults were answered: {statuses}"


def _as_known(case: Any, hub: App, browser: Browser, tokens: Mapping[str, Any]) -> None:
    """Replace generated values by known ones."""
    in_body = isinstance(case.body, dict)
    known = _of_hub(hub, tokens)
    if case.path == "/token" and case.body.get("grant_type") == "authorization_code":
        known["code"] = hub.extract_code(browser.get(hub.authorization_url()))
        case.body |= {name: known[name] for name in ("redirect_uri", "code_verifier")}
    if case.path in ("/token", "/introspect", "/revoke"):
        case.body |= {"client_id": known["client_id"], "client_secret": HUB_SECRET}
    place = case.body if in_body else case.query
    place |= {name: value for name, value in known.items() if name in place}
    case.cookies = dict(browser.cookies)
    case.headers.pop("Authorization", None)
    if case.path in ("/userinfo", "/userdata") and not (in_body and "access_token" in case.body):
        case.headers["Authorization"] = f"Bearer {tokens['access_token']}"


def _of_hub(hub: App, tokens: Mapping[str, Any]) -> dict[str, str]:
    return {
        **{name: value for name, value in hub.request().items() if name not in ("state", "nonce")},
        "code_verifier": hub.verifier,
        "access_token": tokens["access_token"],
        "token": tokens["access_token"],
        "id_token_hint": tokens["id_token"],
        "grant_type": "authorization_code",
        "max_age": "10000",
        "prompt": "none",
        "claims": '{"userinfo": {"email": null}}',
        "logoutRequest": "<LogoutRequest><SessionIndex>ST-1</SessionIndex></LogoutRequest>",
    }
