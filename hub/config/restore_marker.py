"""Marker of a restore in progress, so that no service uses partly restored volumes.

A restore marks each volume that it writes to; it marks the hub's volume first and unmarks it last.
`deployment/edge/prepare.py` checks the marker as well, so that no service starts after an interrupted restore.
"""

from __future__ import annotations

from pathlib import Path

MARK = ".restore-under-way"


def restore_in_progress(data_dir: Path) -> str | None:
    """Return an error message if a restore was interrupted."""
    if not (data_dir / MARK).exists():
        return None
    return (
        "the hub cannot start: a restore into this project was interrupted. Run `docker compose down`, then repeat the "
        "same `passerelle hub restore …` command, which continues where it stopped."
    )
