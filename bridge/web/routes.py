"""Registration of all routes, handlers and response headers.

CORS headers name the responses that scripts of other origins may read (Fetch standard; RFC 9700 §2.6):

- Public documents: any origin.
- Token, userinfo and revocation: origins of the redirect URIs of public clients, which run in the browser.
- Pages and redirects (authorization, consent, sign-out): no origin.

Credentials are never allowed, because these endpoints read no cookie.
"""

import secrets
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest

from bridge.store import StoreFailure
from bridge.web import account, api, consent, login, logout, operations, pages, single_logout
from bridge.web.context import EXTENSION, AppContext, current_context
from bridge.web.errors import register_error_handlers
from bridge.web.responses import content_security_policy

PUBLIC = {"api.metadata": "GET", "api.jwks": "GET", "api.rfc8414": "GET"}
FOR_BROWSER_APPLICATIONS = {"api.token": "POST", "api.userinfo": "GET, POST", "api.revoke": "POST"}
REQUEST_HEADERS = "Authorization, Content-Type"
READABLE_HEADERS = "WWW-Authenticate, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = 600


def register(app: Flask, context: AppContext) -> None:
    """Add everything to an application, below the path of the issuer."""
    path = urlsplit(context.provider.issuer).path
    app.extensions[EXTENSION] = context
    # Otherwise superfluous slashes would be answered by redirects built from the Host header.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    for blueprint in (
        *(login.blueprint, consent.blueprint, account.blueprint, logout.blueprint),
        *(single_logout.blueprint, api.blueprint, operations.health),
    ):
        app.register_blueprint(blueprint, url_prefix=path)
    if path:
        # Container probes do not know the public path. RFC 8414 §3.1 appends the path to the well-known URI.
        app.register_blueprint(operations.health, name="root_health")
        app.add_url_rule(f"/.well-known/oauth-authorization-server{path}", "api.rfc8414", api.metadata)
    pages.init_templates(app, path, context)
    register_error_handlers(app)
    operations.init_operations(app, path)
    app.before_request(_set_request_id)
    app.before_request(_check_query_is_text)
    app.after_request(_add_headers)
    app.after_request(_add_cors_headers)


def _set_request_id() -> None:
    """Choose the id that log lines and error pages of this request share."""
    g.request_id = secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id, remote=request.remote_addr)


def _check_query_is_text() -> None:
    """Reject a query that is not UTF-8, because Werkzeug fails on it in every view."""
    try:
        request.query_string.decode()
    except UnicodeDecodeError:
        raise BadRequest("The query contains bytes that are not UTF-8; percent-encode them.") from None


def _add_headers(response: Response) -> Response:
    """Add security headers; disable caching unless the view allows it."""
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Pragma"] = "no-cache"  # RFC 6749 §5.1
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Request-Id"] = g.request_id
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", content_security_policy())
        response.headers["X-Frame-Options"] = "DENY"
    return response


def _add_cors_headers(response: Response) -> Response:
    """Add the headers to every response of these endpoints, so that applications can read errors as well."""
    endpoint = request.endpoint or ""
    if endpoint in PUBLIC:
        response.headers["Access-Control-Allow-Origin"] = "*"
        _answer_preflight(response, PUBLIC[endpoint])
    elif endpoint in FOR_BROWSER_APPLICATIONS:
        response.vary.add("Origin")  # even without one, because caches must keep both apart
        origin = request.headers.get("Origin")
        if origin is not None and origin in _browser_origins():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = READABLE_HEADERS
            _answer_preflight(response, FOR_BROWSER_APPLICATIONS[endpoint])
    return response


def _browser_origins() -> frozenset[str]:
    """Return the allowed origins; none while the database cannot be used, when the response is a 503 anyway."""
    try:
        return current_context().provider.clients.browser_origins()
    except StoreFailure:
        return frozenset()


def _answer_preflight(response: Response, methods: str) -> None:
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
