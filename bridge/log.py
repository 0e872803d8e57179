"""JSON logging to stderr: one event with fields per line.

Fields never hold a ticket, code, token, secret or cookie value; callers log fingerprints and names.
"""

import logging
import sys

import structlog


def bind_log_context(**fields: str) -> None:
    """Add fields to every further event of this request; bind only what is proven, such as an authenticated client."""
    structlog.contextvars.bind_contextvars(**fields)


def configure_logging(level: str, *, cache_loggers: bool = True) -> None:
    """Log events of a level and above to stderr; cached loggers are faster but cannot be configured again."""
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
