"""Keep the home of somebody who left, for as long as the retention says, and not longer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.administration.faults import AdministrationError
from hub.administration.worker import archive
from hub.administration.worker.events import Progress, tell
from hub.administration.worker.manifest import moment
from hub.administration.worker.places import TARGET, VOLUMES

_NAME = re.compile(r"(?P<of>[A-Za-z0-9-]+)_\d{8}T\d{6}Z")
_OURS = re.compile(rf"\.?{_NAME.pattern}\.(json|tar\.gz)(\.part)?|lost\+found")


@dataclass(frozen=True)
class BackupRequest:
    """Whose home, and for how many days."""

    of: str
    user: str
    days: int


def archive_home(wish: BackupRequest) -> None:
    """Write the home, read it again, and say until when it is kept."""
    _close_folder()
    now = moment()
    name = f"{wish.of}_{now:%Y%m%dT%H%M%SZ}"
    home, target = VOLUMES / "home" / wish.of, TARGET / f"{name}.tar.gz"
    progress = Progress(f"home/{wish.of}", archive.allocated(home))
    written = archive.write_tar(home, target, compress=True, tick=progress.add)
    if written.unread:
        target.unlink()
        raise AdministrationError(f"the home cannot be read whole, and nothing was deleted: {written.unread[0]}.")
    if archive.sha256_of(target) != written.sha256:
        raise AdministrationError(f"{target.name} is not as it was written, and nothing was deleted: look at the disk.")
    told = {
        "user": wish.user,
        "archived": now.isoformat(),
        "until": (now + timedelta(days=wish.days)).isoformat(),
        "sha256": written.sha256,
        "bytes": written.bytes,
    }
    archive.write_bytes(json.dumps(told, indent=2).encode() + b"\n", TARGET / f"{name}.json")
    tell("result", file=target.name, **told)


def _close_folder() -> None:
    """For its owner alone, unless it is one of other things as well."""
    if others := sorted(path.name for path in TARGET.iterdir() if not _OURS.fullmatch(path.name)):
        tell(
            "note",
            text=f"the folder is not for archives alone ({others[0]}), so that anybody may list them whom it "
            "lets in; they are readable for their owner alone.",
        )
    else:
        TARGET.chmod(0o700)


def list_archives() -> None:
    """Each archive, the one that ends first at the beginning."""
    for path, told in _archives():
        tell("archive", file=path.with_suffix(".tar.gz").name, expired=_until(told) <= moment(), **told)


def purge_expired() -> None:
    """Delete those whose time has come."""
    for path, told in _archives():
        if _until(told) <= moment():
            path.with_suffix(".tar.gz").unlink(missing_ok=True)
            path.unlink()
            tell("archive", file=path.with_suffix(".tar.gz").name, expired=True, **told)


def _archives() -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in TARGET.glob("*.json"):
        if not _NAME.fullmatch(path.stem):
            continue
        try:
            told = json.loads(path.read_text())
            _until(told)
        except (ValueError, KeyError, TypeError):
            tell("note", text=f"{path.name} does not say until when its archive is kept: it is left alone.")
            continue
        found.append((path, told))
    return sorted(found, key=lambda one: _until(one[1]))


def _until(told: dict[str, Any]) -> datetime:
    until = datetime.fromisoformat(told["until"])
    if until.tzinfo is None:
        raise ValueError("a moment without a zone")
    return until
