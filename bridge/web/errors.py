"""How an error becomes an answer: a page for people, JSON for programs, a redirect where the client is proven."""

from __future__ import annotations

import logging

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from bridge.errors import (
    AccessDenied,
    AuthorizationRejected,
    BridgeError,
    InvalidClient,
    InvalidFormToken,
    InvalidRequest,
    InvalidToken,
    LoginNotFound,
    MissingToken,
    OAuthError,
    RateLimitExceeded,
)
from bridge.oauth.authorization_endpoint import Answer
from bridge.web.context import current_context
from bridge.web.operations import reason_of
from bridge.web.pages import told
from bridge.web.rate_limit_decorators import SECONDS_TO_WAIT
from bridge.web.responses import answer_client
from passerelle_common.i18n import gettext_noop

log = structlog.get_logger()

NO_SUCH_PAGE = gettext_noop("Check the address, or go back to the application that sent you here.")
TITLES = {
    400: gettext_noop("This request cannot be continued"),
    403: gettext_noop("You are not let in"),
    404: gettext_noop("There is nothing at this address"),
    405: gettext_noop("This address does not take such a request"),
    413: gettext_noop("The request is too large"),
    429: gettext_noop("Too many attempts"),
    500: gettext_noop("Something went wrong here"),
    502: gettext_noop("The central sign-in service did not answer as it should"),
}
BEARER_ENDPOINTS = ("api.userinfo", "api.userdata")
# Where there is more to say than what happened; the first that fits.
PAGES = {InvalidFormToken: "error.html", LoginNotFound: "interrupted.html", AccessDenied: "not_admitted.html"}


def register_error_handlers(app: Flask) -> None:
    """One renderer for each root."""
    app.register_error_handler(BridgeError, answer_bridge_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected_error)


def answer_bridge_error(error: BridgeError) -> Response:
    """The tree of `bridge.errors`."""
    current_context().metrics.count_refusal(reason_of(error))
    if isinstance(error, AuthorizationRejected):
        log.info("authorization_refused", error=error.detail, description=error.description)
        answer = Answer(redirect_uri=error.redirect_uri, parameters=error.answer, response_mode=error.response_mode)
        return answer_client(answer)
    if not (isinstance(error, OAuthError) and request.endpoint == "api.token"):  # which has told already
        _record(error)
    response = _json(error) if _is_for_programs() else _page(error.status, error)
    if isinstance(error, RateLimitExceeded):
        response.headers["Retry-After"] = str(SECONDS_TO_WAIT)
    return response


def answer_http_error(error: HTTPException) -> Response:
    """Werkzeug's own: no such address, wrong method, body too large."""
    status = error.code or 500
    if _is_for_programs():
        described = InvalidRequest(error.description or error.name)
        response = jsonify(error=described.code, error_description=described.wire_description)
        response.status_code = status
    else:
        response = _page(status, BridgeError(NO_SUCH_PAGE))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def answer_unexpected_error(error: Exception) -> Response:
    """A fault of ours: the log has all of it, the answer nothing."""
    log.error("unexpected_error", exc_info=error)
    return answer_bridge_error(BridgeError(detail=type(error).__name__))


def _is_for_programs() -> bool:
    if request.blueprint not in (None, "single_logout"):
        return request.blueprint in ("api", "health")
    return "text/html" not in request.headers.get("Accept", "")  # browsers always ask for it


def _record(error: BridgeError) -> None:
    level = logging.ERROR if error.status >= 500 else logging.WARNING
    if isinstance(error, (MissingToken, InvalidToken)):
        level = logging.INFO  # how every client finds out that its token has expired
    endpoint = (request.endpoint or "none").rpartition(".")[2]
    log.log(
        level, "refused", kind=type(error).__name__, endpoint=endpoint, detail=error.detail or error.wire_description
    )


def _page(status: int, error: BridgeError) -> Response:
    template = next((name for kind, name in PAGES.items() if isinstance(error, kind)), "error.html")
    page = render_template(
        template,
        title=TITLES.get(status, TITLES[400 if status < 500 else 500]),
        description=told(error),
        request_id=g.request_id,
    )
    return make_response(page, status)


def _json(error: BridgeError) -> Response:
    body = {"error": error.code, "error_description": error.wire_description} if error.code else {}
    response = jsonify(body)
    response.status_code = error.status
    if request.endpoint in BEARER_ENDPOINTS and isinstance(error, OAuthError):
        # RFC 6750 §3: the code goes into the challenge as well.
        facts = [f'{name}="{value}"' for name, value in body.items()]
        response.headers["WWW-Authenticate"] = ", ".join(['Bearer realm="passerelle"', *facts])
    elif isinstance(error, InvalidClient):
        response.headers["WWW-Authenticate"] = 'Basic realm="passerelle", charset="UTF-8"'
    return response
