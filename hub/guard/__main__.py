"""Start the guard: become an unprivileged user who may use the engine's socket, then listen.

Reads:  the hub's settings (`rules.py`)
        ENGINE_SOCKET   the Docker engine's socket
        GUARD_SOCKET    the socket to create for the hub
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from hub.config.field_types import SettingsError
from hub.config.settings import load_settings
from hub.guard.privileges import become
from hub.guard.proxy import Engine, Guard
from hub.guard.rules import GuardSettings, Rules, build_rules

USER = 10003
STOP_SECONDS = 3  # for calls in progress


async def serve(rules: Rules, engine_socket: Path, guard_socket: Path) -> None:
    """Answer calls on the guard's socket until a signal ends the process."""
    engine = Engine(str(engine_socket))
    server = web.Server(Guard(rules, engine).handle, access_log=None, keepalive_timeout=75)
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    guard_socket.unlink(missing_ok=True)
    draft = guard_socket.with_suffix(".new")
    draft.unlink(missing_ok=True)
    await web.UnixSite(runner, str(draft)).start()
    # Only containers with this volume reach the socket; the hub's has another user.
    draft.chmod(0o666)
    draft.rename(guard_socket)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    logging.getLogger("guard").info("listening on %s", guard_socket)
    await ended.wait()
    await runner.cleanup()
    await engine.close()


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Read the settings and run."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s")
    engine, guard = Path(environ["ENGINE_SOCKET"]), Path(environ["GUARD_SOCKET"])
    try:
        rules = build_rules(load_settings(environ, GuardSettings))
        become(USER, engine)
    except (SettingsError, OSError) as fault:
        sys.exit(str(fault))
    asyncio.run(serve(rules, engine, guard))


if __name__ == "__main__":
    main()
