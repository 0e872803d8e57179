"""What is said to CAS, and the gate for what a browser brings back from it. Pure.

Specification: https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bridge.errors import TicketMalformed, TicketRefused, for_people

# Wider than the specification's letters, digits and "-": real servers put "_", ".", and even an encoded URL
# into tickets. Every character that could end a parameter, a line or an XML text stays outside.
_TICKET = re.compile(r"ST-[A-Za-z0-9._~:/+=%-]{1,1021}")


@dataclass(frozen=True, slots=True)
class ValidatedTicket:
    """What CAS vouches for: a user and the attributes it released, every attribute a list."""

    user: str
    attributes: Mapping[str, tuple[str, ...]]


def service_url(issuer: str, state: str) -> str:
    """The address CAS returns to. Built once per login, then stored: CAS compares it as a string."""
    return f"{issuer}/cas/callback?state={state}"


def login_url(
    cas_url: str, service: str, *, renew: bool = False, gateway: bool = False, locale: str | None = None
) -> str:
    """Where the browser goes to sign in. `renew` and `gateway` together are undefined (2.1.1): renew wins."""
    url = f"{cas_url.rstrip('/')}/login?service={quote(service, safe='')}"
    if renew:
        url += "&renew=true"
    elif gateway:
        url += "&gateway=true"
    if locale:
        url += f"&locale={quote(locale, safe='')}"
    return url


def logout_url(cas_url: str, service: str | None = None) -> str:
    """Where the browser goes to sign out. Without `service` CAS leads nowhere afterwards; with it, it may."""
    url = f"{cas_url.rstrip('/')}/logout"
    return url if service is None else f"{url}?service={quote(service, safe='')}"


def validate_url(base: str, service: str, ticket: str, *, renew: bool = False) -> str:
    """The back-channel question. `renew` is asked here too: a user can delete it from the login URL."""
    question = f"service={quote(service, safe='')}&ticket={quote(ticket, safe='')}"
    return f"{base.rstrip('/')}/p3/serviceValidate?{question}{'&renew=true' if renew else ''}"


def check_ticket(values: Sequence[str]) -> str:
    """The gate: exactly one service ticket of harmless characters, or CAS is not asked at all."""
    if len(values) != 1:
        raise TicketMalformed(detail=f"{len(values)} ticket parameters instead of one")
    ticket = values[0]
    if ticket.startswith("PT-"):
        raise TicketMalformed(
            for_people(
                "This site does not accept sign-ins handed on by another application (proxy tickets). "
                "Open the application in your browser and sign in there."
            ),
            detail="a proxy ticket came in place of a service ticket",
        )
    if not _TICKET.fullmatch(ticket):
        raise TicketMalformed(detail=f"a ticket parameter of {len(ticket)} characters did not pass the gate")
    return ticket


def check_renewed(validated: ValidatedTicket) -> None:
    """Refuse an answer to `renew` that itself says it comes from an older CAS session."""
    said = validated.attributes.get("isFromNewLogin", ())
    if any(value.lower() == "false" for value in said):
        raise TicketRefused(detail="a fresh login was asked for, but CAS answered from an older session")


def ticket_fingerprint(ticket: str) -> str:
    """How a ticket is named in logs: enough to follow one login, useless to replay it."""
    return f"ST-…{hashlib.sha256(ticket.encode()).hexdigest()[:8]}"
