"""The addresses of the bridge that this one replaces, for hubs that were set up for it and are left as they are.

They are the usual endpoints under their former names; nothing is checked less. What such a client does differently
(no PKCE) has to be allowed in its registration; see docs/decisions/0006.
"""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from bridge.oauth import endpoints
from bridge.web.context import current_context
from bridge.web.login import authorize
from bridge.web.rate_limit_decorators import bad_tokens_limited


def add_former_addresses(app: Flask, path: str) -> None:
    """As parts of the blueprints they belong to, which decide how errors are told."""
    app.add_url_rule(f"{path}/login", "login.former_authorize", authorize, methods=["GET", "POST"])
    app.add_url_rule(f"{path}/userdata", "api.userdata", userdata)


@bad_tokens_limited
def userdata() -> Response:
    """The name alone, for a token in the Authorization header."""
    header = request.headers.get("Authorization")
    return jsonify(username=endpoints.username(current_context().provider, header))
