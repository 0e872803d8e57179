"""Sign-out in the browser, requested by an application (RP-Initiated Logout 1.0) or by the user.

The session ends before the browser is redirected, so nothing depends on CAS or on a return from it.
"""

import structlog
from flask import Blueprint, Response, make_response, render_template, request

from bridge.errors import InvalidFormToken
from bridge.oauth.logout import (
    KNOWN_PARAMETERS,
    LogoutRequest,
    check_logout_request,
    end_session,
    hint_matches_session,
    signed_in_clients,
)
from bridge.oauth.parameters import add_query
from bridge.store import Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.responses import RawRedirect, form_action_source, with_form_policy

SIGN_OUT = "sign out"

blueprint = Blueprint("logout", __name__)
log = structlog.get_logger()


@blueprint.route("/logout", methods=["GET", "POST"])
def logout() -> Response:
    """Serve the end session endpoint (§2), by GET or POST. Without parameters, the user signs out here."""
    context = current_context()
    sent = request.form if request.method == "POST" else request.args
    wanted = check_logout_request(context.provider, sent.items(multi=True))
    session = cookies.current_session(request, context)
    if session is None:
        # A form of another site has no SameSite=Lax cookie, even if there is a session.
        cross_site_form = request.method == "POST" and request.headers.get("Sec-Fetch-Site") == "cross-site"
        return _resubmit_page(context) if cross_site_form else _already_signed_out(context, wanted)
    if not (hint_matches_session(context.provider, wanted, session) or _user_confirmed(context, session)):
        return _confirmation_page(context, wanted, session)
    end_session(context.provider, session.sid)
    client_id = None if wanted.client is None else wanted.client.client_id
    log.info("signed_out", client=client_id, subject=session.identity.subject)
    response = RawRedirect(_next_url(context, wanted))
    cookies.delete_session(response, context)
    if context.settings.cas_logout == "chain" and wanted.return_url is not None:
        cookies.require_new_login(response, context)
    return response


@blueprint.get("/logout/done")
def done() -> Response:
    """Serve the last step, also after the return from CAS. The redirect URI is checked again."""
    context = current_context()
    wanted = check_logout_request(context.provider, request.args.items(multi=True))
    if wanted.return_url is not None:
        return RawRedirect(wanted.return_url)
    return _signed_out_page(context, came_from_cas=context.settings.cas_logout == "return")


def _next_url(context: AppContext, wanted: LogoutRequest) -> str:
    """Return the logout page of CAS, unless CAS would not lead back to the application (docs/decisions/0005)."""
    parameters = wanted.to_parameters()
    back = f"{context.provider.issuer}/logout/done"
    back = add_query(back, parameters) if parameters else back
    if context.settings.cas_logout == "return":
        return context.endpoints.logout_url(back)
    if wanted.return_url is not None:
        return wanted.return_url
    return context.endpoints.logout_url() if context.settings.cas_logout == "chain" else back


def _already_signed_out(context: AppContext, wanted: LogoutRequest) -> Response:
    """Respond to a repeated request (double click, another tab, back button) without an error."""
    if wanted.return_url is None:
        return _signed_out_page(context, came_from_cas=False)
    response = RawRedirect(wanted.return_url)
    cookies.delete_session(response, context)
    # Any page can send a browser here, and must not make the user type the password at every sign-in. An ID token and
    # a page of the same site, such as the hub, stand for the user, whose CAS session may still be active.
    is_trusted = wanted.hint is not None or request.headers.get("Sec-Fetch-Site") == "same-site"
    if is_trusted and context.settings.cas_logout != "none":
        cookies.require_new_login(response, context)
    return response


def _resubmit_page(context: AppContext) -> Response:
    """Return a page that posts the same form with the cookie; in a URL the ID token would be logged."""
    parameters = {name: request.form[name] for name in KNOWN_PARAMETERS if name in request.form}
    page = render_template("logout_resubmit.html", parameters=parameters)
    return with_form_policy(page, *_form_actions(context), script="'self'")


def _confirmation_page(context: AppContext, wanted: LogoutRequest, session: Session) -> Response:
    """Ask the user, because any page can send a browser here (§2)."""
    cas_logout = context.settings.cas_logout
    notified, others = signed_in_clients(context.provider, session.sid)
    page = render_template(
        "logout_confirm.html",
        identity=session.identity,
        client=wanted.client,
        notified=notified,
        others=others,
        return_url=wanted.return_url,
        reaches_cas=cas_logout == "return" or (cas_logout == "chain" and wanted.return_url is None),
        parameters=wanted.to_parameters(),
        token=cookies.form_token(context, session, SIGN_OUT),
    )
    return with_form_policy(page, *_form_actions(context, wanted.return_url))


def _user_confirmed(context: AppContext, session: Session) -> bool:
    """Return whether the confirmation page of this session was posted."""
    try:
        cookies.check_form_token(context, session, SIGN_OUT, request.form.get("form_token"))
    except InvalidFormToken:
        return False
    return True


def _signed_out_page(context: AppContext, *, came_from_cas: bool) -> Response:
    cas_logout_url = None if came_from_cas else context.endpoints.logout_url()
    response = make_response(render_template("signed_out.html", cas_logout_url=cas_logout_url))
    cookies.delete_session(response, context)
    return response


def _form_actions(context: AppContext, return_url: str | None = None) -> list[str]:
    """Return the CSP sources for a sign-out form, which cover every later redirect, including those of CAS."""
    sources = ["'self'", "https:", form_action_source(context.endpoints.logout)]
    return [*sources, *([form_action_source(return_url)] if return_url else [])]
