"""What every refusal has, and those of the administrator's side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from passerelle_common.i18n import gettext_noop


class BridgeError(Exception):
    """The root: anything that the error page or the OAuth answer can tell without knowing more."""

    status: ClassVar[int] = 500
    code: str = "server_error"
    default_description: ClassVar[str] = gettext_noop(
        "Something went wrong here, and it is not your doing. "
        "Try once more; if it happens again, tell the administrator."
    )

    def __init__(
        self, description: str | None = None, *, detail: str = "", facts: Mapping[str, str] | None = None
    ) -> None:
        """`description` may hold `%(name)s` for each of `facts`, so that it can be translated before they are in."""
        self.msgid = description or self.default_description
        self.facts = dict(facts or {})
        self.detail = detail
        super().__init__(self.description)

    @property
    def description(self) -> str:
        """The sentence with its parts, in English: what programs and the log get."""
        return self.msgid % self.facts if self.facts else self.msgid

    @property
    def wire_description(self) -> str:
        """The description in the characters that `error_description` may have (RFC 6749 §5.2)."""
        return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", self.description)


class ConfigurationError(BridgeError):
    """The settings cannot be used. Holds every fault found, so that one correction is enough."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"The configuration cannot be used; correct this and start again:{listed}")


class ClientCommandError(BridgeError):
    """What was to be done to a client cannot be done; for whoever typed the command."""

    status = 400
    code = "invalid_request"
    default_description = "The client was not changed."
