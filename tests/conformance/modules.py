"""The modules of the OpenID Provider certification plans that a code-flow provider must pass, by plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

BASIC = (
    *("oidcc-server", "oidcc-response-type-missing", "oidcc-idtoken-signature", "oidcc-idtoken-unsigned"),
    *("oidcc-userinfo-get", "oidcc-userinfo-post-header", "oidcc-userinfo-post-body"),
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
    *("oidcc-scope-profile", "oidcc-scope-email", "oidcc-scope-address", "oidcc-scope-phone", "oidcc-scope-all"),
    *("oidcc-ensure-other-scope-order-succeeds", "oidcc-alternate-happy-flow"),
    *("oidcc-display-page", "oidcc-display-popup", "oidcc-prompt-login"),
    *("oidcc-prompt-none-not-logged-in", "oidcc-prompt-none-logged-in", "oidcc-max-age-1", "oidcc-max-age-10000"),
    *("oidcc-ensure-request-with-unknown-parameter-succeeds", "oidcc-id-token-hint", "oidcc-login-hint"),
    *("oidcc-ui-locales", "oidcc-claims-locales", "oidcc-ensure-request-with-acr-values-succeeds"),
    *("oidcc-codereuse", "oidcc-codereuse-30seconds", "oidcc-ensure-registered-redirect-uri"),
    *("oidcc-ensure-post-request-succeeds", "oidcc-server-client-secret-post"),
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
    *("oidcc-claims-essential", "oidcc-ensure-request-object-with-redirect-uri", "oidcc-refresh-token"),
    "oidcc-ensure-request-with-valid-pkce-succeeds",
)
RP_INITIATED_LOGOUT = (
    "oidcc-rp-initiated-logout-discovery-endpoint-verification",
    "oidcc-rp-initiated-logout",
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-modified-id-token-hint",
    "oidcc-rp-initiated-logout-no-id-token-hint",
    "oidcc-rp-initiated-logout-no-params",
    "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-no-state",
    "oidcc-rp-initiated-logout-only-state",
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-bad-id-token-hint",
)
# Plan, its test file, its modules. The form post plan has the modules of the basic plan with
# response_mode=form_post: test_basic.py runs every test in both modes.
PLANS = (
    ("oidcc-basic-certification-test-plan", "test_basic", BASIC),
    ("oidcc-config-certification-test-plan", "test_config", ("oidcc-discovery-endpoint-verification",)),
    ("oidcc-formpost-basic-certification-test-plan", "test_basic", BASIC),
    ("oidcc-rp-initiated-logout-certification-test-plan", "test_rp_initiated_logout", RP_INITIATED_LOGOUT),
    (
        "oidcc-backchannel-rp-initiated-logout-certification-test-plan",
        "test_backchannel_logout",
        ("oidcc-backchannel-logout-discovery-endpoint-verification", "oidcc-backchannel-rp-initiated-logout"),
    ),
)

IDPYOIDC, OPENID_CLIENT, BY_HAND = "idpyoidc", "openid-client", "the test itself"


def by(*checkers: str) -> Callable[[Any], Any]:
    """Mark the relying party that verifies the responses of a test."""

    def mark(test: Any) -> Any:
        test.checked_by = checkers
        return test

    return mark
