"""The running hub's own API: it stops labs and deletes users, so that its memory, database and routes agree.

The token is made by `hub/config/services.py` and is in the hub's own volume, where nobody else reads it.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hub.administration.faults import AdministrationError
from hub.config.services import token_file

ANSWER_WITHIN = 30  # seconds
STOPPED_WITHIN = 90
NO_CONTENT, NOT_FOUND = 204, 404


def hub_address() -> str:
    """Where the running hub is, seen from its neighbours."""
    return os.environ.get("HUB_API_CONNECT_URL", "http://hub:8081").rstrip("/")


class RunningHub:
    """Asks the hub; None where it says that there is no such thing."""

    def __init__(self, *, wait: Callable[[float], None] = time.sleep) -> None:
        path = token_file(Path(os.environ.get("HUB_DATA_DIR", "/data")))
        try:
            self._token = path.read_text(encoding="ascii").strip()
        except OSError:
            raise AdministrationError(
                "the hub has made no token for this command yet: restart it once (docker compose restart hub)."
            ) from None
        self._wait = wait

    def user(self, name: str) -> dict[str, Any] | None:
        """What it knows of somebody."""
        return self._ask("GET", f"/users/{quote(name, safe='')}")

    def stop_labs(self, name: str) -> int:
        """All of a user, and wait until they are gone."""
        stopped = 0
        for server in list((self.user(name) or {}).get("servers", {})):
            path = (
                f"/users/{quote(name, safe='')}/servers/{quote(server, safe='')}"
                if server
                else (f"/users/{quote(name, safe='')}/server")
            )
            self._ask("DELETE", path)
            stopped += 1
        deadline = time.monotonic() + STOPPED_WITHIN
        while (self.user(name) or {}).get("servers"):
            if time.monotonic() > deadline:
                raise AdministrationError(f"the lab of {name} does not stop: see `docker compose logs hub`.")
            self._wait(0.5)
        return stopped

    def delete_user(self, name: str) -> None:
        """With the tokens and memberships."""
        self._ask("DELETE", f"/users/{quote(name, safe='')}")

    def _ask(self, method: str, path: str) -> dict[str, Any] | None:
        request = urllib.request.Request(  # noqa: S310  an address of our own
            f"{hub_address()}/hub/api{path}", method=method, headers={"Authorization": f"token {self._token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:  # noqa: S310  likewise
                body = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == NOT_FOUND:
                    return None
                raise AdministrationError(
                    f"the hub answered {error.code} to {method} {path}: {_reason(error)}"
                ) from None
        except (OSError, urllib.error.URLError) as error:
            raise AdministrationError(
                f"the hub does not answer at {hub_address()} ({getattr(error, 'reason', error)}): start it, "
                "docker compose up -d hub"
            ) from None
        return dict(json.loads(body)) if body else {}


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, KeyError, TypeError):
        return "see `docker compose logs hub`."
