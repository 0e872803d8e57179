"""The consent page (OIDC Core §3.1.2.4)."""

import structlog
from flask import Blueprint, Response, render_template, request

from bridge.errors import LoginNotFound
from bridge.oauth import authorization_endpoint as endpoint
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.authorization_checks import refused
from bridge.oauth.clients import Client
from bridge.store import Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.responses import authorization_response, form_action_source, restart_authorization, with_form_policy

blueprint = Blueprint("consent", __name__)
log = structlog.get_logger()


def consent_page(
    context: AppContext, authorization: AuthorizationRequest, client: Client, session: Session
) -> Response:
    """Return the page. Its form holds the request and a token for exactly this request, so nothing is stored."""
    request_json = authorization.to_json()
    page = render_template(
        "consent.html",
        client=client,
        identity=session.identity,
        scopes=endpoint.consent_scopes(authorization, client),
        redirect_uri=authorization.redirect_uri,
        is_program=endpoint.is_unverified_program(authorization, client),
        request_json=request_json,
        ui_locales=authorization.ui_locales,
        token=cookies.form_token(context, session, f"consent to {request_json}"),
    )
    sources = [form_action_source(uri) for uri in (authorization.redirect_uri, context.endpoints.login)]
    return with_form_policy(page, "'self'", *sources)


@blueprint.post("/consent")
def consent() -> Response:
    """Store the user's decision, and check again what the session must satisfy: it may have become too old."""
    context = current_context()
    provider = context.provider
    session = cookies.current_session(request, context)
    if session is None:
        raise LoginNotFound(detail="consent without a session")
    request_json = request.form.get("request", "")
    cookies.check_form_token(context, session, f"consent to {request_json}", request.form.get("form_token"))
    authorization = AuthorizationRequest.from_json(request_json)
    client = endpoint.check_still_registered(provider, authorization)
    endpoint.check_access(provider, authorization, client, session)
    subject, agreed = session.identity.subject, request.form.get("decision") == "allow"
    log.info("consent", client=client.client_id, subject=subject, agreed=agreed)
    if not agreed:
        raise refused(provider.issuer, authorization, "access_denied", "The user denied consent.")
    scope = " ".join(endpoint.consent_scopes(authorization, client))
    if not endpoint.is_unverified_program(authorization, client):
        provider.store.grants.add_consent(client.client_id, subject, scope, now=provider.now())
    if not endpoint.remains_sufficient(provider, authorization, client, session):
        return restart_authorization(context, authorization)
    parameters = endpoint.issue_code(provider, authorization, session)
    return authorization_response(authorization.redirect_uri, parameters, authorization.response_mode)
