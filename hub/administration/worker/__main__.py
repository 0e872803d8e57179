"""`python -m hub.administration.worker WHAT [JSON]`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from hub.administration.faults import AdministrationError
from hub.administration.worker import backup, checkout, offboard, restore
from hub.administration.worker.events import tell

WHAT: dict[str, Callable[[dict[str, Any]], None]] = {
    "checkout": lambda _: checkout.tell_checkout(),
    "sizes": lambda _: backup.sizes(),
    "backup": lambda wish: backup.back_up(backup.BackupRequest(**{**wish, "exclude": tuple(wish.get("exclude", ()))})),
    "describe": lambda wish: restore.describe(**wish),
    "restore": lambda wish: restore.restore(restore.BackupRequest(**wish)),
    "archive": lambda wish: offboard.archive_home(offboard.BackupRequest(**wish)),
    "archives": lambda _: offboard.list_archives(),
    "purge": lambda _: offboard.purge_expired(),
}


def main(arguments: list[str]) -> int:
    """Do one thing; what goes wrong is an event, not a traceback."""
    os.umask(0o077)
    # Whoever asks it to stop gets what an interruption leaves: whole parts, and no halves.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        WHAT[arguments[0]](json.loads(arguments[1]) if len(arguments) > 1 else {})
    except AdministrationError as fault:
        tell("fault", text=str(fault))
        return 1
    except KeyboardInterrupt:
        tell("fault", text="interrupted.")
        return 1
    except OSError as error:
        tell("fault", text=f"{error.filename or 'a file'} cannot be used: {error.strerror}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
