"""A restore that was interrupted: nobody may work on volumes that are half of one thing and half of another.

A volume that a restore writes to is marked, the hub's own first and for longest. `deployment/edge/prepare.py` looks likewise, so
that after a whole restore that was interrupted no service starts.
"""

from __future__ import annotations

from pathlib import Path

MARK = ".restore-under-way"


def restore_in_progress(data_dir: Path) -> str | None:
    """Why the hub cannot start, if it cannot."""
    if not (data_dir / MARK).exists():
        return None
    return (
        "the hub cannot start, a restore into this project was interrupted: `docker compose down`, then the same "
        "command again, `passerelle hub restore …`, which goes on where it stopped."
    )
