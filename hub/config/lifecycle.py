"""The settings of a lab's life: when it stops, what is announced, which terms stand before the first start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.config.settings import Reader


@dataclass(frozen=True)
class LifecycleSettings:
    """Times are seconds, 0 for never."""

    idle_timeout: int
    max_age: int
    warning: int
    """How long before a stop people see that it comes."""
    declared: Path | None
    """hub.toml"""
    notices: Path | None
    """The folder of announcement and terms: a folder, because a single mounted file stays what it was at the start."""
    announcement: str
    terms_file: str
    support_contact: str


def read_lifecycle(read: Reader) -> LifecycleSettings:
    """Read them; a name of terms that cannot be a name in the folder is a fault."""
    declared, notices = read.text("HUB_CONFIG_FILE", ""), read.text("NOTICES_DIR", "")
    terms_file = read.text("HUB_TERMS_FILE", "")
    if terms_file and (Path(terms_file).name != terms_file or Path(terms_file).suffix not in (".md", ".txt")):
        read.refuse(
            f"HUB_TERMS_FILE is {terms_file!r} but must be the name of a .md or .txt file in deployment/notices/"
        )
    elif terms_file and not notices:
        read.refuse("HUB_TERMS_FILE is set but NOTICES_DIR, the folder it is in, is not")
    return LifecycleSettings(
        idle_timeout=int(read.number("CULL_IDLE_TIMEOUT_SECONDS", "3600", least=0)),
        max_age=int(read.number("CULL_MAX_AGE_SECONDS", "0", least=0)),
        warning=int(read.number("CULL_WARNING_SECONDS", "600", least=0)),
        declared=Path(declared) if declared else None,
        notices=Path(notices) if notices else None,
        announcement=read.text("HUB_ANNOUNCEMENT", ""),
        terms_file=terms_file,
        support_contact=read.text("HUB_SUPPORT_CONTACT", ""),
    )
