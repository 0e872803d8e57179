"""The log: one JSON object a line on stderr, an event with fields for each decision.

Fields never hold a ticket, a code, a token, a secret or a cookie value; callers log fingerprints and names.
"""

import logging
import sys

import structlog


def configure_logging(level: str) -> None:
    """Send every event of `level` and above to stderr.

    :param level: debug, info, warning or error
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
        cache_logger_on_first_use=True,
    )
