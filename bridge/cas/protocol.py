"""Service URLs, service tickets, dates and the result of a validation."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.errors import TicketMalformed, TicketRejected
from passerelle_common.i18n import gettext_noop

CALLBACK_PATH = "/cas/callback"
# Wider than the specification's letters, digits and "-", because servers put "_", "." and even encoded URLs into
# tickets. No character that could end a parameter, a line or an XML text is allowed.
_TICKET = re.compile(r"ST-[A-Za-z0-9._~:/+=%-]{1,1021}")
# Tolerated clock difference between CAS and this server when a login must be fresh.
CLOCK_SKEW_SECONDS = 60
AUTHENTICATION_DATE = "authenticationDate"
# Apereo's JSON has 1795432113.693936965 where its XML has a date. Thirteen digits would be milliseconds.
_SECONDS = re.compile(r"([0-9]{9,10})(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class ValidatedTicket:
    """The user and the attributes that CAS returned for a ticket; every attribute is a list."""

    user: str
    attributes: Mapping[str, tuple[str, ...]]


def service_url(issuer: str, state: str | None) -> str:
    """Build the service URL; `state` is None if CAS accepts only one exact URL."""
    return f"{issuer}{CALLBACK_PATH}" + ("" if state is None else f"?state={state}")


def check_ticket(values: Sequence[str]) -> str:
    """Return the only service ticket of a callback, or raise TicketMalformed without a request to CAS."""
    if len(values) != 1:
        raise TicketMalformed(detail=f"{len(values)} ticket parameters, expected one")
    ticket = values[0]
    if ticket.startswith("PT-"):
        raise TicketMalformed(
            gettext_noop(
                "This site does not accept sign-ins through another application (proxy tickets). "
                "Open the application in your browser and sign in there."
            ),
            detail="received a proxy ticket, expected a service ticket",
        )
    if not _TICKET.fullmatch(ticket):
        raise TicketMalformed(detail=f"the ticket parameter ({len(ticket)} characters) is not a service ticket")
    return ticket


def check_fresh_login(validated: ValidatedTicket, *, since: float) -> None:
    """Reject a response to `renew` from an older CAS session with TicketRejected.

    `since` is the start of the login in Unix seconds, compared if CAS reports only the date of its authentication.
    """
    flags = validated.attributes.get("isFromNewLogin", ())
    is_old = any(value.lower() == "false" for value in flags)
    if not flags:
        dates = [parse_unix_seconds(date) for date in validated.attributes.get(AUTHENTICATION_DATE, ())]
        is_old = any(date is not None and date < since - CLOCK_SKEW_SECONDS for date in dates)
    if is_old:
        raise TicketRejected(detail="renew was requested, but the CAS session is older")


def ticket_fingerprint(ticket: str) -> str:
    """Return a hash prefix for logs: it identifies one login but cannot be replayed."""
    return f"ST-…{hashlib.sha256(ticket.encode()).hexdigest()[:8]}"


def parse_unix_seconds(text: str, *, zone_is_utc: bool = False) -> int | None:
    """Convert Unix seconds or an ISO 8601 date of CAS to Unix seconds.

    None means an unknown format or a missing offset. `zone_is_utc` supplies UTC, as SAML 1.1 core §1.2.2 requires.
    """
    if number := _SECONDS.fullmatch(text):
        return int(number[1])
    # Java appends the name of the zone: 2019-09-05T12:40:08.014Z[UTC]. The offset before it is enough.
    text = text.partition("[")[0]
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone_is_utc:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) if moment.tzinfo and moment.year >= 1970 else None
    except (ValueError, OverflowError):
        return None
