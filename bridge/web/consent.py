"""Asking the user whether an application may have what it asks for (OIDC Core §3.1.2.4)."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, make_response, render_template, request

from bridge.errors import LoginNotFound
from bridge.oauth import authorization_endpoint as endpoint
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.store import Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.forms import check_form_token, form_token
from bridge.web.responses import answer_client, content_security_policy, source_of

blueprint = Blueprint("consent", __name__)
log = structlog.get_logger()


def ask_for_consent(
    context: AppContext, authorization: AuthorizationRequest, client: Client, session: Session
) -> Response:
    """The page. The request travels in the form and is checked again when it comes back: nothing is stored."""
    page = render_template(
        "consent.html",
        client=client,
        identity=session.identity,
        scopes=endpoint.scopes_to_agree_to(authorization, client),
        parameters=authorization.to_parameters(),
        token=form_token(context, session, "consent"),
    )
    response = make_response(page)
    allowed = f"'self' {source_of(authorization.redirect_uri)}"
    response.headers["Content-Security-Policy"] = content_security_policy(form_action=allowed)
    return response


@blueprint.post("/consent")
def consent() -> Response:
    """The user's answer."""
    context = current_context()
    session = cookies.current_session(request, context)
    if session is None:
        raise LoginNotFound(detail="consent without a session")
    check_form_token(context, session, "consent", request.form.get("form_token"))
    sent = [(name, value) for name, value in request.form.items(multi=True) if name not in ("form_token", "decision")]
    authorization = endpoint.check_request(context.provider, sent)
    client = endpoint.check_still_registered(context.provider, authorization)
    endpoint.check_access(context.provider, authorization, client, session)
    agreed = request.form.get("decision") == "allow"
    log.info("consent", client=client.client_id, subject=session.identity.subject, agreed=agreed)
    if not agreed:
        description = "The user does not want to share this with the application."
        raise endpoint.refused(context.provider, authorization, "access_denied", description)
    context.store.grants.remember_consent(
        client.client_id,
        session.identity.subject,
        " ".join(endpoint.scopes_to_agree_to(authorization, client)),
        now=context.now(),
    )
    return answer_client(endpoint.issue_code(context.provider, authorization, session))
