"""The browser's way: authorization endpoint → CAS → callback → back to the application."""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from bridge.cas.attributes import identity_from
from bridge.cas.protocol import check_ticket, login_url, service_url, ticket_fingerprint
from bridge.errors import LoginNotContinued, SignInDenied, TicketRefused
from bridge.identity import Identity
from bridge.oauth import AuthorizationRequest
from bridge.store import PendingLogin, Session, fingerprint
from bridge.web import cookies
from bridge.web.context import Bridge, current_bridge
from bridge.web.redirects import see_other

LOGIN_ATTEMPTS = 2  # a spent ticket (reload, back button) is ordinary: start over once, then say so

blueprint = Blueprint("login", __name__)
log = structlog.get_logger()


@blueprint.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Authorization endpoint, RFC 6749 §3.1; GET and POST alike (OIDC Core §3.1.2.1)."""
    bridge = current_bridge()
    parameters = request.form if request.method == "POST" else request.args
    authorization = bridge.provider.check_request(parameters.items(multi=True))
    session = bridge.provider.sufficient_session(authorization, cookies.current_session(request, bridge))
    if session is None:
        return _send_to_cas(bridge, authorization, attempt=1)
    log.info("code_issued", client=authorization.client_id, subject=session.identity.subject)
    return see_other(bridge.provider.issue_code(authorization, session))


@blueprint.get("/cas/callback")
def callback() -> Response:
    """Where CAS sends the browser back, with a ticket."""
    if request.method == "HEAD":  # comes with every GET route; whoever only looks must not spend the ticket
        raise MethodNotAllowed(["GET"])
    bridge = current_bridge()
    ticket = check_ticket(request.args.getlist("ticket"))
    browser = cookies.browser_id(request, bridge)
    states = request.args.getlist("state")
    if browser is None or len(states) != 1:
        raise LoginNotContinued(detail="no login cookie" if len(states) == 1 else "not exactly one state")
    state_hash, browser_hash = fingerprint(states[0]), fingerprint(browser)
    # Taken before CAS is asked: some servers accept a ticket twice when they are asked twice at once.
    login = bridge.store.claim_pending_login(
        state_hash, browser_hash=browser_hash, ticket_hash=fingerprint(ticket), now=bridge.now()
    )
    if login is None:
        return _continue_elsewhere(bridge, state_hash, browser_hash)
    authorization = AuthorizationRequest.from_json(login.request)
    bridge.provider.check_still_registered(authorization)
    try:
        identity = _identity(bridge, login, ticket)
    except TicketRefused as error:
        if login.attempt >= LOGIN_ATTEMPTS:
            raise
        log.info("login_restarted", client=authorization.client_id, detail=error.detail)
        return _send_to_cas(bridge, authorization, attempt=login.attempt + 1)
    except SignInDenied as error:
        log.warning("sign_in_denied", client=authorization.client_id, detail=error.detail)
        raise bridge.provider.refuse(authorization, error.code, error.wire_description) from None
    return _sign_in(bridge, authorization, identity, ticket)


def _identity(bridge: Bridge, login: PendingLogin, ticket: str) -> Identity:
    validated = bridge.cas.validate(login.service, ticket, renew=login.renew)
    return identity_from(validated.user, validated.attributes, bridge.attribute_rules)


def _sign_in(bridge: Bridge, authorization: AuthorizationRequest, identity: Identity, ticket: str) -> Response:
    session_id, now = bridge.new_secret(), bridge.now()
    session = Session(
        session_hash=fingerprint(session_id),
        identity=identity,
        ticket_hash=fingerprint(ticket),
        auth_time=now if identity.auth_time is None else min(identity.auth_time, now),
        expires_at=now + bridge.session_lifetime,
    )
    bridge.store.save_session(session)
    response = see_other(bridge.provider.issue_code(authorization, session))
    cookies.sign_in(response, bridge, session_id)
    log.info(
        "signed_in",
        client=authorization.client_id,
        subject=identity.subject,
        ticket=ticket_fingerprint(ticket),
    )
    return response


def _send_to_cas(bridge: Bridge, authorization: AuthorizationRequest, *, attempt: int) -> Response:
    state = bridge.new_secret()
    browser = cookies.browser_id(request, bridge) or bridge.new_secret()
    service = service_url(bridge.issuer, state)
    renew = bridge.provider.wants_new_login(authorization)
    bridge.store.save_pending_login(
        PendingLogin(
            state_hash=fingerprint(state),
            browser_hash=fingerprint(browser),
            service=service,
            request=authorization.to_json(),
            renew=renew,
            attempt=attempt,
            expires_at=bridge.now() + cookies.LOGIN_LIFETIME_SECONDS,
        )
    )
    response = see_other(login_url(bridge.cas_url, service, renew=renew))
    cookies.remember_browser(response, bridge, browser)
    return response


def _continue_elsewhere(bridge: Bridge, state_hash: str, browser_hash: str) -> Response:
    """A callback that was used before, or came too late.

    A signed-in browser that reloads the page, or goes back to it, is sent through the authorization endpoint
    again, which decides afresh; the ticket is of no use any more. Anybody else is refused.
    """
    login = bridge.store.find_pending_login(state_hash, browser_hash=browser_hash)
    if login is None or cookies.current_session(request, bridge) is None:
        raise LoginNotContinued(detail="unknown, taken or expired login" if login is None else "login taken before")
    authorization = AuthorizationRequest.from_json(login.request)
    return see_other(f"{bridge.issuer}/authorize?{urlencode(authorization.to_parameters())}")
