"""What CAS vouches for, and the gate for what a browser brings back from it. Pure.

Specification: https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.cas.dates import parse_unix_seconds
from bridge.errors import TicketMalformed, TicketRejected
from passerelle_common.i18n import gettext_noop

# Wider than the specification's letters, digits and "-": real servers put "_", ".", and even an encoded URL
# into tickets. Every character that could end a parameter, a line or an XML text stays outside.
_TICKET = re.compile(r"ST-[A-Za-z0-9._~:/+=%-]{1,1021}")
# How far the clocks of CAS and this server may be apart before a password that was just given looks like an old one.
CLOCKS_APART_SECONDS = 60
AUTHENTICATION_DATE = "authenticationDate"


@dataclass(frozen=True, slots=True)
class ValidatedTicket:
    """What CAS vouches for: a user and the attributes it released, every attribute a list."""

    user: str
    attributes: Mapping[str, tuple[str, ...]]


def service_url(issuer: str, state: str | None) -> str:
    """The address CAS returns to. Built once per login, then stored: CAS compares it as a string.

    :param state: the id of the login, or None where CAS knows one exact address
    """
    return f"{issuer}/cas/callback" + ("" if state is None else f"?state={state}")


def check_ticket(values: Sequence[str]) -> str:
    """The gate: exactly one service ticket of harmless characters, or CAS is not asked at all."""
    if len(values) != 1:
        raise TicketMalformed(detail=f"{len(values)} ticket parameters instead of one")
    ticket = values[0]
    if ticket.startswith("PT-"):
        raise TicketMalformed(
            gettext_noop(
                "This site does not accept sign-ins handed on by another application (proxy tickets). "
                "Open the application in your browser and sign in there."
            ),
            detail="a proxy ticket came in place of a service ticket",
        )
    if not _TICKET.fullmatch(ticket):
        raise TicketMalformed(detail=f"a ticket parameter of {len(ticket)} characters did not pass the gate")
    return ticket


def check_fresh_login(validated: ValidatedTicket, *, since: float) -> None:
    """Refuse an answer to `renew` that itself says it comes from an older CAS session.

    :param since: Unix seconds, when the sign-in began; counts where CAS says no more than when
    :raises TicketRejected: to be sent to CAS once more
    """
    said = validated.attributes.get("isFromNewLogin", ())
    is_old = any(value.lower() == "false" for value in said)
    if not said:
        dates = [parse_unix_seconds(date) for date in validated.attributes.get(AUTHENTICATION_DATE, ())]
        is_old = any(date is not None and date < since - CLOCKS_APART_SECONDS for date in dates)
    if is_old:
        raise TicketRejected(detail="a fresh login was asked for, but CAS answered from an older session")


def ticket_fingerprint(ticket: str) -> str:
    """How a ticket is named in logs: enough to follow one login, useless to replay it."""
    return f"ST-…{hashlib.sha256(ticket.encode()).hexdigest()[:8]}"
