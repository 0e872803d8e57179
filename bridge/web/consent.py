"""The consent page (OIDC Core §3.1.2.4)."""

import structlog
from flask import Blueprint, Response, render_template, request

from bridge.errors import LoginNotFound
from bridge.oauth import authorization_endpoint as endpoint
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.authorization_checks import check_authorization_request, refused
from bridge.oauth.clients import Client
from bridge.store import Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.responses import authorization_response, form_action_source, with_form_policy

blueprint = Blueprint("consent", __name__)
log = structlog.get_logger()


def consent_page(
    context: AppContext, authorization: AuthorizationRequest, client: Client, session: Session
) -> Response:
    """Return the page. Its form holds the request, which is checked again when it is posted: nothing is stored."""
    page = render_template(
        "consent.html",
        client=client,
        identity=session.identity,
        scopes=endpoint.consent_scopes(authorization, client),
        redirect_uri=authorization.redirect_uri,
        parameters=authorization.to_parameters(),
        token=cookies.form_token(context, session, "consent"),
    )
    return with_form_policy(page, "'self'", form_action_source(authorization.redirect_uri))


@blueprint.post("/consent")
def consent() -> Response:
    """Store the user's decision."""
    context = current_context()
    provider = context.provider
    session = cookies.current_session(request, context)
    if session is None:
        raise LoginNotFound(detail="consent without a session")
    cookies.check_form_token(context, session, "consent", request.form.get("form_token"))
    sent = [(name, value) for name, value in request.form.items(multi=True) if name not in ("form_token", "decision")]
    authorization, client = check_authorization_request(sent, provider.clients, issuer=provider.issuer)
    endpoint.check_access(provider, authorization, client, session)
    subject, agreed = session.identity.subject, request.form.get("decision") == "allow"
    log.info("consent", client=client.client_id, subject=subject, agreed=agreed)
    if not agreed:
        raise refused(provider.issuer, authorization, "access_denied", "The user denied consent.")
    scope = " ".join(endpoint.consent_scopes(authorization, client))
    provider.store.grants.add_consent(client.client_id, subject, scope, now=provider.now())
    parameters = endpoint.issue_code(provider, authorization, session)
    return authorization_response(authorization.redirect_uri, parameters, authorization.response_mode)
