"""Errors that users read: a start that is refused, and the translated text of an error page."""

from jupyterhub.spawner import SpawnException
from tornado.util import TimeoutError as TornadoTimeoutError

from passerelle_common.i18n import Message, gettext_noop, translate

SPAWN_TIMEOUT = gettext_noop(
    "Your lab started but did not respond in time. Try again: the server may be busy. If this keeps happening, a file "
    "in your home may prevent the start, for example one under .jupyter or .local."
)
UNEXPECTED_ERROR = gettext_noop(
    "An unexpected error occurred. Try again; if that does not help, contact the administrator, who can find the cause "
    "in the log of the hub."
)


def spawn_error(message: Message, *, reason: str, status_code: int, detail: str = "") -> SpawnException:
    """Return the exception that ends a start with a message for the user.

    Args:
        message: What the user reads; pages translate it from the exception's `user_message`.
        reason: A label for logs and metrics.
        status_code: The HTTP status of the page.
        detail: Further facts for the log only.
    """
    text = str(message)
    error = SpawnException(
        text, reason=reason, log_message=f"{text} ({detail})" if detail else text, status_code=status_code
    )
    error.user_message = message
    return error


def error_text(exception: BaseException | None, message: object, language: str) -> str:
    """Translate the error's own `user_message`, or JupyterHub's message if it has none, for an error page."""
    user_message = getattr(exception, "user_message", None)
    return str(user_message.translate(language)) if user_message else translate(str(message or ""), language)


def spawn_error_text(exception: BaseException | None, language: str) -> str:
    """Translate the reason for which a lab did not start."""
    if isinstance(exception, SpawnException):
        message = exception.message
    elif isinstance(exception, TimeoutError | TornadoTimeoutError):
        message = SPAWN_TIMEOUT
    else:
        message = getattr(exception, "jupyterhub_message", None) or UNEXPECTED_ERROR
    return error_text(exception, message, language)
