"""The commands that the README tells people to type, so that tests type the very same."""

import re
import shlex
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def text() -> str:
    """The whole page."""
    return README.read_text(encoding="utf-8")


def commands() -> list[str]:
    """Each line of a shell block, and each `docker compose …` in a sentence, in the order of the page."""
    found = re.findall(r"^```sh\n(.*?)^```|`(docker compose [^`]+)`", text(), flags=re.MULTILINE | re.DOTALL)
    return [line for block, inline in found for line in (block or inline).splitlines() if line]


def command(beginning: str) -> list[str]:
    """The one command that begins so, as arguments."""
    (only,) = (one for one in commands() if one.startswith(beginning))
    return shlex.split(only)
