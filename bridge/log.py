"""The log: one JSON object a line on stderr, an event with fields for each decision.

Fields never hold a ticket, a code, a token, a secret or a cookie value; callers log fingerprints and names.
"""

import logging
import sys

import structlog


def bind_log_context(**facts: str) -> None:
    """Whom the request is about, as soon as that is proven: every further line that it logs says so as well."""
    structlog.contextvars.bind_contextvars(**facts)


def configure_logging(level: str, *, cache_loggers: bool = True) -> None:
    """Send every event of `level` and above to stderr.

    :param level: debug, info, warning or error
    :param cache_loggers: quicker, but loggers that were used once cannot be turned elsewhere in this process
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=cache_loggers,
    )
