"""A log filter that redacts tickets, because django-cas-server logs valid tickets in full."""

import logging
import re

# Every kind of CAS ticket, and the pending login in a service URL.
TICKET = re.compile(r"\b(ST|PT|PGT|PGTIOU|TGT|LT)-[A-Za-z0-9._-]+")
QUERY = re.compile(r"\b(ticket|pgtId|pgtIou|lt|state)=[^&\s'\"]+")


def redact_tickets(text: str) -> str:
    """Redact each secret, and keep its prefix."""
    return QUERY.sub(r"\1=…", TICKET.sub(r"\1-…", text))


class TicketFilter(logging.Filter):
    """A filter that redacts records and their tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message and the traceback."""
        record.msg, record.args = redact_tickets(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact_tickets(record.exc_text)
        return True
