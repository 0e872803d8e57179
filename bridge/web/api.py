"""The endpoints for clients: every response is JSON, errors included."""

from collections.abc import Iterable
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request

from bridge.errors.oauth import InvalidRequest, OAuthError, TokenReused
from bridge.oauth import endpoints
from bridge.web.context import current_context
from bridge.web.operations import grant_type_label
from bridge.web.rate_limits import limit_bad_tokens, limit_secret_guesses

PUBLIC_DOCUMENT_SECONDS = 3600

blueprint = Blueprint("api", __name__)
log = structlog.get_logger()


@blueprint.post("/token")
@limit_secret_guesses
def token() -> Response:
    """Serve the token endpoint (RFC 6749 §3.2). Query parameters are ignored."""
    context = current_context()
    try:
        client, answer = endpoints.token(context.provider, *_form())
    except OAuthError as error:
        if isinstance(error, TokenReused):
            log.warning("reuse_detected", what=error.what, client=error.client_id, subject=error.subject)
        detail = error.detail or error.wire_description
        log.warning("token_refused", grant_type=grant_type_label(), error=error.code, detail=detail)
        context.metrics.token_responses.labels(grant_type_label(), error.code).inc()
        raise
    context.metrics.token_responses.labels(grant_type_label(), "issued").inc()
    log.info("token_issued", client=client, grant_type=grant_type_label(), scope=answer.get("scope", ""))
    return jsonify(answer)


@blueprint.route("/userinfo", methods=["GET", "POST"])
@limit_bad_tokens
def userinfo() -> Response:
    """Serve the userinfo endpoint (OIDC Core §5.3): token in the header, or in the body of a POST."""
    body = request.form.items(multi=True) if request.method == "POST" else ()
    return jsonify(endpoints.userinfo(current_context().provider, body, request.headers.get("Authorization")))


@blueprint.get("/userdata")
@limit_bad_tokens
def userdata() -> Response:
    """Return the user name, as the predecessor did (docs/decisions/0006)."""
    name = endpoints.username(current_context().provider, request.headers.get("Authorization"))
    return jsonify(username=name)


@blueprint.post("/introspect")
@limit_secret_guesses
def introspect() -> Response:
    """Serve the introspection endpoint (RFC 7662)."""
    answer = endpoints.introspection(current_context().provider, *_form())
    log.info("introspected", active=answer["active"])
    return jsonify(answer)


@blueprint.post("/revoke")
@limit_secret_guesses
def revoke() -> Response:
    """Serve the revocation endpoint (RFC 7009)."""
    log.info("revoked", client=endpoints.revocation(current_context().provider, *_form()))
    return Response(status=200)


@blueprint.get("/.well-known/openid-configuration")
@blueprint.get("/.well-known/oauth-authorization-server")
def metadata() -> Response:
    """Return the provider metadata (OIDC Discovery §4, RFC 8414 §3)."""
    return _public(endpoints.provider_metadata(current_context().provider.issuer))


@blueprint.get("/.well-known/jwks.json")
def jwks() -> Response:
    """Return the public keys (RFC 7517 §5)."""
    return _public(current_context().provider.keys.jwks())


def _form() -> tuple[Iterable[tuple[str, str]], str | None]:
    """Return the parameters of the body, and the Authorization header."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise InvalidRequest("Send the parameters in a body of type application/x-www-form-urlencoded.")
    return request.form.items(multi=True), request.headers.get("Authorization")


def _public(document: dict[str, Any]) -> Response:
    """Return a document that caches may keep."""
    response = jsonify(document)
    response.headers["Cache-Control"] = f"public, max-age={PUBLIC_DOCUMENT_SECONDS}"
    return response
