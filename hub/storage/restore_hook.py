"""The check before a start that no restore of the home is unfinished."""

from dataclasses import dataclass
from pathlib import Path

from hub.config.settings import RESTORE_MARKS
from hub.spawner.docker import Lab
from hub.web.errors import spawn_error
from passerelle_common.i18n import Message, gettext_noop

RESTORING = gettext_noop(
    "The administrator is restoring your home from a backup, so your lab cannot start yet. Try again in a few minutes; "
    "if that does not help, contact the administrator."
)


@dataclass(frozen=True)
class RestoreHook:
    """Rejects a start on a home that `passerelle hub restore --home` has marked."""

    data_dir: Path

    def before_start(self, lab: Lab) -> None:
        """Look for the mark; see `Lab.before_start`."""
        if (self.data_dir / RESTORE_MARKS / "home" / lab.escaped_name).exists():
            raise spawn_error(Message(RESTORING, {}), reason="home_restore", status_code=503)
