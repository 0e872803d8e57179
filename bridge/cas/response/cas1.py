"""Parser for CAS 1.0 responses (§2.4.2): `yes` and the user, or `no`.

Some servers append attributes as `name=value,value` lines. They are ignored: values are not escaped, so a line break
in a value would let a user forge attributes. Use protocol 2.0 or 3.0 for attributes.
"""

from __future__ import annotations

import re

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.limits import check_user
from bridge.errors import TicketRejected, UpstreamMalformed

_NO = re.compile(r"no\r?\n(?:\r?\n)*")
# The line break after the user is required: without it the name could be truncated.
_YES = re.compile(r"yes\r?\n([^\r\n]*)\r?\n((?:[^\r\n=]+=[^\r\n]*\r?\n)*)(?:\r?\n)*")


def parse_cas1_response(text: str) -> ValidatedTicket:
    """Parse a response; see `bridge.cas.response.parse_validation` for the errors."""
    if _NO.fullmatch(text):
        raise TicketRejected(detail="CAS rejected the ticket (protocol 1.0 gives no reason: ticket, service or renew)")
    response = _YES.fullmatch(text)
    if response is None:
        raise UpstreamMalformed(detail="the response of CAS is neither XML, JSON nor CAS 1.0")
    return ValidatedTicket(user=check_user(response[1], "the user line"), attributes={})
