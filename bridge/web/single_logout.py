"""Single logout: CAS ends a session, and the bridge ends its own with everything issued under it.

The request names the ticket. Only CAS knows it, so no cookie, form token or address is checked. Known and unknown
tickets get the same response. It is sent before clients are notified, because the user waits for all services.
"""

import re
from collections.abc import Callable

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from bridge.cas.logout_request import (
    FRONT_CHANNEL_PARAMETERS,
    PARAMETER,
    PROBE_TICKET_PREFIX,
    message_from_body,
    message_from_front_channel,
    message_from_values,
    parse_logout_request,
)
from bridge.cas.protocol import CALLBACK_PATH, ticket_fingerprint
from bridge.errors import LogoutRequestMalformed, TicketMalformed
from bridge.oauth.logout import end_by_ticket
from bridge.oauth.parameters import add_query
from bridge.web.context import current_context
from bridge.web.responses import RawRedirect
from passerelle_common.i18n import gettext_noop

# A JavaScript function name.
_FUNCTION = re.compile(r"[A-Za-z0-9_$.]{1,64}")
RELAY_STATE_MAX_CHARS = 512

blueprint = Blueprint("single_logout", __name__)
log = structlog.get_logger()


@blueprint.post("/cas/logout")
def back_channel() -> Response:
    """Handle a back-channel logout by CAS (CAS protocol §2.3.3)."""
    _end_session_of(_message_in_body, channel="back")
    return Response(status=200, mimetype="text/plain")


@blueprint.post(CALLBACK_PATH)
def back_channel_at_service() -> Response:
    """Handle a back-channel logout at the service URL, for servers that know no other address."""
    request.get_data()  # cached, because parsing the form consumes the body
    if "ticket" in request.form:
        raise TicketMalformed(
            gettext_noop(
                "The central sign-in service (CAS) sent you back with a form, which this site does not support. "
                "Contact the administrator: CAS must use a redirect (method=GET)."
            ),
            detail="the ticket was sent by POST: CAS is configured for method=POST",
        )
    return back_channel()


@blueprint.get("/cas/logout")
def front_channel() -> Response:
    """Handle a front-channel logout: the browser carries the message as a script, an image or a redirect."""
    if request.method == "HEAD":  # link previews must not end a session
        raise MethodNotAllowed(["GET", "POST"])
    context = current_context()
    sent = [value for name in FRONT_CHANNEL_PARAMETERS for value in request.args.getlist(name)]
    _end_session_of(lambda: message_from_front_channel(message_from_values(sent)), channel="front")
    if relay_state := request.args.get("RelayState"):  # Jasig CAS 4 redirects the browser from service to service
        parameters = {"_eventId": "next", "RelayState": relay_state[:RELAY_STATE_MAX_CHARS]}
        return RawRedirect(add_query(context.endpoints.logout_url(), parameters))
    name = request.args.get("callback", "")
    # The leading comment stops content sniffing of attacker-chosen first bytes.
    script = f"/**/{name}({{}});" if _FUNCTION.fullmatch(name) else ""
    return Response(script, mimetype="text/javascript")


def _message_in_body() -> bytes:
    if request.mimetype == "multipart/form-data":
        return message_from_values(request.form.getlist(PARAMETER))
    return message_from_body(request.get_data())


def _end_session_of(read: Callable[[], bytes], *, channel: str) -> None:
    context = current_context()
    try:
        ticket = parse_logout_request(read())
    except LogoutRequestMalformed:
        context.metrics.single_logouts.labels("malformed").inc()
        raise
    offline_too = context.settings.cas_logout_ends_offline_access
    ended = end_by_ticket(context.provider, ticket, offline_too=offline_too)
    if not ended and ticket.startswith(PROBE_TICKET_PREFIX):
        context.metrics.single_logouts.labels("checked").inc()
        log.info("single_logout_checked", channel=channel)
        return
    context.metrics.single_logouts.labels("ended" if ended else "unknown").inc()
    log.info("single_logout", channel=channel, ticket=ticket_fingerprint(ticket), ended=len(ended))
