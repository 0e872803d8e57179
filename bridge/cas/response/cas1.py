"""The lines of CAS 1.0 (§2.4.2): `yes` and the user, or `no`.

Some servers can be told to write attributes below the user, `name=value,value` on a line each. They are not believed:
nothing is escaped there, so a value with a line break in it would be an attribute of its owner's choice. Ask such a
server by protocol 2.0 or 3.0 instead.
"""

from __future__ import annotations

import re

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.limits import check_user
from bridge.errors import TicketRejected, UpstreamMalformed

_NO = re.compile(r"no\r?\n(?:\r?\n)*")
# The line break after the user is required: without it, nobody knows whether the name goes on.
_YES = re.compile(r"yes\r?\n([^\r\n]*)\r?\n((?:[^\r\n=]+=[^\r\n]*\r?\n)*)(?:\r?\n)*")


def read_lines(text: str) -> ValidatedTicket:
    """Whom the answer vouches for; see `bridge.cas.response.parse_validation` for what is raised."""
    if _NO.fullmatch(text):
        raise TicketRejected(detail="CAS refused with no (protocol 1.0 gives no reason: ticket, service or renew)")
    answer = _YES.fullmatch(text)
    if answer is None:
        raise UpstreamMalformed(detail="CAS answered neither XML nor JSON nor the lines of CAS 1.0")
    return ValidatedTicket(user=check_user(answer[1], "the line of the user"), attributes={})
