"""Single logout: CAS says that a session is over, and ours ends with all that was given out under it.

CAS names the ticket; whoever knows it is CAS, so nothing else is asked for: no cookie, no form token, no address. The
answer is the same whether we know the ticket or not, and comes before any client is told, because CAS keeps the user
waiting until all have answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from bridge.cas.logout_request import (
    PARAMETER,
    PROBE_TICKET_PREFIX,
    message_from_body,
    message_from_front_channel,
    message_from_values,
    parse_logout_request,
)
from bridge.cas.protocol import ticket_fingerprint
from bridge.errors import LogoutRequestMalformed, TicketMalformed
from bridge.oauth.authorization import in_query
from bridge.oauth.logout import end_by_ticket
from bridge.web.context import current_context
from bridge.web.responses import see_other
from passerelle_common.i18n import gettext_noop

# What may stand in a script as the name of a function, and no more.
_FUNCTION = re.compile(r"[A-Za-z0-9_$.]{1,64}")
RELAY_STATE_MAX_CHARS = 512

blueprint = Blueprint("single_logout", __name__)
log = structlog.get_logger()


@blueprint.post("/cas/logout")
def back_channel() -> Response:
    """CAS itself calls (CAS protocol §2.3.3)."""
    _end_session_of(_message_in_body, channel="back")
    return Response(status=200, mimetype="text/plain")


@blueprint.post("/cas/callback")
def back_channel_at_service() -> Response:
    """The same, from servers that know no other address of ours than the service URL."""
    request.get_data()  # kept for whoever reads it next; parsing the form alone would use it up
    if "ticket" in request.form:
        raise TicketMalformed(
            gettext_noop(
                "The central sign-in service (CAS) sent you back by a form, which this site does not take. "
                "Tell the administrator: CAS must send browsers back by a redirect (method=GET)."
            ),
            detail="a ticket came by POST: CAS is set to method=POST",
        )
    return back_channel()


@blueprint.get("/cas/logout")
def front_channel() -> Response:
    """The browser carries the message, as a script, a picture or a stop on its way through several services."""
    if request.method == "HEAD":  # comes with every GET route; whoever only looks must not end anything
        raise MethodNotAllowed(["GET", "POST"])
    context = current_context()
    _end_session_of(_message_in_query, channel="front")
    if relay_state := request.args.get("RelayState"):  # CAS 4.0 leads the browser from service to service
        go_on = {"_eventId": "next", "RelayState": relay_state[:RELAY_STATE_MAX_CHARS]}
        return see_other(in_query(context.addresses.logout_url(), go_on))
    name = request.args.get("callback", "")
    # The comment in front keeps the answer from being taken for a file of another kind that begins with the name.
    script = f"/**/{name}({{}});" if _FUNCTION.fullmatch(name) else ""
    return Response(script, mimetype="text/javascript")


def _message_in_body() -> bytes:
    if request.mimetype == "multipart/form-data":
        return message_from_values(request.form.getlist(PARAMETER))
    return message_from_body(request.get_data())


def _message_in_query() -> bytes:
    return message_from_front_channel(message_from_values(request.args.getlist(PARAMETER)))


def _end_session_of(read: Callable[[], bytes], *, channel: str) -> None:
    context = current_context()
    try:
        ticket = parse_logout_request(read())
    except LogoutRequestMalformed:
        context.metrics.count_single_logout("malformed")
        raise
    offline_too = context.cas_logout_ends_offline_access
    ended = end_by_ticket(context.provider, ticket, offline_too=offline_too)
    if not ended and ticket.startswith(PROBE_TICKET_PREFIX):
        context.metrics.count_single_logout("checked")
        log.info("single_logout_checked", channel=channel)
        return
    context.metrics.count_single_logout("ended" if ended else "unknown")
    log.info("single_logout", channel=channel, ticket=ticket_fingerprint(ticket), ended=len(ended))
