"""Signing out in the browser: asked for by an application (RP-Initiated Logout 1.0) or by the user.

What has to be done is done before the browser is sent on: nothing depends on CAS, or on a way back from it.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, make_response, render_template, request

from bridge.errors import InvalidFormToken
from bridge.oauth.authorization import in_query
from bridge.oauth.logout import (
    KNOWN_PARAMETERS,
    LogoutRequest,
    check_logout_request,
    end_session,
    is_of_session,
)
from bridge.store import Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.forms import check_form_token, form_token
from bridge.web.responses import content_security_policy, see_other, source_of

SIGN_OUT = "sign out"

blueprint = Blueprint("logout", __name__)
log = structlog.get_logger()


@blueprint.route("/logout", methods=["GET", "POST"])
def logout() -> Response:
    """End session endpoint, §2; GET and POST alike. Without anything, it is where a person signs out by hand."""
    context = current_context()
    sent = request.form if request.method == "POST" else request.args
    wanted = check_logout_request(context.provider, sent.items(multi=True))
    session = cookies.current_session(request, context)
    if session is None:
        return _send_again() if _came_without_cookies() else _gateway_denied(context, wanted)
    if not (is_of_session(context.provider, wanted, session) or _user_agreed(context, session)):
        return _ask(context, wanted, session)
    end_session(context.provider, session.sid)
    client_id = None if wanted.client is None else wanted.client.client_id
    log.info("signed_out", client=client_id, subject=session.identity.subject)
    response = see_other(_where_next(context, wanted))
    cookies.sign_out(response, context)
    if context.cas_logout == "chain" and wanted.return_url is not None:
        cookies.want_new_login(response, context)
    return response


@blueprint.get("/logout/done")
def done() -> Response:
    """After everything, and the way back from CAS. The address is checked as if it came for the first time."""
    context = current_context()
    wanted = check_logout_request(context.provider, request.args.items(multi=True))
    if wanted.return_url is not None:
        return see_other(wanted.return_url)
    return _signed_out_page(context, came_from_cas=context.cas_logout == "return")


def _where_next(context: AppContext, wanted: LogoutRequest) -> str:
    """To CAS wherever that strands nobody: see docs/decisions/0005."""
    parameters = wanted.to_parameters()
    back = f"{context.issuer}/logout/done"
    back = in_query(back, parameters) if parameters else back
    if context.cas_logout == "return":
        return context.addresses.logout_url(back)
    if wanted.return_url is not None:
        return wanted.return_url
    return context.addresses.logout_url() if context.cas_logout == "chain" else back


def _gateway_denied(context: AppContext, wanted: LogoutRequest) -> Response:
    """Signed out before: a second click, another tab, the back button. Nothing to ask, and no reason to complain."""
    if wanted.return_url is None:
        return _signed_out_page(context, came_from_cas=False)
    response = see_other(wanted.return_url)
    cookies.sign_out(response, context)
    if context.cas_logout != "none":
        # Our session is over, that at CAS may not be, and the user wants to be signed out.
        cookies.want_new_login(response, context)
    return response


def _came_without_cookies() -> bool:
    """A form of another site brings no SameSite=Lax cookie along: that says nothing about a session."""
    return request.method == "POST" and request.headers.get("Sec-Fetch-Site") == "cross-site"


def _send_again() -> Response:
    """The same form once more, from a page of ours and so with the cookie; not by an address, which would be logged."""
    parameters = {name: request.form[name] for name in KNOWN_PARAMETERS if name in request.form}
    response = make_response(render_template("logout_again.html", parameters=parameters))
    response.headers["Content-Security-Policy"] = _policy(current_context(), script="'self'")
    return response


def _ask(context: AppContext, wanted: LogoutRequest, session: Session) -> Response:
    """Any page can send a browser here, so the user decides (§2)."""
    page = render_template(
        "logout_confirm.html",
        identity=session.identity,
        client=wanted.client,
        return_url=wanted.return_url,
        reaches_cas=context.cas_logout == "return" or (context.cas_logout == "chain" and wanted.return_url is None),
        parameters=wanted.to_parameters(),
        token=form_token(context, session, SIGN_OUT),
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _policy(context, return_url=wanted.return_url)
    return response


def _user_agreed(context: AppContext, session: Session) -> bool:
    """Whether this is our own form. One of an earlier session of this browser is simply asked again."""
    try:
        check_form_token(context, session, SIGN_OUT, request.form.get("form_token"))
    except InvalidFormToken:
        return False
    return True


def _signed_out_page(context: AppContext, *, came_from_cas: bool) -> Response:
    cas = None if came_from_cas else context.addresses.logout_url()
    response = make_response(render_template("signed_out.html", cas_logout_url=cas))
    cookies.sign_out(response, context)
    return response


def _policy(context: AppContext, *, return_url: str | None = None, script: str = "'none'") -> str:
    """Browsers hold every redirect after a form to it, and where CAS leads on from its logout is CAS's affair."""
    allowed = [
        "'self'",
        "https:",
        source_of(context.addresses.logout),
        *([source_of(return_url)] if return_url else []),
    ]
    return content_security_policy(form_action=" ".join(dict.fromkeys(allowed)), script=script)
