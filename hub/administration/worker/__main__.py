"""Entry point of the one-shot container: `python -m hub.administration.worker ACTION [JSON]`."""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from hub.administration import AdministrationError
from hub.administration.worker import backup, repository, restore, settings
from hub.administration.worker.runtime import emit

ACTIONS: dict[str, Callable[..., Any]] = {
    "checkout": settings.read_checkout,
    "sizes": backup.volume_sizes,
    "password": repository.create_password,
    "backup": backup.back_up,
    "snapshots": backup.list_backups,
    "describe": restore.describe,
    "restore": restore.restore,
    "settings": restore.extract_settings,
    "archive": backup.archive_home,
    "archives": backup.list_archives,
    "purge": backup.purge_expired,
}


def main(action: str, options: str = "{}") -> int:
    """Run one action, and report its result or its error."""
    os.umask(0o077)
    # `docker stop` interrupts as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        emit("result", ACTIONS[action](**json.loads(options)))
    except AdministrationError as error:
        emit("error", str(error))
    except KeyboardInterrupt:
        emit("error", "interrupted.")
    except OSError as error:
        emit("error", f"{error.filename or 'a file'} cannot be used: {error.strerror}.")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
