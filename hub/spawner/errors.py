"""Messages for users whose lab cannot start: what happened and what they can do.

The engine's own text goes to the log only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from docker.errors import APIError, DockerException
from jupyterhub.spawner import SpawnException
from requests.exceptions import ReadTimeout, RequestException

from hub.web.errors import spawn_error
from passerelle_common.i18n import Message, gettext_noop

MAX_LOG_EXCERPT = 2000  # characters
# Exit codes of a shell or an init process for a missing program and for one that cannot be executed.
_NO_PROGRAM = frozenset({126, 127})
_IMAGE_UNFIT = gettext_noop(
    "The image %(image)s contains no JupyterHub server. Choose another image if you can, and tell the administrator."
)
# The engine reports these errors without codes, so patterns match its lower-case text. The first match applies.
_ENGINE_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        "no such image|pull access denied|manifest unknown",
        "image_missing",
        gettext_noop(
            "The image %(image)s of your lab is not on the server. Choose another image if you can, and tell the "
            "administrator that it is missing."
        ),
    ),
    (
        "could not select device driver|nvidia-container-cli|unknown device id",
        "gpu",
        gettext_noop("Your lab needs a GPU, but the server cannot provide one. Tell the administrator."),
    ),
    (
        "executable file not found|no such file or directory: unknown|exec format error",
        "image_unfit",
        _IMAGE_UNFIT,
    ),
    (
        "no space left on device|disk quota exceeded",
        "disk_full",
        gettext_noop("The server's disk is full, so no lab can start. Your files are safe. Tell the administrator."),
    ),
    (
        "cannot allocate memory|resource temporarily unavailable|out of memory",
        "out_of_memory",
        gettext_noop(
            "The server has no memory for another lab. Try again in a few minutes, when other users have stopped their "
            "labs; if that does not help, tell the administrator."
        ),
    ),
    (
        "no available ip|could not find an available|no available network addresses",
        "network_full",
        gettext_noop(
            "The labs' network has no free address, because too many labs are running. Try again in a few minutes, and "
            "tell the administrator."
        ),
    ),
    (
        r"network \S+ not found",
        "network_missing",
        gettext_noop(
            "The labs' network is missing on the server. Tell the administrator, who can restore it with "
            "`docker compose up -d`."
        ),
    ),
    (
        "already in use by container",
        "still_stopping",
        gettext_noop("The server is still removing your last lab. Try again in a minute."),
    ),
)
_ENGINE_SLOW = (
    "engine_slow",
    gettext_noop(
        "The server is too busy to start your lab. Try again in a few minutes; if that does not help, tell the "
        "administrator."
    ),
)
_ENGINE_DOWN = (
    "engine_down",
    gettext_noop(
        "The server cannot start labs at the moment, because its container engine does not respond. Your files are "
        "safe. Try again in a few minutes; if that does not help, tell the administrator."
    ),
)
_UNKNOWN = (
    "engine_error",
    gettext_noop(
        "The server could not start your lab. Try again; if that does not help, tell the administrator, who can find "
        "the cause in the log of the hub."
    ),
)
_LAB_OUT_OF_MEMORY = gettext_noop(
    "Your lab exceeded its memory limit (%(memory)s) while it started. Try again; if that does not help, ask the "
    "administrator for more memory."
)
_LAB_ENDED = gettext_noop(
    "Your lab stopped while it started. The cause is often a package or a setting in your home that JupyterLab does "
    "not support: undo your last installation. Otherwise, tell the administrator, who can find the lab's output in the "
    "log of the hub."
)


def engine_error(fault: Exception, image: str) -> SpawnException:
    """Return the exception that reports an engine's fault to the user."""
    reason, msgid = _classify(fault)
    return spawn_error(Message(msgid, {"image": image}), reason=reason, detail=str(fault), status_code=503)


def exit_error(state: Mapping[str, Any] | None, output: str, image: str, memory: int | None) -> SpawnException:
    """Return the exception that reports the end of a lab during its start.

    Args:
        state: The container's state from the engine, or None if the container is gone.
        output: The end of the lab's output; the log shows it as one line.
        image: The lab's image.
        memory: The lab's memory limit in bytes.
    """
    if state and state.get("OOMKilled"):
        limit = f"{memory / 1024**3:.3g} GB" if memory else "the server's own"
        reason, message = "lab_out_of_memory", Message(_LAB_OUT_OF_MEMORY, {"memory": limit})
    elif state and state.get("ExitCode") in _NO_PROGRAM:
        reason, message = "image_unfit", Message(_IMAGE_UNFIT, {"image": image})
    else:
        reason, message = "lab_ended", Message(_LAB_ENDED)
    cause = f"exit code {state.get('ExitCode')}" if state else "its container is gone"
    detail = f"{cause}; output: {output[-MAX_LOG_EXCERPT:]!r}"
    return spawn_error(message, reason=reason, detail=detail, status_code=500)


def _classify(fault: Exception) -> tuple[str, str]:
    if isinstance(fault, (ReadTimeout, TimeoutError)):
        return _ENGINE_SLOW
    if not isinstance(fault, (DockerException, RequestException, OSError)):
        return _UNKNOWN
    if not isinstance(fault, APIError):
        return _ENGINE_DOWN
    text = f"{fault.explanation or ''} {fault}".lower()
    return next(((reason, msgid) for pattern, reason, msgid in _ENGINE_ERRORS if re.search(pattern, text)), _UNKNOWN)
