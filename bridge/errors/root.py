"""The base class of all errors, and errors of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from passerelle_common.i18n import gettext_noop


class BridgeError(Exception):
    """Base class: has all that an error page, an OAuth error response and the log need.

    Args:
        description: Public sentence; `%(name)s` stands for a fact, so that the sentence can be translated.
        detail: Private text for the log.
        facts: Values for the placeholders of the description.
    """

    status: ClassVar[int] = 500
    code: str = "server_error"
    default_description: ClassVar[str] = gettext_noop(
        "An internal error occurred. Try again; if it happens again, tell the administrator."
    )

    def __init__(
        self, description: str | None = None, *, detail: str = "", facts: Mapping[str, str] | None = None
    ) -> None:
        self.msgid = description or self.default_description
        self.facts = dict(facts or {})
        self.detail = detail
        super().__init__(self.description)

    @property
    def description(self) -> str:
        """The public sentence in English, with its facts, for clients and the log."""
        return self.msgid % self.facts if self.facts else self.msgid

    @property
    def wire_description(self) -> str:
        """The description in the characters that `error_description` allows (RFC 6749 §5.2)."""
        return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", self.description)


class ConfigurationError(BridgeError):
    """The settings are invalid. Lists every fault, so that one correction is enough."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"The configuration is invalid. Correct these settings and start again:{listed}")


class ClientCommandError(BridgeError):
    """A command about a client cannot be carried out."""

    status = 400
    code = "invalid_request"
    default_description = "The client was not changed."
