"""Everything that an application of ours answers, put together."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest

from bridge.web import account, api, consent, health, login, logout, operations, pages, single_logout
from bridge.web.context import EXTENSION, AppContext
from bridge.web.cors import add_cors_headers
from bridge.web.errors import register_error_handlers
from bridge.web.legacy_routes import add_former_addresses
from bridge.web.responses import content_security_policy


def register(app: Flask, context: AppContext) -> None:
    """Give `app` its routes, below the issuer's path."""
    path = urlsplit(context.issuer).path
    app.extensions[EXTENSION] = context
    # Each would answer a slash too many or too few with a redirect, built from the request's own Host header.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    for blueprint in (
        *(login.blueprint, consent.blueprint, account.blueprint, logout.blueprint),
        *(single_logout.blueprint, api.blueprint, health.blueprint),
    ):
        app.register_blueprint(blueprint, url_prefix=path)
    if path:
        # A probe on the container's own port need not know the public path; RFC 8414 §3.1 puts it at the end.
        app.register_blueprint(health.blueprint, name="root_health")
        app.add_url_rule(f"/.well-known/oauth-authorization-server{path}", "api.rfc8414", api.metadata)
    # Not url_for: an error page has to come out of a request whose Host header no address can be built from.
    app.jinja_env.globals["asset"] = f"{path}/static/{{}}".format
    pages.dress(app, path, context)
    add_former_addresses(app, path)
    register_error_handlers(app)
    operations.watch(app, path)
    app.before_request(name_request)
    app.before_request(check_query_is_text)
    app.after_request(add_headers)
    app.after_request(add_cors_headers)


def name_request() -> None:
    """An id for the log and the error page alike."""
    g.request_id = secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id, remote=request.remote_addr)


def check_query_is_text() -> None:
    """Werkzeug reads the query as UTF-8 whenever a route first asks for it, and fails on other bytes."""
    try:
        request.query_string.decode()
    except UnicodeDecodeError:
        raise BadRequest("The query holds bytes that are not UTF-8; percent-encode it.") from None


def add_headers(response: Response) -> Response:
    """No caching unless a route says so, no guessing of types, no addresses handed on, no frames."""
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
