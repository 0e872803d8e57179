"""Usernames that the hub accepts, and the explanation for a user whose name it does not (docs/decisions).

Names become parts of URLs, container names, volume names and Traefik's rules, in which a backtick would be code.
"""

import re

from passerelle_common.i18n import Message, gettext_noop

MAX_LENGTH = 63
ALLOWED = "a-z0-9._@+'-"
USERNAME_PATTERN = rf"^[a-z0-9][{ALLOWED}]{{0,{MAX_LENGTH - 1}}}\Z"
WRONG_CHARACTERS = gettext_noop(
    "This hub cannot use your username %(name)s because of %(characters)s. A username may contain the letters a to z, "
    "digits and . _ @ + ' - only. Your password is not the problem: ask your institution for another username, or the "
    "administrator of this hub for advice."
)
WRONG_START = gettext_noop(
    "This hub cannot use your username %(name)s, because it does not begin with a letter from a to z or a digit. Ask "
    "your institution for another username, or the administrator of this hub for advice."
)
TOO_LONG = gettext_noop(
    "This hub cannot use your username, because it has %(length)s characters and the hub accepts at most %(limit)s. "
    "Ask your institution for a shorter one, or the administrator of this hub for advice."
)


def explain_invalid(name: str) -> Message:
    """Return what is wrong with a name that does not match the pattern."""
    if len(name) > MAX_LENGTH:
        return Message(TOO_LONG, {"length": len(name), "limit": MAX_LENGTH})
    wrong = dict.fromkeys(re.findall(f"[^A-Z{ALLOWED}]", name))
    if wrong:
        shown = (f"“{char}”" if char.isprintable() else f"U+{ord(char):04X}" for char in wrong)
        return Message(WRONG_CHARACTERS, {"name": repr(name)[1:-1], "characters": ", ".join(shown)})
    return Message(WRONG_START, {"name": name})
