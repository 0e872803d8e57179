"""The commands that the README documents, so that tests run the same ones."""

import re
import shlex
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def text() -> str:
    """Return the whole page."""
    return README.read_text(encoding="utf-8")


def commands() -> list[str]:
    """Return each line of a shell block and each `docker compose …` in a sentence, in document order."""
    found = re.findall(r"^```sh\n(.*?)^```|`(docker compose [^`]+)`", text(), flags=re.MULTILINE | re.DOTALL)
    return [line for block, inline in found for line in (block or inline).splitlines() if line]


def command(beginning: str) -> list[str]:
    """Return the only command with this beginning, as arguments."""
    (only,) = (one for one in commands() if one.startswith(beginning))
    return shlex.split(only)
