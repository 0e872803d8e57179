"""The browser's way: authorization endpoint → CAS → callback → back to the application."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, after_this_request, request
from werkzeug.exceptions import MethodNotAllowed

from bridge.cas.attributes import build_identity
from bridge.cas.protocol import check_ticket, ticket_fingerprint
from bridge.errors import AuthorizationRejected, LoginNotFound, SignInDenied, TicketRejected, UpstreamError
from bridge.identity import Identity
from bridge.log import bind_log_context
from bridge.oauth import authorization_endpoint as endpoint
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.logout import end_session
from bridge.store import AlreadyConsumed, Consumed, ExpiredLogin, PendingLogin, Session, UnknownLogin, fingerprint
from bridge.web import cookies
from bridge.web.callback_context import CallbackContext, returning, service_of
from bridge.web.consent import ask_for_consent
from bridge.web.context import AppContext, current_context
from bridge.web.operations import validation
from bridge.web.pages import prefer_languages
from bridge.web.rate_limit_decorators import bad_callbacks_limited
from bridge.web.responses import answer_client, see_other
from bridge.web.single_logout import front_channel

LOGIN_ATTEMPTS = 2  # a spent ticket (reload, back button) is ordinary: start over once, then say so

blueprint = Blueprint("login", __name__)
log = structlog.get_logger()


@blueprint.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Authorization endpoint, RFC 6749 §3.1; GET and POST alike (OIDC Core §3.1.2.1)."""
    context = current_context()
    parameters = request.form if request.method == "POST" else request.args
    authorization = endpoint.check_request(context.provider, parameters.items(multi=True))
    current = cookies.current_session(request, context)
    session = endpoint.reusable_session(context.provider, authorization, current)
    if session is None:
        return send_to_cas(context, authorization, attempt=1)
    client = endpoint.check_still_registered(context.provider, authorization)
    return answer_with(context, authorization, client, session)


@blueprint.get("/cas/callback")
@bad_callbacks_limited
def callback() -> Response:
    """Where CAS sends the browser back: with a ticket, or without one when it was told to ask nothing."""
    if "logoutRequest" in request.args:  # CAS knows no other address of ours, and sends this one by the browser
        return front_channel()
    if request.method == "HEAD":  # comes with every GET route; whoever only looks must not spend the ticket
        raise MethodNotAllowed(["GET"])
    context = current_context()
    browser = returning(context)
    if "ticket" not in request.args:
        return _gateway_denied(context, browser)
    ticket = check_ticket(request.args.getlist("ticket"))
    # Taken before CAS is asked: some servers accept a ticket twice when they are asked twice at once.
    result = browser.consume_pending_login(fingerprint(ticket))
    if not isinstance(result, Consumed):
        return _restart_authorization(context, result)
    login = result.login
    authorization = AuthorizationRequest.from_json(login.request)
    prefer_languages(authorization.ui_locales)
    if cookies.wants_new_login(request, context) and not login.renew:
        # Signed out while this tab was at CAS: what CAS remembers does not count any more.
        return send_to_cas(context, authorization, attempt=login.attempt)
    client = endpoint.check_still_registered(context.provider, authorization)
    try:
        session = _sign_in(context, login, _identity(context, login, ticket), ticket)
    except (TicketRejected, UpstreamError) as error:
        if isinstance(error, TicketRejected) and login.attempt < LOGIN_ATTEMPTS:
            log.info("login_restarted", client=authorization.client_id, detail=error.detail)
            return send_to_cas(context, authorization, attempt=login.attempt + 1)
        if "none" not in authorization.prompt:
            raise
        raise _prompt_none_error(context, authorization, error) from None
    except SignInDenied as error:
        log.warning("sign_in_denied", client=authorization.client_id, detail=error.detail)
        raise endpoint.refused(context.provider, authorization, error.code, error.wire_description) from None
    subject = session.identity.subject
    log.info("signed_in", client=authorization.client_id, subject=subject, ticket=ticket_fingerprint(ticket))
    endpoint.check_session_matches_request(context.provider, authorization, session)
    return answer_with(context, authorization, client, session)


def answer_with(context: AppContext, authorization: AuthorizationRequest, client: Client, session: Session) -> Response:
    """The end of every successful way: may this user, have they agreed, then a code."""
    bind_log_context(subject=session.identity.subject)
    endpoint.check_access(context.provider, authorization, client, session)
    if endpoint.needs_consent(context.provider, authorization, client, session):
        return ask_for_consent(context, authorization, client, session)
    log.info("code_issued", client=client.client_id, subject=session.identity.subject, scope=authorization.scope)
    return answer_client(endpoint.issue_code(context.provider, authorization, session))


def send_to_cas(context: AppContext, authorization: AuthorizationRequest, *, attempt: int) -> Response:
    """Keep the request, and let CAS find out who this is."""
    state = context.new_secret()
    browser = cookies.browser_id(request, context) or context.new_secret()
    service = service_of(context, state)
    renew = endpoint.wants_new_login(authorization) or cookies.wants_new_login(request, context)
    gateway = "none" in authorization.prompt and not renew
    if "none" in authorization.prompt and renew:
        description = "The session is too old, and prompt=none forbids asking for the password."
        raise endpoint.refused(context.provider, authorization, "login_required", description)
    now = context.now()
    context.store.pending_logins.save(
        PendingLogin(
            state_hash=fingerprint(state),
            browser_hash=fingerprint(browser),
            service=service,
            request=authorization.to_json(),
            renew=renew,
            gateway=gateway,
            attempt=attempt,
            created_at=now,
            expires_at=now + cookies.LOGIN_LIFETIME_SECONDS,
        )
    )
    locale = (authorization.ui_locales or "").split(" ")[0]
    response = see_other(context.addresses.login_url(service, renew=renew, gateway=gateway, locale=locale or None))
    cookies.remember_browser(response, context, browser)
    return response


def _gateway_denied(context: AppContext, browser: CallbackContext) -> Response:
    """CAS was told to ask nothing (gateway), and has nothing to tell. An answer, never a reason to ask again."""
    login = browser.consume_gateway_login()
    if login is None:
        check_ticket([])
        raise LoginNotFound(detail="no ticket")
    authorization = AuthorizationRequest.from_json(login.request)
    endpoint.check_still_registered(context.provider, authorization)
    description = "Nobody is signed in, and prompt=none forbids asking."
    raise endpoint.refused(context.provider, authorization, "login_required", description)


def _prompt_none_error(
    context: AppContext, authorization: AuthorizationRequest, error: TicketRejected | UpstreamError
) -> AuthorizationRejected:
    """With prompt=none there is nobody to read a page, and an application that waits (OIDC Core §3.1.2.6)."""
    log.error("sign_in_failed", client=authorization.client_id, kind=type(error).__name__, detail=error.detail)
    code = "login_required" if isinstance(error, TicketRejected) else error.code
    return endpoint.refused(context.provider, authorization, code, error.wire_description)


def _identity(context: AppContext, login: PendingLogin, ticket: str) -> Identity:
    with validation(context):
        renew_since = login.created_at if login.renew else None
        validated = context.cas.validate(login.service, ticket, renew_since=renew_since)
        return build_identity(validated.user, validated.attributes, context.claim_rules)


def _sign_in(context: AppContext, login: PendingLogin, identity: Identity, ticket: str) -> Session:
    """The session. Its cookie, always a fresh one (session fixation), goes out with whatever is answered now."""
    cookie, now = context.new_secret(), context.now()
    current = cookies.current_session(request, context)
    same_user = current is not None and current.identity.subject == identity.subject
    session = Session(
        sid=current.sid if current is not None and same_user else context.new_secret(),
        cookie_hash=fingerprint(cookie),
        identity=replace(identity, as_of=now),
        auth_time=_auth_time(identity, now, renewed=login.renew),
        created_at=now,
        expires_at=now + context.session_lifetime_seconds,
        browser_hash=login.browser_hash,
    )
    if current is not None and not same_user:  # somebody else at the same browser: their session is over
        end_session(context.provider, current.sid)
    ticket_hash = fingerprint(ticket)
    if not (same_user and context.store.sessions.renew(session, ticket_hash=ticket_hash)):
        if same_user:  # CAS, or the user in another tab, has ended it this very moment
            session = replace(session, sid=context.new_secret())
        if not context.store.sessions.begin(session, ticket_hash=ticket_hash):
            raise TicketRejected(detail="CAS ended its session while the ticket was validated")
    after_this_request(lambda response: cookies.signed_in(response, context, cookie))
    return session


def _auth_time(identity: Identity, now: int, *, renewed: bool) -> int | None:
    """When the user proved who they are: as CAS says, or now if CAS has just asked, else nobody knows."""
    if identity.auth_time is not None:
        return min(identity.auth_time, now)
    return now if renewed or identity.is_new_login else None


def _restart_authorization(context: AppContext, refusal: AlreadyConsumed | ExpiredLogin | UnknownLogin) -> Response:
    """Send a signed-in browser back to the authorization endpoint, because its login cannot be consumed.

    This happens when the user reloads the callback or goes back to it. The ticket is worthless then.

    Raises:
        LoginNotFound: the login is unknown, or the browser has no session.
    """
    if isinstance(refusal, UnknownLogin):
        raise LoginNotFound(detail="unknown login")
    if cookies.current_session(request, context) is None:
        reason = "expired" if isinstance(refusal, ExpiredLogin) else "was consumed before"
        raise LoginNotFound(detail=f"the login {reason}, and the browser has no session")
    authorization = AuthorizationRequest.from_json(refusal.login.request)
    return see_other(f"{context.issuer}/authorize?{urlencode(authorization.to_parameters())}")
