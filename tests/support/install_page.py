"""The code blocks of docs/install.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "install.md"


def blocks(heading: str, language: str) -> list[str]:
    """Return the code blocks below a heading, in order."""
    sections = re.split(r"^#{2,3} ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = (text for text in sections if text.startswith(f"{heading}\n"))
    return re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.M | re.S)


def substitute(block: str, values: Mapping[str, object]) -> str:
    """Replace the example values of a block; assert that each occurs."""
    for example, value in values.items():
        assert example in block, f"docs/install.md no longer contains {example!r}:\n{block}"
        block = block.replace(example, str(value))
    return block
