"""The account page: the user's identity, the applications with access, and the user's other sessions.

Each form revokes something, carries a token of this session, and redirects back with a 303. Forms for what does not
belong to the user change nothing.
"""

import structlog
from flask import Blueprint, Response, render_template, request

from bridge.oauth import authorization_endpoint as endpoint
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.logout import end_session
from bridge.store import ClientAccess, Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.responses import RawRedirect

END_ACCESS = "end access"
END_SESSION = "end session"
SIGN_OUT_EVERYWHERE = "sign out everywhere"

blueprint = Blueprint("account", __name__)
log = structlog.get_logger()


@blueprint.get("/")
def account() -> str:
    """Show the account page, or explain this address to a user without a session."""
    context = current_context()
    session = cookies.current_session(request, context)
    if session is None:
        return render_template("index.html")
    return render_template(
        "account.html",
        identity=session.identity,
        session=session,
        others=[other for other in _live_sessions(context, session) if other.sid != session.sid],
        access=_applications_with_access(context, session),
        end_access_token=cookies.form_token(context, session, END_ACCESS),
        end_session_token=cookies.form_token(context, session, END_SESSION),
        everywhere_token=cookies.form_token(context, session, SIGN_OUT_EVERYWHERE),
    )


@blueprint.post("/account/end-access")
def end_access() -> Response:
    """Revoke the grants of an application, and the user's consent."""
    context = current_context()
    session = _session_of_form(context, END_ACCESS)
    client_id = request.form.get("client_id", "")
    if session is not None and client_id.isprintable():
        subject, provider = session.identity.subject, context.provider
        revoked = provider.store.grants.revoke_client_of_subject(client_id, subject, now=provider.now())
        if revoked:  # otherwise the client_id may be any text
            log.info("access_ended", client=client_id, subject=subject, grants=revoked)
    return _redirect_to_account(context)


@blueprint.post("/account/end-session")
def end_other_session() -> Response:
    """Sign the user out in another browser."""
    context = current_context()
    session = _session_of_form(context, END_SESSION)
    if session is not None:
        sid = request.form.get("sid", "")
        own = {live.sid for live in _live_sessions(context, session)}
        ended = sid in own and end_session(context.provider, sid)
        shown = sid if sid in own else "unknown"
        log.info("session_ended_by_user", subject=session.identity.subject, sid=shown, ended=ended)
    return _redirect_to_account(context)


@blueprint.post("/account/sign-out-everywhere")
def sign_out_everywhere() -> Response:
    """End every session of the user, including this one."""
    context = current_context()
    session = _session_of_form(context, SIGN_OUT_EVERYWHERE)
    if session is not None:
        ended = sum(end_session(context.provider, live.sid) for live in _live_sessions(context, session))
        log.info("signed_out_everywhere", subject=session.identity.subject, sessions=ended)
    # This page explains how to sign out at CAS as well.
    response = RawRedirect(f"{context.provider.issuer}/logout")
    if session is not None:
        cookies.require_new_login(response, context)
    return response


def _live_sessions(context: AppContext, session: Session) -> list[Session]:
    return list(context.provider.store.sessions.list_by_subject(session.identity.subject, now=context.provider.now()))


def _applications_with_access(context: AppContext, session: Session) -> list[tuple[str, ClientAccess, list[str]]]:
    """Return the applications and all that they receive, by name; one no longer registered by its client_id."""
    provider = context.provider
    found = []
    for access in provider.store.grants.list_client_access(session.identity.subject, now=provider.now()):
        client = provider.clients.get(access.client_id)
        if client is None:
            found.append((access.client_id, access, access.scope.split()))
        else:
            requests = map(AuthorizationRequest.from_json, access.requests)
            received = (name for request in requests for name in endpoint.consent_scopes(request, client))
            found.append((client.client_name, access, list(dict.fromkeys(received))))
    return sorted(found, key=lambda named: named[0].casefold())


def _session_of_form(context: AppContext, purpose: str) -> Session | None:
    """Return the session that sent a form, or None if it has ended; reject forms of other pages."""
    session = cookies.current_session(request, context)
    if session is not None:
        cookies.check_form_token(context, session, purpose, request.form.get("form_token"))
    return session


def _redirect_to_account(context: AppContext) -> Response:
    """Redirect to the account page, so that a reload repeats nothing."""
    return RawRedirect(f"{context.provider.issuer}/")
