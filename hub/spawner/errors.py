"""Messages for users whose lab cannot start: what happened and what they can do.

The engine's own text goes to the log only.
"""

import re
from collections.abc import Mapping
from typing import Any

from docker.errors import APIError, DockerException
from jupyterhub.spawner import SpawnException
from requests.exceptions import ReadTimeout

from hub.web.errors import spawn_error
from passerelle_common.i18n import Message, gettext_noop

MAX_LOG_EXCERPT = 2000  # characters
# The engine and its guard report these errors without codes, so patterns match their lower-case text. The first match
# applies.
ENGINE_PATTERNS = {
    "engine_slow": "engine did not answer within",
    "engine_down": "engine cannot be reached",
    "image_missing": "no such image|pull access denied|manifest unknown",
    "gpu": "could not select device driver|nvidia-container-cli|unknown device id",
    "image_unfit": "executable file not found|no such file or directory: unknown|exec format error",
    "disk_full": "no space left on device|disk quota exceeded",
    "out_of_memory": "cannot allocate memory|resource temporarily unavailable|out of memory",
    "network_full": "no available ip|could not find an available|no available network addresses",
    "network_missing": r"network \S+ not found",
    "still_stopping": "already in use by container",
}
MESSAGES = {
    "image_missing": gettext_noop(
        "The image %(image)s of your lab is not on the server. Choose another image if you can, and tell the "
        "administrator that it is missing."
    ),
    "gpu": gettext_noop("Your lab needs a GPU, but the server cannot provide one. Tell the administrator."),
    "image_unfit": gettext_noop(
        "The image %(image)s contains no JupyterHub server. Choose another image, and tell the administrator."
    ),
    "disk_full": gettext_noop("The server's disk is full. Your files are safe. Tell the administrator."),
    "out_of_memory": gettext_noop(
        "The server has no memory for another lab. Try again in a few minutes, when other users have stopped their "
        "labs; if that does not help, tell the administrator."
    ),
    "network_full": gettext_noop(
        "Too many labs are running: their network has no free address. Try again later, and tell the administrator."
    ),
    "network_missing": gettext_noop(
        "The labs' network is missing. Tell the administrator, who can restore it with `docker compose up -d`."
    ),
    "still_stopping": gettext_noop("The server is still removing your last lab. Try again in a minute."),
    "engine_slow": gettext_noop(
        "The server is too busy to start your lab. Try again in a few minutes; if that does not help, tell the "
        "administrator."
    ),
    "engine_down": gettext_noop(
        "The server's container engine does not respond. Your files are safe. Try again in a few minutes; if that does "
        "not help, tell the administrator."
    ),
    "engine_error": gettext_noop(
        "The server could not start your lab. Try again; if that does not help, tell the administrator, who can find "
        "the cause in the log of the hub."
    ),
    "lab_out_of_memory": gettext_noop(
        "Your lab exceeded its memory limit (%(memory)s) while it started. Try again; if that does not help, ask the "
        "administrator for more memory."
    ),
    "lab_ended": gettext_noop(
        "Your lab stopped while it started. The cause is often a package or a setting in your home that JupyterLab "
        "does not support: undo your last installation. Otherwise, tell the administrator, who can find the lab's "
        "output in the log of the hub."
    ),
}
"""Messages by the reason for the log."""


def engine_error(fault: Exception, image: str) -> SpawnException:
    """Return the exception that reports an engine's fault to the user."""
    reason = _classify(fault)
    return spawn_error(Message(MESSAGES[reason], {"image": image}), reason=reason, detail=str(fault), status_code=503)


def exit_error(state: Mapping[str, Any] | None, output: str, image: str, memory: int | None) -> SpawnException:
    """Return the exception that reports the end of a lab during its start.

    The state is None if the container is gone. The memory limit is in bytes.
    """
    reason, code = "lab_ended", state and state.get("ExitCode")
    if state and state.get("OOMKilled"):
        reason = "lab_out_of_memory" if memory else "out_of_memory"  # without a limit, the server's ended
    elif code in (126, 127):  # of a shell or an init process for a program that is missing or cannot be executed
        reason = "image_unfit"
    facts = {"image": image, "memory": f"{(memory or 0) / 1024**3:.3g} GB"}
    detail = f"{f'exit code {code}' if state else 'its container is gone'}; output: {output[-MAX_LOG_EXCERPT:]!r}"
    return spawn_error(Message(MESSAGES[reason], facts), reason=reason, detail=detail, status_code=500)


def _classify(fault: Exception) -> str:
    if isinstance(fault, (ReadTimeout, TimeoutError)):
        return "engine_slow"
    if not isinstance(fault, (DockerException, OSError)):
        return "engine_error"
    if not isinstance(fault, APIError):
        return "engine_down"
    text = f"{fault.explanation or ''} {fault}".lower()
    return next((reason for reason, pattern in ENGINE_PATTERNS.items() if re.search(pattern, text)), "engine_error")
