"""Client of the running hub's REST API, which stops labs and deletes users in memory, database and routes alike.

`hub/config/services.py` makes the token, in the hub's own volume.
"""

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from hub.administration import AdministrationError
from hub.config.services import token_file

REQUEST_TIMEOUT = 30  # seconds
STOP_TIMEOUT = 90


class HubApi:
    """The API at HUB_API_CONNECT_URL."""

    def __init__(self) -> None:
        path = token_file(Path(os.environ.get("HUB_DATA_DIR", "/data")))
        try:
            self._token = path.read_text(encoding="ascii").strip()
        except OSError:
            raise AdministrationError(
                "the hub has no token for this command yet: restart it once (docker compose restart hub)."
            ) from None
        self._url = os.environ.get("HUB_API_CONNECT_URL", "http://hub:8081").rstrip("/")

    def user(self, name: str) -> dict[str, Any] | None:
        """Return JupyterHub's model of a user, or None if it does not exist."""
        return self._request("GET", name)

    def stop_labs(self, name: str) -> None:
        """Stop all labs of a user and wait for their end."""
        for server in (self.user(name) or {}).get("servers", {}):
            self._request("DELETE", name, *(("servers", server) if server else ("server",)))
        deadline = time.monotonic() + STOP_TIMEOUT
        while (self.user(name) or {}).get("servers"):
            if time.monotonic() > deadline:
                raise AdministrationError(f"the lab of {name} does not stop: see `docker compose logs hub`.")
            time.sleep(0.5)

    def delete_user(self, name: str) -> None:
        """Delete a user with tokens and group memberships."""
        self._request("DELETE", name)

    def _request(self, method: str, *names: str) -> dict[str, Any] | None:
        path = "/".join(["/users", *(quote(name, safe="") for name in names)])
        headers = {"Authorization": f"token {self._token}"}
        try:
            response = requests.request(
                method, f"{self._url}/hub/api{path}", headers=headers, timeout=REQUEST_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise AdministrationError(
                f"the hub does not answer at {self._url} ({error}): start it with docker compose up -d hub"
            ) from None
        if response.status_code == requests.codes.not_found:
            return None
        if not response.ok:
            try:
                reason = response.json()["message"]
            except (ValueError, KeyError, TypeError):
                reason = "see `docker compose logs hub`."
            raise AdministrationError(f"the hub answered {response.status_code} to {method} {path}: {reason}")
        return dict(response.json()) if response.content else {}
