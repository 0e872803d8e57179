"""Entry point of the one-shot container: `python -m hub.administration.worker ACTION [JSON]`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from hub.administration import AdministrationError
from hub.administration.worker import backup, offboard, repository, restore, settings
from hub.administration.worker.runtime import emit


def _create_password(name: str) -> None:
    emit("result", created=repository.create_password(name))


def _emit_snapshots() -> None:
    for one in repository.snapshots(backup.FULL, backup.DATABASES):
        emit("snapshot", snapshot=one.id, taken=one.time, project=one.project, content=one.tags[0], bytes=one.size)


ACTIONS: dict[str, Callable[..., None]] = {
    "checkout": settings.emit_checkout,
    "sizes": backup.emit_sizes,
    "password": _create_password,
    "backup": lambda **request: backup.back_up(backup.BackupRequest(**request)),
    "snapshots": _emit_snapshots,
    "describe": restore.describe,
    "restore": lambda **request: restore.restore(restore.RestoreRequest(**request)),
    "settings": restore.extract_settings,
    "archive": lambda **request: offboard.archive_home(offboard.ArchiveRequest(**request)),
    "archives": offboard.emit_archives,
    "purge": offboard.purge_expired,
}


def main(arguments: list[str]) -> int:
    """Run one action and report errors as events."""
    os.umask(0o077)
    # `docker stop` interrupts as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options: dict[str, Any] = json.loads(arguments[1]) if len(arguments) > 1 else {}
    try:
        ACTIONS[arguments[0]](**options)
    except AdministrationError as error:
        emit("error", text=str(error))
        return 1
    except KeyboardInterrupt:
        emit("error", text="interrupted.")
        return 1
    except OSError as error:
        emit("error", text=f"{error.filename or 'a file'} cannot be used: {error.strerror}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
