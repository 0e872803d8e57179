"""Error responses: pages for browsers, JSON for programs, redirects to verified clients."""

import logging
from contextlib import suppress

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from bridge.cas.circuit_breaker import PAUSE_SECONDS
from bridge.errors import (
    AccessDenied,
    BridgeError,
    InvalidFormToken,
    LoginNotFound,
    RateLimitExceeded,
    StoreUnavailable,
    UpstreamBusy,
)
from bridge.errors.oauth import (
    AuthorizationRejected,
    InvalidClient,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    OAuthError,
)
from bridge.oauth.clients import Client
from bridge.store import StoreFailure, unavailability
from bridge.web.context import current_context
from bridge.web.operations import error_reason
from bridge.web.pages import localized_description
from bridge.web.rate_limits import RETRY_AFTER_SECONDS
from bridge.web.responses import authorization_response
from passerelle_common.i18n import gettext_noop

log = structlog.get_logger()

NOT_FOUND = gettext_noop("Check the address, or go back to the application that sent you here.")
TITLES = {
    400: gettext_noop("This request cannot be continued"),
    403: gettext_noop("Access denied"),
    404: gettext_noop("Page not found"),
    405: gettext_noop("This address does not support this request"),
    413: gettext_noop("The request is too large"),
    429: gettext_noop("Too many attempts"),
    500: gettext_noop("Something went wrong"),
    502: gettext_noop("The central sign-in service did not respond correctly"),
    503: gettext_noop("Sign-in is temporarily unavailable"),
}
BEARER_ENDPOINTS = ("api.userinfo", "api.userdata")
# Pages with more than a description; the first match is used.
PAGES = {InvalidFormToken: "error.html", LoginNotFound: "login_interrupted.html", AccessDenied: "access_denied.html"}


def register_error_handlers(app: Flask) -> None:
    """Register one handler for each root exception."""
    app.register_error_handler(BridgeError, _handle_bridge_error)
    app.register_error_handler(HTTPException, _handle_http_error)
    app.register_error_handler(StoreFailure, _handle_store_failure)
    app.register_error_handler(Exception, _handle_unexpected_error)


def _handle_bridge_error(error: BridgeError) -> Response:
    current_context().metrics.refusals.labels(error_reason(error)).inc()
    if isinstance(error, AuthorizationRejected):
        log.info("authorization_refused", error=error.detail, description=error.description)
        return authorization_response(error.redirect_uri, error.answer, error.response_mode)
    if not (isinstance(error, OAuthError) and request.endpoint == "api.token"):  # the token view logs its own
        _log(error)
    response = _json(error) if _is_for_programs() else _page(error.status, error)
    if isinstance(error, (RateLimitExceeded, StoreUnavailable)):
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif isinstance(error, UpstreamBusy):
        response.headers["Retry-After"] = str(int(PAUSE_SECONDS))
    return response


def _handle_http_error(error: HTTPException) -> Response:
    """Respond to an error of Werkzeug: unknown address, wrong method, body too large."""
    status = error.code or 500
    if _is_for_programs():
        described = InvalidRequest(error.description or error.name)
        response = jsonify(error=described.code, error_description=described.wire_description)
        response.status_code = status
    else:
        response = _page(status, BridgeError(NOT_FOUND))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _handle_store_failure(failure: StoreFailure) -> Response:
    """Respond with 503 while the database cannot be used; other failures are defects."""
    reason = unavailability(failure)
    return (
        _handle_unexpected_error(failure) if reason is None else _handle_bridge_error(StoreUnavailable(detail=reason))
    )


def _handle_unexpected_error(error: Exception) -> Response:
    """Log a defect of the bridge in full; the response reveals nothing."""
    log.error("unexpected_error", exc_info=error)
    return _handle_bridge_error(BridgeError(detail=type(error).__name__))


def _is_for_programs() -> bool:
    if request.blueprint not in (None, "single_logout"):
        return request.blueprint in ("api", "health")
    return "text/html" not in request.headers.get("Accept", "")  # browsers always send it


def _log(error: BridgeError) -> None:
    level = logging.ERROR if error.status >= 500 else logging.WARNING
    if isinstance(error, (MissingToken, InvalidToken)):
        level = logging.INFO  # clients learn in this way that a token has expired
    endpoint = (request.endpoint or "none").rpartition(".")[2]
    detail = error.detail or error.wire_description
    log.log(level, "refused", kind=type(error).__name__, endpoint=endpoint, detail=detail)


def _page(status: int, error: BridgeError) -> Response:
    template = next((name for kind, name in PAGES.items() if isinstance(error, kind)), "error.html")
    page = render_template(
        template,
        title=TITLES.get(status, TITLES[400 if status < 500 else 500]),
        description=localized_description(error),
        retry_url=g.get("retry_url"),
        request_id=g.request_id,
        client=_client_of_request(),
    )
    return make_response(page, status)


def _client_of_request() -> Client | None:
    """Return the client of this request, if it was verified."""
    client_id = structlog.contextvars.get_contextvars().get("client")
    with suppress(StoreFailure):  # a page must not fail for the reason that it reports
        return current_context().provider.clients.get(client_id) if client_id else None
    return None


def _json(error: BridgeError) -> Response:
    body = {"error": error.code, "error_description": error.wire_description} if error.code else {}
    response = jsonify(body)
    response.status_code = error.status
    if request.endpoint in BEARER_ENDPOINTS and isinstance(error, OAuthError):
        # RFC 6750 §3: the challenge contains the code as well.
        challenge = [f'{name}="{value}"' for name, value in body.items()]
        response.headers["WWW-Authenticate"] = ", ".join(['Bearer realm="passerelle"', *challenge])
    elif isinstance(error, InvalidClient):
        response.headers["WWW-Authenticate"] = 'Basic realm="passerelle", charset="UTF-8"'
    return response
