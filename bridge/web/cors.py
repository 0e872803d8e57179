"""Which answers the scripts of other origins may read (Fetch standard, CORS protocol; RFC 9700 §2.6).

- The public documents: everybody's.
- Token, userinfo and revocation: those of origins where a public client is registered to send its users, since
  such an application runs in the browser and has nothing but a script to call with.
- Everything that a browser goes to itself (authorization, consent, sign-out, pages): nobody's, ever.

No credentials are allowed anywhere: these endpoints look at no cookie.
"""

from __future__ import annotations

from flask import Response, request

from bridge.web.context import current_context

PUBLIC = {"api.metadata": "GET", "api.jwks": "GET", "api.rfc8414": "GET"}
FOR_BROWSER_APPLICATIONS = {"api.token": "POST", "api.userinfo": "GET, POST", "api.revoke": "POST"}
REQUEST_HEADERS = "Authorization, Content-Type"
READABLE_HEADERS = "WWW-Authenticate, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = 600


def add_cors_headers(response: Response) -> Response:
    """To every answer of these endpoints, errors included: an application has to read why it was refused."""
    endpoint = request.endpoint or ""
    if endpoint in PUBLIC:
        response.headers["Access-Control-Allow-Origin"] = "*"
        _answer_preflight(response, PUBLIC[endpoint])
    elif endpoint in FOR_BROWSER_APPLICATIONS:
        response.vary.add("Origin")  # with one or without: a cache must not mix them up
        origin = request.headers.get("Origin")
        if origin is not None and origin in current_context().provider.clients.browser_origins():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = READABLE_HEADERS
            _answer_preflight(response, FOR_BROWSER_APPLICATIONS[endpoint])
    return response


def _answer_preflight(response: Response, methods: str) -> None:
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
