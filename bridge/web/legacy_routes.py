"""Routes of the predecessor, for hubs that are still configured for it.

They lead to the usual endpoints with the same checks. The registration of such a client must allow requests without
PKCE; see docs/decisions/0006.
"""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from bridge.oauth import endpoints
from bridge.web.context import current_context
from bridge.web.login import authorize
from bridge.web.rate_limit_decorators import limit_bad_tokens


def add_legacy_routes(app: Flask, path: str) -> None:
    """Add the routes under the names of their blueprints, which decide the form of error responses."""
    app.add_url_rule(f"{path}/login", "login.legacy_authorize", authorize, methods=["GET", "POST"])
    app.add_url_rule(f"{path}/userdata", "api.userdata", userdata)


@limit_bad_tokens
def userdata() -> Response:
    """Return the user name for the token in the Authorization header."""
    header = request.headers.get("Authorization")
    return jsonify(username=endpoints.username(current_context().provider, header))
