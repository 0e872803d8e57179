"""CORS headers: the responses that scripts of other origins may read (Fetch standard; RFC 9700 §2.6).

- Public documents: any origin.
- Token, userinfo and revocation: origins of the redirect URIs of public clients, which run in the browser.
- Pages and redirects (authorization, consent, sign-out): no origin.

Credentials are never allowed, because these endpoints read no cookie.
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
    """Add the headers to every response of these endpoints, so that applications can read errors as well."""
    endpoint = request.endpoint or ""
    if endpoint in PUBLIC:
        response.headers["Access-Control-Allow-Origin"] = "*"
        _answer_preflight(response, PUBLIC[endpoint])
    elif endpoint in FOR_BROWSER_APPLICATIONS:
        response.vary.add("Origin")  # even without one, because caches must keep both apart
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
