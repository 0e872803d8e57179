"""Why a lab did not start, as a sentence for the person who waits for it.

Most of them are students: a sentence says what happened and what they can do, which is to try again, to stop something,
or whom to tell what. The engine's own words are for the log.
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

SAID_AT_MOST = 2000  # characters

_UNFIT = gettext_noop(
    "The image %(image)s holds no JupyterHub server that could be started. "
    "Choose another one if you can, and tell the administrator."
)
# How a shell and an init process say that there is no such program, or none that can be run.
_NO_PROGRAM = frozenset({126, 127})

# The engine has no codes for these: its words, in lower case, decide, as patterns. The first that is found counts.
_BY_WORDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("no such image", "pull access denied", "manifest unknown"),
        "image_missing",
        gettext_noop(
            "The image %(image)s, from which your lab would start, is not on the server. "
            "Choose another one if you can, and tell the administrator that it is missing."
        ),
    ),
    (
        ("could not select device driver", "nvidia-container-cli", "unknown device id"),
        "gpu",
        gettext_noop("Your lab is meant to have a GPU and the server cannot give it one. Tell the administrator."),
    ),
    (
        ("executable file not found", "no such file or directory: unknown", "exec format error"),
        "image_unfit",
        _UNFIT,
    ),
    (
        ("no space left on device", "disk quota exceeded"),
        "disk_full",
        gettext_noop(
            "The server's disk is full, so no lab can start. Nothing of yours is lost. Tell the administrator."
        ),
    ),
    (
        ("cannot allocate memory", "resource temporarily unavailable", "out of memory"),
        "out_of_memory",
        gettext_noop(
            "The server has no memory left for another lab. Try again in a few minutes, when others have stopped theirs; "
            "if that does not help, tell the administrator."
        ),
    ),
    (
        ("no available ip", "could not find an available", "no available network addresses"),
        "network_full",
        gettext_noop(
            "The network of the labs has no free address, because so many are running. Try again in a few minutes, and "
            "tell the administrator."
        ),
    ),
    (
        (r"network \S+ not found",),
        "network_missing",
        gettext_noop(
            "The network that labs live in is missing on the server. Tell the administrator, who can bring it back with "
            "`docker compose up -d`."
        ),
    ),
    (
        ("already in use by container",),
        "still_stopping",
        gettext_noop("Your last lab is still being removed. Try again in a minute."),
    ),
)
_ENGINE_SLOW = (
    "engine_slow",
    gettext_noop(
        "The server is too busy to start your lab just now. Wait a few minutes and try again; if that does not help, tell "
        "the administrator."
    ),
)
_ENGINE_DOWN = (
    "engine_down",
    gettext_noop(
        "The server cannot start labs at the moment, because its container engine does not answer. Your files are safe. "
        "Try again in a few minutes; if that does not help, tell the administrator."
    ),
)
_OTHER = (
    "engine_error",
    gettext_noop(
        "The server could not start your lab. Try again; if that does not help, tell the administrator, who finds the "
        "reason in the log of the hub."
    ),
)


NEEDED_MORE = gettext_noop(
    "Your lab ended while it started, because it needed more than its limit of memory (%(memory)s). Try again; if that "
    "does not help, ask the administrator for more."
)
ENDED = gettext_noop(
    "Your lab ended while it started. Often the reason is a package or a setting in your home that JupyterLab does not "
    "get along with: undo what you installed last. If you know of none, tell the administrator, who finds the lab's "
    "last words in the log of the hub."
)


def explain(fault: Exception, image: str) -> SpawnException:
    """The refusal to raise instead of this fault."""
    reason, sentence = _find(fault)
    return spawn_error(Message(sentence, {"image": image}), reason=reason, detail=str(fault), status_code=503)


def explain_end(state: Mapping[str, Any] | None, said: str, image: str, memory: int | None) -> SpawnException:
    """The refusal for a lab that ended while it started; its last words are for the log, as one line."""
    if state and state.get("OOMKilled"):
        reason, told = "lab_out_of_memory", Message(NEEDED_MORE, {"memory": _in_words(memory)})
    elif state and state.get("ExitCode") in _NO_PROGRAM:
        reason, told = "image_unfit", Message(_UNFIT, {"image": image})
    else:
        reason, told = "lab_ended", Message(ENDED)
    how = f"exit code {state.get('ExitCode')}" if state else "its container is gone"
    return spawn_error(told, reason=reason, detail=f"{how}; it said {said[-SAID_AT_MOST:]!r}", status_code=500)


def _in_words(memory: int | None) -> str:
    return f"{memory / 1024**3:.3g} GB" if memory else "the server's own"


def _find(fault: Exception) -> tuple[str, str]:
    if isinstance(fault, (ReadTimeout, TimeoutError)):
        return _ENGINE_SLOW
    if not isinstance(fault, (DockerException, RequestException, OSError)):
        return _OTHER
    if not isinstance(fault, APIError):
        return _ENGINE_DOWN
    said = f"{fault.explanation or ''} {fault}".lower()
    for words, reason, sentence in _BY_WORDS:
        if any(re.search(word, said) for word in words):
            return reason, sentence
    return _OTHER
