"""Keeps tickets out of the log: django-cas-server writes them in full, and a fresh one is a key."""

import logging
import re

# Every kind of CAS ticket, and the pending login that a service address carries.
TICKET = re.compile(r"\b(ST|PT|PGT|PGTIOU|TGT|LT)-[A-Za-z0-9._-]+")
QUERY = re.compile(r"\b(ticket|pgtId|pgtIou|lt|state)=[^&\s'\"]+")


def without_tickets(text: str) -> str:
    """The text with each secret cut down to its kind."""
    return QUERY.sub(r"\1=…", TICKET.sub(r"\1-…", text))


class WithoutTickets(logging.Filter):
    """Rewrites a record before it is written, its traceback included."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_tickets(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_tickets(record.exc_text)
        return True
