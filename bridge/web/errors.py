"""How an error becomes an answer: a page for people, JSON for programs, a redirect where the client is proven."""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from bridge.errors import AuthorizationRefused, BridgeError, InvalidClient, InvalidRequest, OAuthError
from bridge.oauth.authorization_endpoint import Answer
from bridge.web.answers import answer_client

log = structlog.get_logger()

TITLES = {
    400: "This request cannot be continued",
    403: "You are not let in",
    404: "There is nothing at this address",
    405: "This address does not take such a request",
    413: "The request is too large",
    500: "Something went wrong here",
    502: "The central sign-in service did not answer as it should",
}


def register_error_handlers(app: Flask) -> None:
    """One renderer for each root."""
    app.register_error_handler(BridgeError, answer_bridge_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected_error)


def answer_bridge_error(error: BridgeError) -> Response:
    """The tree of `bridge.errors`."""
    if isinstance(error, AuthorizationRefused):
        log.info("authorization_refused", error=error.detail, description=error.description)
        answer = Answer(redirect_uri=error.redirect_uri, parameters=error.answer, response_mode=error.response_mode)
        return answer_client(answer)
    if not isinstance(error, OAuthError) or not _is_for_programs():
        log.log(40 if error.status >= 500 else 30, "refused", kind=type(error).__name__, detail=error.detail)
    if _is_for_programs():
        return _json(error)
    return _page(error.status, error.description)


def answer_http_error(error: HTTPException) -> Response:
    """Werkzeug's own: no such address, wrong method, body too large."""
    status = error.code or 500
    if _is_for_programs():
        described = InvalidRequest(error.description or error.name)
        response = jsonify(error=described.code, error_description=described.wire_description)
        response.status_code = status
    else:
        response = _page(status, "Check the address, or go back to the application that sent you here.")
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def answer_unexpected_error(error: Exception) -> Response:
    """A fault of ours: the log has all of it, the answer nothing."""
    log.error("unexpected_error", exc_info=error)
    return answer_bridge_error(BridgeError(detail=type(error).__name__))


def _is_for_programs() -> bool:
    if request.blueprint is not None:
        return request.blueprint in ("api", "health")
    return "text/html" not in request.headers.get("Accept", "")  # browsers always ask for it


def _page(status: int, description: str) -> Response:
    title = TITLES.get(status, TITLES[400 if status < 500 else 500])
    page = render_template("error.html", title=title, description=description, request_id=g.request_id)
    return make_response(page, status)


def _json(error: BridgeError) -> Response:
    body = {"error": error.code, "error_description": error.wire_description} if error.code else {}
    response = jsonify(body)
    response.status_code = error.status
    if request.endpoint == "api.userinfo":  # RFC 6750 §3: the code goes into the challenge as well
        facts = [f'{name}="{value}"' for name, value in body.items()]
        response.headers["WWW-Authenticate"] = ", ".join(['Bearer realm="passerelle"', *facts])
    elif isinstance(error, InvalidClient):
        response.headers["WWW-Authenticate"] = 'Basic realm="passerelle", charset="UTF-8"'
    return response
