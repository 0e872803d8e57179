"""Sign-in: authorization endpoint → CAS → callback → application."""

from dataclasses import replace

import structlog
from flask import Blueprint, Response, after_this_request, g, request
from werkzeug.exceptions import MethodNotAllowed

from bridge.cas.attributes import build_identity, printed_lists
from bridge.cas.logout_request import FRONT_CHANNEL_PARAMETERS
from bridge.cas.protocol import CALLBACK_PATH, check_ticket, service_url, ticket_fingerprint
from bridge.errors import LoginNotFound, SignInDenied, TicketRejected, UpstreamBusy, UpstreamError
from bridge.errors.oauth import AuthorizationRejected
from bridge.identity import Identity
from bridge.log import bind_log_context
from bridge.oauth import authorization_endpoint as endpoint
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.authorization_checks import check_authorization_request, refused
from bridge.oauth.clients import Client
from bridge.oauth.logout import end_session
from bridge.store import (
    AlreadyConsumed,
    Consumed,
    ExpiredLogin,
    PendingLogin,
    Session,
    UnknownLogin,
    UserName,
    fingerprint,
)
from bridge.web import cookies
from bridge.web.callback_context import CallbackContext, callback_context
from bridge.web.consent import consent_page
from bridge.web.context import AppContext, current_context
from bridge.web.operations import measure_validation
from bridge.web.pages import set_ui_locales
from bridge.web.rate_limits import limit_bad_callbacks, limit_rejected_tickets
from bridge.web.responses import RawRedirect, authorization_response, restart_authorization
from bridge.web.single_logout import front_channel
from passerelle_common.i18n import gettext_noop

NAME_CONFLICT = gettext_noop(
    "Another person already uses this name here, spelled with other capital letters. "
    "Sign in with your name as your institution writes it, or tell the administrator."
)
LOGIN_ATTEMPTS = 2  # a reload or the back button sends a used ticket: restart the login once
# Set in the WSGI environment of a callback if too many others wait for CAS.
CAS_IS_BUSY = "passerelle.cas_is_busy"
# A function in the WSGI environment, called before the thread of a request waits for CAS.
ASKS_CAS = "passerelle.asks_cas"

blueprint = Blueprint("login", __name__)
log = structlog.get_logger()


@blueprint.route("/login", endpoint="legacy_authorize", methods=["GET", "POST"])  # docs/decisions/0006
@blueprint.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Serve the authorization endpoint (RFC 6749 §3.1), by GET or POST (OIDC Core §3.1.2.1).

    The path of the predecessor leads to the same checks.
    """
    context = current_context()
    parameters = request.form if request.method == "POST" else request.args
    provider = context.provider
    pairs = parameters.items(multi=True)
    authorization, client = check_authorization_request(pairs, provider.clients, issuer=provider.issuer)
    current = cookies.current_session(request, context)
    session = endpoint.reusable_session(provider, authorization, client, current)
    if session is None:
        return redirect_to_cas(context, authorization, attempt=1)
    return respond(context, authorization, client, session)


@blueprint.get(CALLBACK_PATH)
@limit_bad_callbacks
def callback() -> Response:
    """Serve the service URL: CAS redirects here with a ticket, or without one after `gateway`."""
    if any(
        name in request.args for name in FRONT_CHANNEL_PARAMETERS
    ):  # CAS knows only the service URL, and uses it for front-channel logout
        return front_channel()
    if request.method == "HEAD":  # link previews must not consume the ticket
        raise MethodNotAllowed(["GET"])
    context = current_context()
    browser = callback_context(context)
    if "ticket" not in request.args:
        raise _gateway_denied(context, browser)
    ticket = check_ticket(request.args.getlist("ticket"))
    # Consumed before CAS validates the ticket, because some servers accept one twice in concurrent requests.
    result = browser.consume_pending_login(fingerprint(ticket))
    if not isinstance(result, Consumed):
        return _repeat_login(context, result)
    login = result.login
    authorization = AuthorizationRequest.from_json(login.request)
    set_ui_locales(authorization.ui_locales)
    if cookies.new_login_required(request, context) and not login.renew:
        # The user signed out while this tab was at CAS: the CAS session does not count any more.
        return redirect_to_cas(context, authorization, attempt=login.attempt)
    client = endpoint.check_still_registered(context.provider, authorization)
    try:
        session = _sign_in(context, login, _validate(context, login, ticket), ticket)
    except (TicketRejected, UpstreamError) as error:
        if isinstance(error, TicketRejected) and login.attempt < LOGIN_ATTEMPTS:
            log.info("login_restarted", client=client.client_id, detail=error.detail)
            return redirect_to_cas(context, authorization, attempt=login.attempt + 1)
        if "none" not in authorization.prompt:
            g.retry_url = restart_authorization(context, authorization).location
            raise
        raise _prompt_none_error(context, authorization, error) from None
    except SignInDenied as error:
        log.warning("sign_in_denied", client=client.client_id, detail=error.detail)
        raise refused(context.provider.issuer, authorization, error.code, error.wire_description) from None
    subject = session.identity.subject
    log.info("signed_in", client=client.client_id, subject=subject, ticket=ticket_fingerprint(ticket))
    endpoint.check_session_matches_request(context.provider, authorization, client, session)
    return respond(context, authorization, client, session)


def respond(context: AppContext, authorization: AuthorizationRequest, client: Client, session: Session) -> Response:
    """Check access and consent, then return a code to the client."""
    subject = session.identity.subject
    bind_log_context(subject=subject)
    endpoint.check_access(context.provider, authorization, client, session)
    if endpoint.needs_consent(context.provider, authorization, client, session):
        return consent_page(context, authorization, client, session)
    log.info("code_issued", client=client.client_id, subject=subject, scope=authorization.scope)
    parameters = endpoint.issue_code(context.provider, authorization, session)
    return authorization_response(authorization.redirect_uri, parameters, authorization.response_mode)


def redirect_to_cas(context: AppContext, authorization: AuthorizationRequest, *, attempt: int) -> Response:
    """Store the request as a pending login, and redirect to the login page of CAS."""
    provider = context.provider
    state = provider.new_secret()
    known = cookies.browser_ids(request, context)
    browser = known[0] if known else provider.new_secret()
    service = service_url(provider.issuer, state if context.settings.cas_service_state == "query" else None)
    renew = endpoint.requires_new_login(authorization) or cookies.new_login_required(request, context)
    gateway = "none" in authorization.prompt and not renew
    if "none" in authorization.prompt and renew:
        description = "The session is too old, and prompt=none forbids a login page."
        raise refused(provider.issuer, authorization, "login_required", description)
    now = provider.now()
    discarded = provider.store.pending_logins.save(
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
    if discarded:
        log.warning("pending_logins_discarded", number=discarded)
    locale = (authorization.ui_locales or "").split(" ")[0]
    response = RawRedirect(context.endpoints.login_url(service, renew=renew, gateway=gateway, locale=locale or None))
    cookies.set_browser_id(response, context, browser, tab=None if known else fingerprint(state))
    return response


def _gateway_denied(context: AppContext, browser: CallbackContext) -> AuthorizationRejected:
    """Return login_required: CAS has no session, and `gateway` forbids its login page. Never redirect to CAS again."""
    login = browser.consume_gateway_login()
    if login is None:
        check_ticket([])
        raise LoginNotFound(detail="no ticket")
    authorization = AuthorizationRequest.from_json(login.request)
    endpoint.check_still_registered(context.provider, authorization)
    description = "The user is not signed in, and prompt=none forbids a login page."
    return refused(context.provider.issuer, authorization, "login_required", description)


def _prompt_none_error(
    context: AppContext, authorization: AuthorizationRequest, error: TicketRejected | UpstreamError
) -> AuthorizationRejected:
    """Return an error to the client, because prompt=none allows no page (OIDC Core §3.1.2.6)."""
    log.error("sign_in_failed", client=authorization.client_id, kind=type(error).__name__, detail=error.detail)
    code = "login_required" if isinstance(error, TicketRejected) else error.code
    return refused(context.provider.issuer, authorization, code, error.wire_description)


def _validate(context: AppContext, login: PendingLogin, ticket: str) -> Identity:
    with limit_rejected_tickets(), measure_validation(context):
        if CAS_IS_BUSY in request.environ:
            raise UpstreamBusy(detail="not sent, because too many requests wait for CAS")
        request.environ.get(ASKS_CAS, _no_server)()
        renew_since = login.created_at if login.renew else None
        validated = context.cas.validate(login.service, ticket, renew_since=renew_since)
        for name in printed_lists(validated.attributes, context.settings):
            log.warning("attribute_ignored", attribute=name, detail="a list in one string")
        identity = build_identity(validated.user, validated.attributes, context.settings)
    return _with_stored_subject(context, validated.user, identity)


def _no_server() -> None:
    """Replace ASKS_CAS in tests without a server."""


def _with_stored_subject(context: AppContext, user: str, identity: Identity) -> Identity:
    """Return the identity with the subject of its first sign-in, whatever the case of the name (decision 15).

    Raises:
        SignInDenied: If the name, in another spelling, belongs to another person.
    """
    if context.settings.username_case == "keep" or context.settings.subject_attribute is not None:
        return identity

    def hashed(value: str | None) -> str | None:
        return value and fingerprint(context.provider.derived_secret("person", value.casefold()))

    current = UserName(
        name=user.lower(),
        subject=identity.subject,
        spelling=user,
        email_hash=hashed(identity.email),
        full_name_hash=hashed(identity.name),
    )
    stored = context.provider.store.user_names.record(current)
    if not stored.is_same_person(current):
        raise SignInDenied(
            NAME_CONFLICT, detail=f"the name {user!r} is stored as {stored.spelling!r}, of another person"
        )
    return replace(identity, subject=stored.subject)


def _sign_in(context: AppContext, login: PendingLogin, identity: Identity, ticket: str) -> Session:
    """Begin or renew the session. Its cookie is always a fresh one (session fixation)."""
    provider = context.provider
    cookie, now = provider.new_secret(), provider.now()
    current = cookies.current_session(request, context)
    if current is not None and current.identity.subject != identity.subject:
        end_session(provider, current.sid)
        current = None
    session = Session(
        sid=provider.new_secret() if current is None else current.sid,
        cookie_hash=fingerprint(cookie),
        identity=replace(identity, as_of=now),
        auth_time=_auth_time(identity, now, renewed=login.renew, known=None if current is None else current.auth_time),
        created_at=now,
        expires_at=now + context.settings.session_lifetime_seconds,
        browser_hash=login.browser_hash,
    )
    ticket_hash = fingerprint(ticket)
    if current is None or not provider.store.sessions.renew(session, ticket_hash=ticket_hash):
        if current is not None:  # ended concurrently, by CAS or in another tab
            session = replace(session, sid=provider.new_secret())
        if not provider.store.sessions.begin(session, ticket_hash=ticket_hash):
            raise TicketRejected(detail="CAS ended its session while the ticket was validated")
    after_this_request(lambda response: cookies.set_session(response, context, cookie))
    return session


def _auth_time(identity: Identity, now: int, *, renewed: bool, known: int | None) -> int | None:
    """Return the time of the login, which may not be before the `known` one of the session; None if unknown.

    After a forced login it is now: the clock of CAS may be slow, and a client that checks `max_age` would start again.
    """
    if renewed:
        return now
    reported = identity.auth_time if identity.auth_time is not None or not identity.is_new_login else now
    return max((min(time, now) for time in (reported, known) if time is not None), default=None)


def _repeat_login(context: AppContext, refusal: AlreadyConsumed | ExpiredLogin | UnknownLogin) -> Response:
    """Send a browser with a session to the authorization endpoint again, after a reload or the back button."""
    if isinstance(refusal, UnknownLogin):
        raise LoginNotFound(detail="unknown login")
    if cookies.current_session(request, context) is None:
        reason = "expired" if isinstance(refusal, ExpiredLogin) else "was consumed before"
        raise LoginNotFound(detail=f"the login {reason}, and the browser has no session")
    authorization = AuthorizationRequest.from_json(refusal.login.request)
    return restart_authorization(context, authorization)
